"""Decode what people upload to plain UTF-8: gzip or not, UTF-16 and UTF-32 too."""

import codecs
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from shared.domain import json_text
from shared.domain.error import InvalidInput, TooLarge

CHUNK_BYTES = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
DECOMPRESSED_BYTES = 8 << 30
"""Bytes that one file may hold once decompressed."""
COMPRESSION_RATIO = 250
"""How many times larger than its compressed form a file may be: exported inventories reach 60, bombs 1,000."""
_UNCHECKED_BYTES = 16 << 20
_FIRST_BYTES = frozenset({bytes([each]) for each in b"[{/ \t\r\n\xff\xfe"})
"""What JSON text begins with, but for its zeros: a bracket, a comment, space or a byte order mark."""

ByteSource = BinaryIO | Iterable[bytes]


def decompress(source: ByteSource, *, largest: int = DECOMPRESSED_BYTES) -> Iterator[bytes]:
    """Yield the UTF-8 text in pieces, in bounded memory.

    Raises:
        TooLarge: more than `largest` bytes, or a gzip file that grows as no inventory does.
        InvalidInput: the compressed data is broken or ends too early; what came before was given.
    """
    raw = _pieces(source)
    # The size is bounded twice: of what gzip yields, and of UTF-8, which UTF-16 can make longer.
    first = _first(raw, 4)
    plain = _gunzip(first, raw, largest) if first.startswith(GZIP_MAGIC) else _joined(first, raw)
    yield from _bounded(_utf8(plain), largest)


def _pieces(source: ByteSource) -> Iterator[bytes]:
    read = getattr(source, "read", None)
    if read is None:
        yield from source
        return
    while piece := read(CHUNK_BYTES):
        yield piece


def _first(pieces: Iterator[bytes], size: int) -> bytes:
    """Return the beginning: at least `size` bytes, when there are that many."""
    found = b""
    while len(found) < size and (piece := next(pieces, None)) is not None:
        found += piece
    return found


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _gunzip(first: bytes, rest: Iterator[bytes], largest: int) -> Iterator[bytes]:
    """Yield the members of a gzip file one after the other (RFC 1952, 2.2)."""
    member = zlib.decompressobj(wbits=31)
    taken = given = 0
    for piece in _joined(first, rest):
        taken += len(piece)
        # A chunk at a time: a decompression bomb is noticed before it fills the memory.
        waiting = piece
        while waiting:
            # Joined gzip files are one gzip file: after the end of a member the next one begins.
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            try:
                plain = member.decompress(waiting, CHUNK_BYTES)
            except zlib.error as error:
                raise InvalidInput(f"the gzip data is broken within the first {taken} bytes: {error}") from None
            given += len(plain)
            _check_growth(taken, given, largest)
            yield plain
            waiting = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise InvalidInput(f"the gzip data ends too early, after {taken} bytes: copy the file again")


def _check_growth(taken: int, given: int, largest: int) -> None:
    # Small files of blanks compress well beyond any ratio, and do no harm.
    if given > _UNCHECKED_BYTES and given > COMPRESSION_RATIO * taken:
        raise TooLarge(
            f"the file grows more than {COMPRESSION_RATIO} times when decompressed: a bomb, not an inventory"
        )
    if given > largest:
        raise TooLarge(f"the file holds more than {largest} bytes when decompressed: split it")


def _utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the text as it is, except for UTF-16, which PowerShell writes, and UTF-32."""
    first = _first(pieces, 4)
    encoding = json_text.encoding_of(first)
    # Zeros alone tell nothing of bytes that are no text.
    if not encoding.startswith("utf-8") and first.strip(b"\0")[:1] in _FIRST_BYTES:
        decode = codecs.getincrementaldecoder(encoding)(errors="replace").decode
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
