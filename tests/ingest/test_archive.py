"""Archives that would fill the memory are refused, and those that lie about it are cut short."""

from __future__ import annotations

import io
import random
import time
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import ParseFailed
from ingest.parsers.archive import open_archive

MEGABYTE = 1024 * 1024


def packed(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_members_are_read_as_they_were_packed() -> None:
    archive = open_archive(packed(a=b"one", b=b"two" * 20))
    assert archive.namelist() == ["a", "b"]
    assert archive.read("b") == b"two" * 20
    with archive.open("a") as member:
        assert [member.read(2), member.read()] == [b"on", b"e"]


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    data = packed(bomb=bytes(250 * MEGABYTE), ballast=_noise(3 * MEGABYTE))
    tracemalloc.start()
    with pytest.raises(ParseFailed, match="200 MB"):
        open_archive(data)
    assert tracemalloc.get_traced_memory()[1] < 10 * MEGABYTE
    tracemalloc.stop()


def test_an_archive_that_is_mostly_air_is_refused() -> None:
    with pytest.raises(ParseFailed, match="100 times its size"):
        open_archive(packed(air=bytes(5 * MEGABYTE)))


def test_an_archive_of_very_many_members_is_refused() -> None:
    with pytest.raises(ParseFailed, match="more than 10,000 files"):
        open_archive(packed(**{str(number): b"" for number in range(10_001)}))


def test_a_member_that_lies_about_its_size_is_cut_short() -> None:
    declared = (5 * MEGABYTE).to_bytes(4, "little")
    honest = packed(a=bytes(300 * MEGABYTE), ballast=_noise(3 * MEGABYTE))
    data = honest.replace((300 * MEGABYTE).to_bytes(4, "little"), declared)
    data = data.replace(
        zlib.crc32(bytes(300 * MEGABYTE)).to_bytes(4, "little"),
        zlib.crc32(bytes(5 * MEGABYTE)).to_bytes(4, "little"),
    )
    archive = open_archive(data)
    tracemalloc.start()
    assert len(archive.read("a")) == 5 * MEGABYTE
    assert tracemalloc.get_traced_memory()[1] < 20 * MEGABYTE
    tracemalloc.stop()


def test_a_damaged_member_is_a_failure_of_the_document() -> None:
    data = bytearray(packed(a=_noise(5000)))
    data[1000:1100] = bytes(100)
    with pytest.raises(ParseFailed, match="damaged"):
        open_archive(bytes(data)).read("a")


def test_an_encrypted_member_is_named_as_the_reason() -> None:
    data = bytearray(packed(a=b"text"))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ParseFailed, match="encrypted; save it without a password"):
        open_archive(bytes(data))


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_an_archive_or_a_failure(noise: bytes, place: int) -> None:
    whole = packed(a=b"some text " * 20, b=b"more")
    for data in (noise, whole[:place], whole[:place] + noise + whole[place:]):
        try:
            archive = open_archive(data)
            for name in archive.namelist():
                archive.read(name)
        except ParseFailed:
            pass


def _noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def test_a_directory_of_a_million_files_is_refused_before_it_is_read() -> None:
    entry = b"PK\x01\x02" + bytes(24) + b"\x01" + bytes(17) + b"a"
    directory = entry * 1_000_000
    end = b"PK\x05\x06" + bytes(8) + len(directory).to_bytes(4, "little") + bytes(6)
    began = time.process_time()
    with pytest.raises(ParseFailed, match="more than 10,000 files"):
        open_archive(directory + end)
    assert time.process_time() - began < 1
