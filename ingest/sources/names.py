"""Names of files: which are no documents, and how a name becomes part of an id."""

from __future__ import annotations

import re
from collections.abc import Set

_DEPENDENCY_FOLDERS = {
    *("node_modules", "bower_components", "jspm_packages"),
    *("__pycache__", "__pypackages__", "site-packages", "CVS", "__MACOSX"),
}
_KEY_FILE = re.compile(
    r"id_(rsa|dsa|ecdsa|ed25519)\b|.*\.(pem|key|p12|pfx|ppk|jks|keystore|kdbx)$", re.IGNORECASE
)
# Bytes of a name that are no UTF-8 (as Python holds them), control characters, bidi controls.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def why_no_folder(name: str) -> str:
    """Return why a folder is passed over, in words that follow a number; "" if it is not."""
    if name.startswith("."):
        return "hidden"
    return f"{name} folders" if name in _DEPENDENCY_FOLDERS else ""


def why_no_document(name: str, endings: Set[str]) -> str:
    """Return why a file of this name is passed over, in words that follow a number, or ""."""
    if name.startswith("."):
        return "hidden"
    if _KEY_FILE.match(name):
        return "private keys"
    ending = ending_of(name)
    if ending in endings:
        return ""
    return f"{ending} files" if ending else "files without ending"


def ending_of(name: str) -> str:
    """Return the ending of a name in lower case, with its dot."""
    dot = name.rfind(".")
    is_inside = dot > name.rfind("/") + 1 and dot < len(name) - 1
    return name[dot:].lower() if is_inside else ""


def printable(name: str) -> str:
    """Return the name with what cannot be shown or stored written as %XX."""
    return _UNPRINTABLE.sub(_escaped, name)


def _escaped(match: re.Match[str]) -> str:
    is_byte = "\udc80" <= match[0] <= "\udcff"
    data = match[0].encode("utf-8", "surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in data)
