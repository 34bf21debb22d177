"""Plain UTF-8 out of what people upload: gzip or not, UTF-16 too."""

import codecs
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from shared.domain.error import InvalidInput, TooLarge

CHUNK = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
LARGEST = 8 << 30
"""Bytes that one file may hold once decompressed."""
LARGEST_RATIO = 250
"""How many times larger than its compressed form a file may be: exported inventories reach 60, bombs 1,000."""
_RATIO_FREE = 16 << 20

Source = BinaryIO | Iterable[bytes]


def chunks(source: Source, *, largest: int = LARGEST) -> Iterator[bytes]:
    """UTF-8 text in pieces, in bounded memory.

    Raises:
        TooLarge: more than `largest` bytes, or a gzip file that grows as no inventory does.
        InvalidInput: the compressed data is broken or ends too early; what came before was given.
    """
    raw = _pieces(source)
    first = _first(raw, 4)
    plain = _gunzip(first, raw, largest) if first.startswith(GZIP_MAGIC) else _joined(first, raw)
    yield from _bounded(_utf8(plain), largest)


def _pieces(source: Source) -> Iterator[bytes]:
    read = getattr(source, "read", None)
    if read is None:
        yield from source
        return
    while piece := read(CHUNK):
        yield piece


def _first(pieces: Iterator[bytes], size: int) -> bytes:
    """The beginning: at least `size` bytes, when there are that many."""
    found = b""
    while len(found) < size and (piece := next(pieces, None)) is not None:
        found += piece
    return found


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _gunzip(first: bytes, rest: Iterator[bytes], largest: int) -> Iterator[bytes]:
    """Members of a gzip file one after the other (RFC 1952, 2.2)."""
    member = zlib.decompressobj(wbits=31)
    taken = given = 0
    for piece in _joined(first, rest):
        taken += len(piece)
        waiting = piece
        while waiting:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            plain = _inflate(member, waiting, taken)
            given += len(plain)
            _check_growth(taken, given, largest)
            yield plain
            waiting = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise InvalidInput(f"the gzip data ends too early, after {taken} bytes: copy the file again")


def _inflate(member: "zlib._Decompress", piece: bytes, taken: int) -> bytes:
    try:
        return member.decompress(piece, CHUNK)
    except zlib.error as error:
        raise InvalidInput(f"the gzip data is broken within the first {taken} bytes: {error}") from None


def _check_growth(taken: int, given: int, largest: int) -> None:
    if given > _RATIO_FREE and given > LARGEST_RATIO * taken:
        raise TooLarge(f"the file grows more than {LARGEST_RATIO} times when decompressed: a bomb, not an inventory")
    if given > largest:
        raise TooLarge(f"the file holds more than {largest} bytes when decompressed: split it")


def _utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """As it is, except for UTF-16, which PowerShell writes."""
    first = _first(pieces, 3)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        decode = codecs.getincrementaldecoder("utf-16")(errors="replace").decode
        yield from (decode(piece).encode("utf-8", "replace") for piece in _joined(first, pieces))
        return
    yield from _joined(first, pieces)


def _bounded(pieces: Iterator[bytes], largest: int) -> Iterator[bytes]:
    given = 0
    for piece in pieces:
        given += len(piece)
        if given > largest:
            raise TooLarge(f"the file holds more than {largest} bytes: split it")
        yield piece
