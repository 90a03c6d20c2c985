"""PDF files made by hand, for tests of what no writer of PDFs makes."""

from __future__ import annotations

import zlib


def pdf(*pages: bytes, box: str = "0 0 595 842", extra: str = "") -> bytes:
    """Return a PDF with one page a content stream; F1 is Helvetica, F2 bold, F3 Courier."""
    fonts = " ".join(
        f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{face} >>"
        for name, face in (("F1", "Helvetica"), ("F2", "Helvetica-Bold"), ("F3", "Courier"))
    )
    count = len(pages)
    kids = " ".join(f"{3 + 2 * place} 0 R" for place in range(count))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {extra} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {count} /MediaBox [{box}]".encode()
        + f" /Resources << /Font << {fonts} >> >> >>".encode(),
    ]
    for place, content in enumerate(pages):
        packed = zlib.compress(content)
        objects.append(f"<< /Type /Page /Parent 2 0 R /Contents {4 + 2 * place} 0 R >>".encode())
        head = f"<< /Length {len(packed)} /Filter /FlateDecode >> stream\n".encode()
        objects.append(head + packed + b"\nendstream")
    return _file(objects)


def lines(*lines: str, top: int = 760, left: int = 72, font: str = "F1", size: int = 10) -> bytes:
    """Return the content that shows lines of text below one another."""
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    text = f"BT /{font} {size} Tf {size * 1.3:.1f} TL {left} {top} Td {shown} ET\n"
    return text.encode("latin-1")


def _file(objects: list[bytes]) -> bytes:
    parts = [b"%PDF-1.7\n"]
    places = []
    for number, content in enumerate(objects, 1):
        places.append(sum(map(len, parts)) if number < 3 else places[-1] + len(parts[-1]))
        parts.append(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
    start = sum(map(len, parts))
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    parts.append(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    parts.append(f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\n".encode())
    parts.append(f"startxref\n{start}\n%%EOF\n".encode())
    return b"".join(parts)
