"""Web addresses in one plain form, so that what is checked is what is fetched."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import idna

_PORTS = {"http": 80, "https": 443}
_LONGEST = 2_000  # characters; browsers and servers agree up to here
# Parsers read these differently: white space and controls, and the backslash that some take for a
# slash.
_DOUBTFUL = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_ESCAPE = re.compile("%([0-9a-fA-F]{2})")
_UNRESERVED = re.compile("[A-Za-z0-9._~-]")
_LOGIN = re.compile(r"//[^/\s]*@")
_PATH_SAFE = "/:@!$&'()*+,;=~%"
_QUERY_SAFE = _PATH_SAFE + "?[]|"


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where something is on the web: an address without login and fragment, in its plain form."""

    scheme: str  # http or https
    host: str  # ASCII, lower case; an IPv6 address without brackets
    port: int
    path: str  # with its leading slash
    query: str = ""

    @classmethod
    def of(cls, text: str, base: str = "") -> WebAddress:
        """Return the address that a text is, seen from a page at `base`.

        Raises:
            ValueError: it is no address that can be fetched; the message says why.
        """
        text = text.strip()
        if _DOUBTFUL.search(text):
            raise ValueError("it holds a space, a backslash or a control character")
        parts = urlsplit(urljoin(base, text))
        if len(parts.geturl()) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST:,} characters")
        if parts.scheme not in _PORTS:
            raise ValueError("only http and https are fetched")
        if parts.username is not None or parts.password is not None:
            raise ValueError("it holds a login")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        return cls(
            parts.scheme,
            _plain_host(parts.hostname or ""),
            port,
            _without_dots(_plain_escapes(parts.path, _PATH_SAFE)) or "/",
            _plain_escapes(parts.query, _QUERY_SAFE),
        )

    @property
    def authority(self) -> str:
        """Return host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Return the address of the site, without a slash at its end."""
        return f"{self.scheme}://{self.authority}"

    @property
    def target(self) -> str:
        """Return what is asked of the host: path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def url(self) -> str:
        """Return the whole address."""
        return self.origin + self.target


def _plain_host(name: str) -> str:
    """Return a host's name in ASCII; an IPv4 address in any but its usual form is refused."""
    if ":" in name and "%" not in name:
        return IPv6Address(name).compressed
    host = unicodedata.normalize("NFKC", name).replace("。", ".").removesuffix(".").lower()
    if not host.isascii():
        host = _to_ascii(host)
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return str(IPv4Address(host))
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise ValueError("its host is no name of a host")
    return host


def _to_ascii(host: str) -> str:
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"its host is no name of a host ({error})") from error


def _plain_escapes(text: str, safe: str) -> str:
    """Return the text with what must be escaped escaped, and nothing that need not be."""
    escaped = quote(re.sub("%(?![0-9a-fA-F]{2})", "%25", text), safe=safe)
    return _ESCAPE.sub(_plain_escape, escaped)


def _plain_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def _without_dots(path: str) -> str:
    """Return the path without `.` and `..`, as RFC 3986, 5.2.4 has it."""
    kept: list[str] = []
    parts = path.split("/")[1:]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts and parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def without_login(text: str) -> str:
    """Return a text, such as an address or a message, with the logins of its addresses masked."""
    return _LOGIN.sub("//…@", text)
