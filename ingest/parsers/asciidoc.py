"""AsciiDoc: a small reader of its blocks, since no kept library in Python reads it.

Nothing that a document names is read. Conditions are not judged: what stands below them is kept,
since each reader sees some of it.

https://docs.asciidoctor.org/asciidoc/latest/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.errors import ParseFailed
from ingest.parsers import fields
from ingest.parsers.asciidoc_blocks import Attributes, Reader, titles_of
from ingest.parsers.asciidoc_inline import Inline
from ingest.parsers.base import Parsed
from ingest.parsers.blocks import Blocks
from ingest.parsers.characters import clean, decode
from ingest.sources.base import RawDocument

_MAX_CHARACTERS = 2_000_000
_PGP = "-----BEGIN PGP"  # keys and signatures have the ending `.asc` too
_DIRECTIVE = re.compile(r"\\?(include|ifdef|ifndef|ifeval|endif)::([^\[\s]*)\[(.*)\][ \t]*")
_COMMENT = re.compile(r"//(?!/).*")
_COMMENT_BLOCK = re.compile(r"/{4,}[ \t]*")
_VERBATIM = re.compile(r"(-{4,}|\.{4,}|\+{4,}|`{3}.*)[ \t]*")
_UNDERLINES = "=-~^+"
_UNDERLINE = re.compile(r"([=\-~^+])\1{3,}")
_WORDS = re.compile(r"\w[^|]*$")
_TITLE = re.compile(r"[=#] (\S.*)")
_ENTRY = re.compile(r":(!?[\w][\w-]*!?):(?:[ \t]+(.*))?")
_REVISION = re.compile(r"(?:v?(?P<version>[\d.]*\d[\w.-]*)(?:,|$))?\s*(?P<date>[^:]{0,40})(?::.*)?")


def parse(raw: RawDocument) -> Parsed:
    """Return the document as Markdown, with its title, header, and section ids as anchors."""
    text = clean(decode(raw.data))
    if text.lstrip().startswith(_PGP):
        raise ParseFailed("a PGP key or signature, and no AsciiDoc")
    if len(text) > _MAX_CHARACTERS:
        raise ParseFailed(f"more than {_MAX_CHARACTERS:,} characters of AsciiDoc")
    lines = list(_seen_lines(_modern_titles(text.split("\n"))))
    attributes = Attributes()
    title, body = _header(lines, attributes)
    titles = {name: attributes.replace(words) for name, words in titles_of(body).items()}
    blocks = Blocks()
    Reader(body, attributes, Inline(titles)).write(blocks)
    made, anchors = blocks.finish()
    said = {name.removeprefix("page-").replace("-", "_"): v for name, v in attributes.set.items()}
    return Parsed(
        text=made,
        title=clean(Inline(titles).write(title).replace("*", "").replace("`", "")),
        url=fields.first_text(said, "url"),
        language=fields.first_text(said, "lang", "language"),
        modified_at=fields.moment(said, "revdate", "last_modified", "updated", "date"),
        audiences=fields.audiences(said, "audience", "audiences"),
        tags=fields.tags(said, "tags", "keywords"),
        owner=fields.first_text(said, "owner"),
        version=fields.first_text(said, "version", "revnumber"),
        valid_until=fields.last_day(said),
        anchors=anchors,
    )


def _modern_titles(lines: list[str]) -> list[str]:
    """Write titles that are underlined, as of old, like all others."""
    made = [""]
    for line in lines:
        title = made[-1]
        is_underline = _UNDERLINE.fullmatch(line) and abs(len(line) - len(title)) < 2
        is_alone = len(made) < 3 or not made[-2].strip() or made[-2].startswith("[")
        if is_underline and is_alone and _WORDS.match(title):
            made[-1] = f"{'=' * (_UNDERLINES.index(line[0]) + 1)} {title}"
        else:
            made.append(line)
    return made[1:]


def _seen_lines(lines: list[str]) -> Iterator[str]:
    """Yield the lines without comments, and without what asks for files or conditions."""
    fence = comment = ""
    for line in lines:
        if comment:
            comment = "" if line.rstrip() == comment else comment
            continue
        if not fence and _COMMENT_BLOCK.fullmatch(line):
            comment = line.rstrip()
            continue
        directive = _DIRECTIVE.fullmatch(line)
        if directive:
            if line.startswith("\\"):
                yield line[1:]
            elif directive[1] in ("ifdef", "ifndef") and directive[3]:
                yield directive[3]
            continue
        if fence:
            fence = "" if line.rstrip() == fence else fence
        elif match := _VERBATIM.fullmatch(line):
            fence = "```" if match[1].startswith("`") else match[1]
        elif _COMMENT.match(line):
            continue
        yield line


def _header(lines: list[str], attributes: Attributes) -> tuple[str, list[str]]:
    """Return the title, and the lines after the header, whose attributes are set."""
    place, title = 0, ""
    while place < len(lines) and (not lines[place].strip() or _ENTRY.fullmatch(lines[place])):
        place = attributes.read_entry(lines, place) if lines[place].strip() else place + 1
    match = _TITLE.fullmatch(lines[place]) if place < len(lines) else None
    if not match:
        return "", lines[place:]
    title, place = match[1], place + 1
    unnamed = 0  # lines: the first names the authors, the second the revision
    while place < len(lines) and lines[place].strip():
        if _ENTRY.fullmatch(lines[place]):
            place = attributes.read_entry(lines, place)
            continue
        unnamed += 1
        if unnamed > 2 or lines[place].startswith(("=", "[", "*", ".", "|")):
            break
        if unnamed == 2 and (revision := _REVISION.fullmatch(lines[place].strip())):
            attributes.set.setdefault("revnumber", revision["version"] or "")
            attributes.set.setdefault("revdate", revision["date"].strip())
        place += 1
    return attributes.replace(title), lines[place:]
