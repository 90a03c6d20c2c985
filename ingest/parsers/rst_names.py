"""Names that a document may use and docutils does not know: Sphinx's directives and roles.

docutils looks names up in one table of the process, and answers unknown ones with an error in
place of their text. So the names of a document are entered before it is parsed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from docutils import nodes, utils
from docutils.parsers.rst import Directive, Parser, directives, roles
from docutils.parsers.rst.languages import en
from docutils.parsers.rst.states import Inliner

_MAX_NAMES = 500
_DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|\n]{1,200}\|[ \t]+)?([A-Za-z][\w:+.-]{0,60}?)[ ]?::")
_ROLE = re.compile(r":([A-Za-z][\w:+.-]{0,60}):`|`:([A-Za-z][\w:+.-]{0,60}):")
_TITLED = re.compile(r"(.+?)\s*<([^<>]*)>", re.DOTALL)

# What a reader does not see where the text stands: settings, other files, drawings.
_UNSEEN = {
    *("literalinclude", "include", "highlight", "highlightlang", "index", "module", "namespace"),
    *("currentmodule", "py:module", "py:currentmodule", "default-domain", "tabularcolumns"),
    *("automodule", "autoclass", "autofunction", "automethod", "autosummary", "autodata"),
    *("todo", "todolist", "sectionauthor", "moduleauthor", "codeauthor", "program", "default"),
    *("graphviz", "digraph", "graph", "inheritance-diagram", "mermaid", "uml", "plantuml"),
    *("ifconfig", "testsetup", "testcleanup", "spelling", "spelling:word-list", "youtube"),
    *("video", "genindex", "modindex", "search", "cssclass", "rst-class", "meta", "bibliography"),
}
_CODE = {
    *("sourcecode", "prompt", "console", "testcode", "testoutput", "productionlist", "highlight"),
    *("ipython", "jupyter-execute", "code-cell", "code-block", "code", "substitution-code-block"),
}
_CHANGES = {
    "versionadded": "Added in version {}",
    "versionchanged": "Changed in version {}",
    "deprecated": "Deprecated since version {}",
    "versionremoved": "Removed in version {}",
    "deprecated-removed": "Deprecated since version {}",
}
_SEE_ALSO = ("seealso", "see-also")
# Directives whose argument is a line of code: what it describes follows.
_DESCRIPTIONS = {"function", "method", "class", "option", "confval", "envvar", "cmdoption", "data"}
_CODE_ROLES = {
    *("func", "meth", "class", "mod", "attr", "data", "exc", "const", "obj", "option", "envvar"),
    *("file", "samp", "program", "command", "confval", "setting", "py", "type", "macro", "member"),
    *("keyword", "token", "makevar", "mimetype", "regexp", "function", "method"),
}


def accept_names(text: str) -> None:
    """Enter all names of directives and roles that the text uses."""
    document = utils.new_document("", _settings())
    for name in _names(_DIRECTIVE, text):
        known, _ = directives.directive(name, en, document)  # type: ignore[arg-type]
        if known is None:
            directives.register_directive(name, Other)
        elif not getattr(known, "is_lenient", False):
            directives.register_directive(name, _lenient(known))
    for name in _names(_ROLE, text):
        role, _ = roles.role(name, en, 0, document.reporter)  # type: ignore[arg-type]
        if role is None:
            roles.register_local_role(name, _role)  # type: ignore[arg-type]


def _settings() -> Any:
    from docutils.frontend import get_default_settings

    settings = get_default_settings(Parser)
    settings.report_level = 5
    settings.warning_stream = False
    return settings


def _names(pattern: re.Pattern[str], text: str) -> list[str]:
    found = dict.fromkeys(
        (match[1] or match[match.lastindex or 1]).lower() for match in pattern.finditer(text)
    )
    return list(found)[:_MAX_NAMES]


class _AnyOption(defaultdict[str, Callable[[str], Any]]):
    """Options of a directive, of which any other is taken as it stands."""

    def __init__(self, known: Mapping[str, Callable[[str], Any]]) -> None:
        super().__init__(lambda: directives.unchanged, known or {"class": directives.unchanged})


def _lenient(known: type[Directive]) -> type[Directive]:
    """Return the directive with Sphinx's options allowed too."""
    options = _AnyOption(known.option_spec or {})
    return type(known.__name__, (known,), {"option_spec": options, "is_lenient": True})


class Other(Directive):
    """A directive that docutils does not know: its argument and its content as text."""

    is_lenient = True
    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = _AnyOption({})

    def run(self) -> list[nodes.Node]:
        name = self.name.lower()
        argument = self.arguments[0].strip() if self.arguments else ""
        if name in _UNSEEN or name.startswith("auto"):
            return []
        if name == "toctree":
            return self._titles()
        if name in _CODE:
            code = "\n".join(self.content)
            return [nodes.literal_block(code, code, classes=["code", argument])] if code else []
        if name in _CHANGES:
            return self._change(_CHANGES[name], argument)
        if name in _SEE_ALSO:
            return [
                nodes.admonition("", *self._line(argument), *self._nested(), classes=["seealso"])
            ]
        if ":" in name or name in _DESCRIPTIONS:
            signatures = filter(None, map(str.strip, argument.split("\n")))
            lines = [nodes.paragraph("", "", nodes.literal(line, line)) for line in signatures]
            return [*lines, *self._nested()]
        if name == "only":
            return self._nested()
        if not argument and not self.content:
            return []
        strong = nodes.strong("", "", *self._inline(argument))
        return [*([nodes.paragraph("", "", strong)] if argument else []), *self._nested()]

    def _nested(self) -> list[nodes.Node]:
        inside = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, inside, match_titles=True)
        return inside.children

    def _inline(self, text: str) -> list[nodes.Node]:
        return self.state.inline_text(text, self.lineno)[0]

    def _line(self, text: str) -> list[nodes.Node]:
        return [nodes.paragraph(text, "", *self._inline(text))] if text else []

    def _change(self, form: str, argument: str) -> list[nodes.Node]:
        version, _, why = argument.partition("\n" if "\n" in argument else " ")
        words = form.format(version) + (":" if why.strip() or self.content else "")
        label = nodes.strong(words, words)
        line = nodes.paragraph("", "", label, nodes.Text(" "), *self._inline(why.strip()))
        inside = self._nested()
        if inside and isinstance(inside[0], nodes.paragraph) and not why.strip():
            line += inside.pop(0).children
        return [line, *inside]

    def _titles(self) -> list[nodes.Node]:
        """Return the titles that a table of contents gives; file names are not seen by readers."""
        found = [match[1] for line in self.content if (match := _TITLED.fullmatch(line.strip()))]
        if not found or "hidden" in self.options:
            return []
        titles = (nodes.list_item("", *self._line(title)) for title in found)
        return [nodes.bullet_list("", *titles)]


def _role(
    name: str,
    rawtext: str,
    text: str,
    lineno: int,
    inliner: Inliner,
    options: Mapping[str, Any] | None = None,
    content: list[str] | None = None,
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Return the text of a role as Sphinx shows it, without what it links to."""
    words = utils.unescape(text)
    kind = name.lower().rpartition(":")[2]
    titled = _TITLED.fullmatch(words)
    if titled:
        return [nodes.inline(words, titled[1])], []
    if kind in ("ref", "numref"):
        return [nodes.inline(words, words, label=words.strip().lower())], []
    if kind == "doc":
        return [nodes.inline(words, words.strip("/").rpartition("/")[2])], []
    if kind == "guilabel":
        return [nodes.inline(words, re.sub("&(?=.)", "", words))], []
    if kind == "menuselection":
        return [nodes.inline(words, words.replace("-->", "‣").replace("&", ""))], []
    if words.startswith("~"):
        words = words.rpartition(".")[2].lstrip("~")
    words = words.removeprefix("!")
    if ":" in name or kind in _CODE_ROLES:
        return [nodes.literal(words, words)], []
    return [nodes.inline(words, words)], []
