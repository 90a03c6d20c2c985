"""Curated answers: pages whose front matter names the questions that they answer.

```
---
questions:
- How do I cancel?
- Can I cancel at any time?
valid_until: 2027-01-31
---
Open "Billing" and choose "Cancel".
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ingest.errors import ParseFailed
from ingest.parsers import fields
from ingest.parsers.base import Parsed
from ingest.parsers.faq import Entry
from ingest.parsers.writing import one_line
from knowledge.documents import FAQ

_MOST = 50  # questions of one answer
_LONGEST = 300  # characters of a question


def curated(front: Mapping[str, Any], parsed: Parsed) -> Parsed:
    """Return a page as the answer to the questions that its front matter names, if it does.

    Raises:
        ParseFailed: they are no questions, there is no answer, or its last day is no date.
    """
    named = front.get("questions", front.get("question"))
    if named is None:
        return parsed
    questions = _questions(named)
    answer = parsed.text.strip() or str(front.get("answer") or "").strip()
    if not answer:
        raise ParseFailed("it names questions, and there is no answer below its front matter")
    days = [parsed.valid_until, *(fields.last_day(front, key) for key in ("expires", "expiry"))]
    return replace(
        parsed,
        text=Entry(questions[0], answer).markdown,
        title=parsed.title or questions[0],
        valid_until=min(filter(None, days), default=""),
        anchors=(),
        kind=FAQ,
        questions=questions,
    )


def _questions(named: Any) -> tuple[str, ...]:
    values = named if isinstance(named, list) else [named]
    if not all(isinstance(value, str) for value in values):
        raise ParseFailed("its questions are no texts; write each in quotation marks")
    questions = tuple(dict.fromkeys(filter(None, map(one_line, values))))
    if not questions or len(questions) > _MOST or max(map(len, questions)) > _LONGEST:
        raise ParseFailed(f"it takes 1 to {_MOST} questions of up to {_LONGEST} characters each")
    return questions
