"""ZIP archives from strangers: looked at before anything is unpacked, and bounded while it is."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import IO, Any

from ingest.errors import ParseFailed

_MAX_MEMBERS = 10_000
_ENTRY = b"PK\x01\x02"  # begins what the directory says of a member
_MAX_ENTRIES = 100_000  # with those of archives inside that are not packed
_MAX_UNPACKED = 200 * 1024 * 1024
_MAX_RATIO = 100  # unpacked to packed, of the whole archive
_HARMLESS = 1024 * 1024  # unpacked bytes up to which no ratio matters
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_IS_ENCRYPTED = 0x1  # flag of a member

# `struct.error` and `zlib.error` derive from `Exception` alone.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, OverflowError, ValueError),
)


def open_archive(data: bytes) -> zipfile.ZipFile:
    """Return the archive; its members are read in memory, and never past their declared sizes.

    Raises:
        ParseFailed: it is no ZIP archive, encrypted, or larger than a document ever is. Reading a
            damaged member raises it too.
    """
    # `zipfile` makes objects of the whole directory first, of ten times its size.
    if data.count(_ENTRY) > _MAX_ENTRIES:
        raise ParseFailed(f"a ZIP archive of more than {_MAX_MEMBERS:,} files")
    try:
        archive = _Archive(io.BytesIO(data))
    except _DAMAGE as error:
        raise ParseFailed(f"not a ZIP archive, or a damaged one ({error})") from error
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise ParseFailed(f"a ZIP archive of more than {_MAX_MEMBERS:,} files")
    if any(member.flag_bits & _IS_ENCRYPTED for member in members):
        raise ParseFailed("encrypted; save it without a password")
    if any(member.compress_type not in _METHODS for member in members):
        raise ParseFailed("a ZIP archive that is packed in an unusual way; pack it with Deflate")
    unpacked = sum(member.file_size for member in members)
    if unpacked > min(_MAX_UNPACKED, max(_MAX_RATIO * len(data), _HARMLESS)):
        raise ParseFailed(
            f"a ZIP archive that unpacks to {unpacked:,} bytes, which is more than"
            f" {_MAX_UNPACKED // 1024**2} MB or {_MAX_RATIO} times its size"
        )
    return archive


class _Archive(zipfile.ZipFile):
    """Opens members for reading only, each as a stream that asks for no more than it gives."""

    def open(self, name: str | zipfile.ZipInfo, *args: Any, **kwargs: Any) -> IO[bytes]:
        try:
            return io.BufferedReader(_Member(super().open(name)))
        except _DAMAGE as error:
            raise ParseFailed(f"a damaged ZIP archive ({error})") from error


class _Member(io.RawIOBase):
    """One member as it is unpacked.

    `zipfile` reads a member without a size in one piece, as large as that may really be, and only
    then cuts it down to the size that the archive declares.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._packed.read(len(buffer))
        except _DAMAGE as error:
            raise ParseFailed(f"a damaged ZIP archive ({error})") from error
        buffer[: len(data)] = data
        return len(data)
