"""Office files made of their XML, for what no library writes, and ways to damage them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    f' xmlns:r="{_TYPES}"'
)
_CORE = (
    'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
)
ENCRYPTED = (
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")
)


def archive(members: Mapping[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return file.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def relationships(**targets: str) -> str:
    """Return the part that tells where the id and kind `key` leads; addresses are external."""
    entries = "".join(
        f'<Relationship Id="{key}" Type="{_TYPES}/{key}" Target="{target}" TargetMode="{mode}"/>'
        for key, target in targets.items()
        for mode in ["External" if ":" in target else "Internal"]
    )
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{space}">{entries}</Relationships>'


def word(body: str, core: str = "", prolog: str = "", **parts: str) -> bytes:
    """Return a Word file with this XML in its body, and these parts by their kind."""
    named = {
        f"word/{kind}.xml": f"<w:{kind} {_WORD}>{xml}</w:{kind}>" for kind, xml in parts.items()
    }
    return archive(
        {
            "_rels/.rels": relationships(officeDocument="word/document.xml").replace(
                "</Relationships>",
                '<Relationship Id="c" Type="x/metadata/core-properties" Target="core.xml"/>'
                "</Relationships>",
            ),
            "core.xml": f"<cp:coreProperties {_CORE}>{core}</cp:coreProperties>",
            "word/document.xml": prolog
            + f"<w:document {_WORD}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": relationships(
                **{kind: f"{kind}.xml" for kind in parts}, link="https://x.example/a", js="evil:x"
            ),
            **named,
        }
    )


def p(text: str, properties: str = "", run: str = "") -> str:
    """Return a paragraph of Word."""
    run = f"<w:rPr>{run}</w:rPr>" if run else ""
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r>{run}<w:t>{text}</w:t></w:r></w:p>"
