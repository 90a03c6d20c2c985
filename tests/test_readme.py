"""What the README says of files, commands and settings is what the code holds."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ingest.cli import build_parser as build_ingest_parser
from ingest.config import IngestSettings
from knowledge.config import DEFAULT_FILE, hint_of, variables_of
from supportbot.cli import build_parser as build_bot_parser
from supportbot.config import BotSettings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")


def section(title: str) -> str:
    """Return the text below a heading of the second level."""
    return re.split(r"^## ", README, flags=re.MULTILINE)[
        [line[3:] for line in README.splitlines() if line.startswith("## ")].index(title) + 1
    ]


def table(text: str) -> list[tuple[str, ...]]:
    """Return the body rows of the first Markdown table, cells stripped."""
    rows = [line.strip() for line in text.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in row.strip("|").split(" | ")) for row in rows[2:]]


def setting_row(name: str, field: FieldInfo) -> tuple[str, str, str]:
    first, *others = [f"`{variable}`" for variable in variables_of(field)] or [
        f"`{name}` in `{DEFAULT_FILE}`"
    ]
    default = hint_of(field, "shown")
    if not default:
        assert field.default not in (None, PydanticUndefined)
        plain = field.default
        default = f"`{plain:g}`" if isinstance(plain, float) else f"`{plain}`"
    also = f" (also {', '.join(others)})" if others else ""
    return f"{first}{also}", default, str(field.description)


def test_the_settings_table_is_what_the_code_reads() -> None:
    fields = {**IngestSettings.model_fields, **BotSettings.model_fields}
    expected = {setting_row(name, field) for name, field in fields.items()}
    assert set(table(section("Settings"))) == expected


def tree_paths() -> list[str]:
    """Return the paths that the file tree draws, folders with a slash at their end."""
    block = re.search(r"```text\n(.*?)```", section("Files"), re.DOTALL)
    assert block is not None
    above: list[str] = []
    found = []
    for line in block[1].splitlines():
        parts = re.match(r"^((?:  )*)(\S+)\s+# \S", line)
        assert parts is not None, f"no comment: {line}"
        depth = len(parts[1]) // 2
        above = [*above[:depth], parts[2]]
        found.append("".join(above))
    return found


def test_the_file_tree_shows_what_exists() -> None:
    for path in tree_paths():
        assert (ROOT / path).exists(), path
        assert path.endswith("/") == (ROOT / path).is_dir(), path


@pytest.mark.parametrize("package", ["knowledge", "ingest", "supportbot"])
def test_the_file_tree_leaves_no_module_out(package: str) -> None:
    drawn = {path for path in tree_paths() if path.startswith(f"{package}/")}
    modules = [path for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"]
    for module in modules:
        path = module.relative_to(ROOT).as_posix()
        folder = path.rsplit("/", 1)[0] + "/"
        shows_folder_whole = folder in drawn and not any(
            entry != folder and entry.startswith(folder) for entry in drawn
        )
        assert path in drawn or shows_folder_whole or "/migrations/" in path, path


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert (ROOT / target).exists(), target


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w./]+)`", README)
    assert named
    for path in named:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_is_named_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    in_code = re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", text, re.MULTILINE)
    assert {first or second for first, second in in_code} <= targets


def test_the_answer_of_the_demo_quotes_the_help_articles() -> None:
    shown = re.search(r"<!-- demo -->(.*?)<!-- /demo -->", README, re.DOTALL)
    assert shown is not None
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "knowledge/articles").glob("*.md"))
    quoted = re.findall(r"^> (.+?)(?: \[\d\])?$", shown[1], re.MULTILINE)
    assert quoted
    for line in quoted:
        assert line in pages, line


def test_every_command_is_understood() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    parsers = {"supportbot": build_bot_parser, "supportbot-ingest": build_ingest_parser}
    checked = 0
    for line in lines:
        words = shlex.split(line, comments=True)
        program = Path(words[0]).name if words else ""
        if program in parsers:
            parsers[program]().parse_args(words[1:])
            checked += 1
    assert checked


def test_every_heading_that_is_linked_exists() -> None:
    slugs = {
        re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= slugs
