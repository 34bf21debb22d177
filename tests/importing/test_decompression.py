"""Compressed inventories are read within bounds."""

import gzip
import io
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.domain import json_text
from shared.domain.error import InvalidInput, TooLarge
from shared.importing.decompression import decompress


def _pieces(data: bytes, size: int = 7) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _is_plain(data: bytes) -> bool:
    return not data.startswith(b"\x1f\x8b") and json_text.encoding_of(data[:4]).startswith("utf-8")


@settings(deadline=None)
@given(st.binary(max_size=2000).filter(_is_plain))
def test_plain_bytes_pass_unchanged(data: bytes) -> None:
    assert b"".join(decompress(io.BytesIO(data))) == data
    assert b"".join(decompress(_pieces(data))) == data


@settings(deadline=None)
@given(st.lists(st.text().map(str.encode), min_size=1, max_size=3))
def test_gzip_members_are_joined(parts: list[bytes]) -> None:
    packed = b"".join(gzip.compress(part) for part in parts)
    assume(_is_plain(b"".join(parts)))
    assert b"".join(decompress(_pieces(packed))) == b"".join(parts)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_becomes_utf_8(encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    data = (mark + '[{"id": "é𝄞"}]').encode(encoding)
    assert b"".join(decompress(_pieces(data))).decode() == '[{"id": "é𝄞"}]'


def test_a_bomb_is_refused_early() -> None:
    bomb = gzip.compress(bytes(60 << 20), compresslevel=9)
    found: list[int] = []
    with pytest.raises(TooLarge, match="bomb"):
        found.extend(len(piece) for piece in decompress(io.BytesIO(bomb)))
    assert sum(found) < 40 << 20


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_that_is_too_large_is_refused(pack: type[bytes]) -> None:
    with pytest.raises(TooLarge, match="more than 1000 bytes"):
        list(decompress(io.BytesIO(pack(b"[" * 2000)), largest=1000))


@pytest.mark.parametrize("cut", [5, 12, -1, -9])
def test_gzip_that_ends_early_says_so_after_what_there_was(cut: int) -> None:
    data = bytes(range(256)) * 400
    found: list[bytes] = []
    with pytest.raises(InvalidInput, match="too early"):
        found.extend(decompress(_pieces(gzip.compress(data)[:cut], 50)))
    assert data.startswith(b"".join(found))


def test_broken_gzip_says_so() -> None:
    packed = bytearray(gzip.compress(zlib.compress(bytes(range(256)) * 40)))
    packed[40:44] = b"\xff" * 4
    with pytest.raises(InvalidInput, match="broken"):
        list(decompress(io.BytesIO(bytes(packed))))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_wide_encodings_become_utf_8(encoding: str, mark: str) -> None:
    text = '[{"name": "sëct-日本-🙂"}]'
    raw = (mark + text).encode(encoding)
    for size in (1, 3, 1000):
        pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        assert b"".join(decompress(pieces)).decode() == text
    assert b"".join(decompress(iter([gzip.compress(raw)]))).decode() == text


def test_what_a_wide_encoding_cannot_hold_costs_a_character() -> None:
    assert "\ufffd" in b"".join(decompress([b"\xff\xfe\x00\x00", b"[\x00\x00\x00", b"\xff\xff\xff\xff"])).decode()
