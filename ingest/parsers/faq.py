"""FAQ sheets: rows with a question and its answer, as curated entries.

Only the columns that it knows are read, so that a column of internal remarks is never published.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.parsers.markdown import plain
from ingest.parsers.writing import inert, one_line, web_address
from knowledge.documents import PUBLIC, STAFF

_HEAD_ROWS = 10  # among the first of these rows the names of the columns are looked for
_LONGEST_HEADING = 200  # characters; a longer question is cut, and said in full in its answer

# What people name the columns, in lower case.
_NAMES: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "question": "question questions q frage fragen pregunta preguntas domanda domande pergunta"
        " perguntas vraag vragen fråga frågor spørsmål spørgsmål kysymys pytanie pytania otázka"
        " otázky kérdés întrebare вопрос вопросы питання soru sorular ερώτηση שאלה سؤال السؤال"
        " प्रश्न 问题 问 問題 質問 질문",
        "answer": "answer answers a antwort antworten respuesta respuestas réponse réponses reponse"
        " risposta risposte resposta respostas antwoord antwoorden svar vastaus odpowiedź"
        " odpowiedzi odpověď odpovědi válasz răspuns ответ ответы відповідь cevap yanıt cevaplar"
        " απάντηση תשובה جواب الجواب إجابة الإجابة उत्तर 答案 答 回答 答え 답변 답",
        "category": "category categories topic section kategorie thema bereich catégorie rubrique"
        " thème categoría tema categoria categorie onderwerp kategori kategoria категория 分类 类别"
        " カテゴリ カテゴリー 카테고리",
        "tags": "tags tag keywords schlagwörter schlagworte stichwörter étiquettes etiquetas"
        " palabras trefwoorden теги 标签 タグ 태그",
        "link": "link links url source quelle lien enlace collegamento ссылка 链接 リンク 링크",
        "audience": "audience audiences visibility access zielgruppe sichtbarkeit publikum"
        " audiencia público pubblico visibilité visibilidad doelgroep målgrupp аудитория 受众"
        " 対象 대상",
    }.items()
}
_WORDS = re.compile(r"[\s\d_/|&:;,.?!()\[\]#*-]+")
_LINKED = re.compile(r"\[[^\]]*\]\((\S+)\)")  # a cell with a hyperlink
_MARKED = re.compile(r"^\s*[#=`~<-]", re.MULTILINE)  # a line that may be part of a heading or fence
_COUNTING = frozenset({"id", "ids", "nr", "no", "number", "nummer", "num", "count", "type", "date"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of an FAQ sheet."""

    question: str
    answer: str
    category: str = ""
    tags: tuple[str, ...] = ()
    link: str = ""
    audiences: frozenset[str] = frozenset()  # empty: the row says nothing

    @property
    def markdown(self) -> str:
        """Return the question as a heading with the answer below."""
        question = one_line(self.question)
        heading, answer = question, self.answer
        if len(question) > _LONGEST_HEADING:
            heading = f"{question[: _LONGEST_HEADING - 1].rstrip()}…"
            answer = f"{question}\n\n{answer}"
        parts = [f"## {heading}", without_headings(answer)]
        if self.link and self.link not in answer:
            parts.append(self.link)
        return "\n\n".join(parts)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The entries of a sheet, and what of it is not among them."""

    entries: tuple[Entry, ...]
    unread: tuple[str, ...]  # names of columns
    incomplete: int  # rows with a question or an answer alone


@dataclass(frozen=True, slots=True)
class Share:
    """The entries that one document may hold, and the audiences that they give it."""

    kept: tuple[Entry, ...]
    audiences: frozenset[str] | None  # None: they say nothing
    left_out: tuple[Entry, ...] = ()

    @property
    def note(self) -> str:
        """Say for people what was left out, and what to do."""
        names = ", ".join(sorted({name for entry in self.left_out for name in entry.audiences}))
        return (
            f"questions for other audiences were left out ({len(self.left_out)}, for {names});"
            " move them to a file of their own, in a source of that audience"
        )


def read(rows: Sequence[Sequence[str]]) -> Sheet | None:
    """Return the entries of a sheet; None where it has no columns for questions and answers."""
    heads = ((number, _columns(row)) for number, row in enumerate(rows[:_HEAD_ROWS]))
    head = next((head for head in heads if {"question", "answer"} <= head[1].keys()), None)
    if head is None:
        return None
    number, columns = head
    found = [_entry(row, columns) for row in rows[number + 1 :]]
    entries = tuple(entry for entry in found if entry.question and entry.answer)
    halves = sum(bool(entry.question) != bool(entry.answer) for entry in found)
    used = set(columns.values())
    unread = (one_line(name) for place, name in enumerate(rows[number]) if place not in used)
    return Sheet(entries, tuple(name for name in unread if name), halves)


def fitting(entries: Sequence[Entry], audiences: frozenset[str] | None, default: str) -> Share:
    """Return the entries that one document may hold.

    A document is shown whole, so a row is kept only if all who may see the document may see the
    row. Rows that all name the same audiences give these to the document, unless its source's
    system says others: `audiences`, None where it says nothing. `default` is the source's.
    """
    said = {entry.audiences for entry in entries}
    if audiences is None and len(said) == 1 and (agreed := next(iter(said))):
        return Share(tuple(entries), agreed)
    readers = frozenset({default}) if audiences is None else audiences or frozenset({STAFF})
    kept = tuple(entry for entry in entries if _is_for(entry, readers))
    others = tuple(entry for entry in entries if not _is_for(entry, readers))
    return Share(kept, None, others)


def without_headings(answer: str) -> str:
    """Return an answer's Markdown with bold lines for headings and with all that it opens closed.

    The next question would be no heading, or not one of the document, otherwise.
    """
    if not _MARKED.search(answer):  # as with most answers; parsing them all takes seconds
        return re.sub(r"\n{3,}", "\n\n", answer).strip()
    lines = answer.strip().split("\n")
    for token, inline in reversed(_headings("\n".join(lines))):
        words = plain(inline.content)
        first, after = token.map or (0, 0)
        lines[first:after] = ["", f"**{words}**" if words else "", ""]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if _is_closed(text):
        return text
    last = _parse(text)[-1]
    closed = f"{text}\n{last.markup}" if last.type == "fence" else ""
    return closed if closed and _is_closed(closed) else inert(text)


def _headings(text: str) -> list[tuple[Token, Token]]:
    pairs = pairwise(_parse(text))
    return [(a, b) for a, b in pairs if a.type == "heading_open" and not a.level]


def _is_closed(text: str) -> bool:
    """Tell whether a heading after the text would be one."""
    headings = _headings(f"{text}\n\n# end")
    return [inline.content for _, inline in headings] == ["end"]


def _parse(text: str) -> list[Token]:
    return _block_parser().parse(text)


@cache
def _block_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable("inline")


def _is_for(entry: Entry, readers: frozenset[str]) -> bool:
    return not entry.audiences or PUBLIC in entry.audiences or readers <= entry.audiences


def _columns(row: Sequence[str]) -> dict[str, int]:
    """Return the place of each column that is known by its name; the first of a kind."""
    columns: dict[str, int] = {}
    for place, cell in enumerate(row):
        words = set(_WORDS.split(unicodedata.normalize("NFC", cell).casefold())) - {""}
        kinds = [kind for kind, names in _NAMES.items() if words & names]
        if len(kinds) == 1 and len(words) < 4 and not words & _COUNTING:
            columns.setdefault(kinds[0], place)
    return columns


def _entry(row: Sequence[str], columns: dict[str, int]) -> Entry:
    cells = {
        kind: row[place].strip() if place < len(row) else "" for kind, place in columns.items()
    }
    linked = _LINKED.fullmatch(cells.get("link", ""))
    return Entry(
        question=cells["question"],
        answer=cells["answer"],
        category=one_line(cells.get("category", "")),
        tags=tuple(_parts(cells.get("tags", ""))),
        link=web_address(linked[1] if linked else cells.get("link", "")),
        audiences=frozenset(map(_audience, _parts(cells.get("audience", "")))),
    )


def _parts(text: str) -> Iterator[str]:
    for part in re.split(r"[,;\n]", text):
        if name := one_line(part):
            yield name


def _audience(name: str) -> str:
    """Return the audience of that name; the two that always exist are known in any case."""
    return name.casefold() if name.casefold() in (PUBLIC, STAFF) else name
