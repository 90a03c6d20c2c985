"""HTML tables made plain: one header row, one cell a column, nothing nested."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

_MOST_COLUMNS = 200
_MOST_CELLS = 20_000
_LAYOUT_ROLES = ("presentation", "none")


def flatten_tables(page: BeautifulSoup, main: Tag) -> None:
    """Rewrite the tables of a page in place; those that only lay out the page become divisions."""
    tables = main.find_all("table")
    layouts = {id(table) for table in tables if _is_layout(table)}
    for table in reversed(tables):  # the innermost first
        if id(table) in layouts:
            _unwrap(table)
        elif (outer := table.find_parent("table")) and id(outer) not in layouts:
            table.replace_with(NavigableString(_in_one_line(table)))
        else:
            _lay_out(page, table)


def _is_layout(table: Tag) -> bool:
    if str(table.get("role", "")).lower() in _LAYOUT_ROLES:
        return True
    heads = table.find_all(["th", "caption", "thead"])
    has_heads = any(head.find_parent("table") is table for head in heads)
    return not has_heads and table.find(["table", "h1", "h2", "h3", "h4"]) is not None


def _unwrap(table: Tag) -> None:
    for part in table.find_all(["thead", "tbody", "tfoot", "tr", "colgroup"]):
        if part.find_parent("table") is table:
            part.unwrap()
    for cell in table.find_all(["td", "th"]):
        if cell.find_parent("table") is table:
            cell.name = "div"
    table.name = "div"


def _rows(table: Tag) -> list[Tag]:
    return [row for row in table.find_all("tr") if row.find_parent("table") is table]


def _cells(row: Tag) -> list[Tag]:
    return [cell for cell in row.children if isinstance(cell, Tag) and cell.name in ("td", "th")]


def _in_one_line(table: Tag) -> str:
    lines = (", ".join(filter(None, map(_text, _cells(row)))) for row in _rows(table))
    return f" {'; '.join(filter(None, lines))} "


def _text(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def _lay_out(page: BeautifulSoup, table: Tag) -> None:
    rows = _rows(table)
    heads = _head_count(rows)
    grid = list(_grid(rows))
    width = max(map(len, grid), default=0)
    if not width or width >= _MOST_COLUMNS or sum(map(len, grid)) > _MOST_CELLS:
        return  # a giant table is written as it stands
    caption = table.find("caption")
    made = page.new_tag("table")
    if heads > 1:
        grid[:heads] = [[_joined_heads(page, column) for column in _columns(grid[:heads], width)]]
    for place, cells in enumerate(grid):
        row = page.new_tag("tr")
        for cell in [*cells, *([None] * (width - len(cells)))]:
            row.append(_plain_cell(page, cell, is_head=place == 0))
        made.append(row)
    if caption is not None and _text(caption):
        title = page.new_tag("p")
        title.string = _text(caption)
        table.insert_before(title)
    table.replace_with(made)


def _head_count(rows: list[Tag]) -> int:
    """Return how many rows at the top hold nothing but heads of columns."""
    count = 0
    for row in rows:
        cells = _cells(row)
        is_head = row.find_parent("thead") is not None or all(cell.name == "th" for cell in cells)
        if not cells or not is_head:
            break
        count += 1
    return count


def _grid(rows: list[Tag]) -> Iterator[list[Tag | None]]:
    """Yield the cells of each row; one that spans rows stands in each, one that spans columns once.

    Heads that span columns stand in each of them too.
    """
    spanning: dict[int, tuple[int, Tag]] = {}  # by column: for how many more rows, which cell
    total = 0
    for row in rows:
        made: list[Tag | None] = []
        cells = iter(_cells(row))
        cell = next(cells, None)
        while (cell is not None or len(made) in spanning) and len(made) < _MOST_COLUMNS:
            place = len(made)
            if place in spanning:
                left, above = spanning.pop(place)
                made.append(above)
                if left > 1:
                    spanning[place] = (left - 1, above)
                continue
            if cell is None:
                break
            for step in range(min(_span(cell, "colspan"), _MOST_COLUMNS - place)):
                made.append(cell if step == 0 or cell.name == "th" else None)
                if _span(cell, "rowspan") > 1:
                    spanning[place + step] = (_span(cell, "rowspan") - 1, cell)
            cell = next(cells, None)
        total += len(made)
        if made:
            yield made
        if total > _MOST_CELLS:
            return


def _span(cell: Tag, name: str) -> int:
    value = str(cell.get(name, "1")).strip()
    return max(1, min(int(value), 1000)) if value.isdecimal() else 1


def _columns(grid: list[list[Tag | None]], width: int) -> Iterator[list[Tag]]:
    for column in range(width):
        yield [cell for row in grid for cell in row[column : column + 1] if cell is not None]


def _joined_heads(page: BeautifulSoup, cells: list[Tag]) -> Tag:
    made = page.new_tag("th")
    made.string = " ".join(dict.fromkeys(filter(None, map(_text, cells))))
    return made


def _plain_cell(page: BeautifulSoup, cell: Tag | None, is_head: bool) -> Tag:
    made = page.new_tag("th" if is_head else "td")
    if cell is None:
        return made
    copied = copy(cell)  # one that spans rows is needed again
    for code in copied.find_all("pre"):
        code.name = "code"
    for heading in copied.find_all(["h1", "h2", "h3", "h4", "h5", "h6"]):
        heading.name = "b"
    made.extend(list(copied.contents))
    return made
