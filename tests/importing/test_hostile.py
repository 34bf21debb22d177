"""Hostile and odd files end with a remark, in bounded memory, whatever they are made of."""

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from shared.domain.inventory import RecordError
from shared.importing import buffer
from shared.importing.inventory_reader import read_resources

PIECES = 300
PIECE_BYTES = 1 << 16
RECORD_BYTES = 1 << 20
ID = "/subscriptions/s/resourceGroups/g/providers/A.B/c/d"


def _endless_string() -> Iterator[bytes]:
    yield f'[{{"id": "{ID}", "x": "'.encode()
    yield from (b"a" * PIECE_BYTES for _ in range(PIECES))
    yield b'"}]'


def _endless_comment() -> Iterator[bytes]:
    yield b"[ /* "
    yield from (b"a" * PIECE_BYTES for _ in range(PIECES))
    yield b" */]"


def _endless_nesting() -> Iterator[bytes]:
    yield from (b'{"a":[' * (PIECE_BYTES // 6) for _ in range(PIECES))


def _nothing_but_nul() -> Iterator[bytes]:
    yield from (bytes(PIECE_BYTES) for _ in range(PIECES))


def _nul_behind_a_record() -> Iterator[bytes]:
    yield f'{{"id": "{ID}", "type": "A.B/c"}}\n'.encode()
    yield from (bytes(PIECE_BYTES) for _ in range(PIECES))


def _one_line_of_words() -> Iterator[bytes]:
    yield from (b"word " * (PIECE_BYTES // 5) for _ in range(PIECES))


def _wide() -> Iterator[bytes]:
    yield "\ufeff[".encode("utf-32-le")
    yield from ("\U0001f642,".encode("utf-32-le") * (PIECE_BYTES // 8) for _ in range(10))
    yield "]".encode("utf-32-le")


@pytest.mark.parametrize(
    "pieces",
    [
        _endless_string,
        _endless_comment,
        _endless_nesting,
        _nothing_but_nul,
        _nul_behind_a_record,
        _one_line_of_words,
        _wide,
    ],
)
def test_memory_is_bounded_by_a_record(pieces: Callable[[], Iterator[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "RECORD_BYTES", RECORD_BYTES)
    bad = 0
    tracemalloc.start()
    try:
        for each in read_resources(pieces()):
            bad += isinstance(each, RecordError)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert bad >= 1
    # The buffer doubles, and is copied once while it does.
    assert peak < 8 * RECORD_BYTES
