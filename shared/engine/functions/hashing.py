"""The 64-bit MurmurHash variant behind `uniqueString`.

Source: `MurmurHash64` of the public Resource Manager libraries (two 32-bit lanes of MurmurHash3, seed 0).
"""

from struct import iter_unpack

_MASK = 0xFFFFFFFF
_C1, _C2 = 0xAB0E9789, 0x239B961B  # 2869860233, 597399067
_ADD1, _ADD2 = 0x561CCD1B, 0x0BCAA747
_MIX1, _MIX2 = 0x85EBCA6B, 0xC2B2AE35


def murmur64(data: bytes) -> int:
    """Return the hash of the bytes as an unsigned 64-bit number."""
    one = two = 0
    whole = len(data) - len(data) % 8
    for first, second in iter_unpack("<II", data[:whole]):  # written out, for texts may be long
        block = first * _C2 & _MASK
        one ^= ((block << 15 | block >> 17) & _MASK) * _C1 & _MASK
        one = (((one << 19 | one >> 13) & _MASK) + two) * 5 + _ADD1 & _MASK
        block = second * _C1 & _MASK
        two ^= ((block << 17 | block >> 15) & _MASK) * _C2 & _MASK
        two = (((two << 13 | two >> 19) & _MASK) + one) * 5 + _ADD2 & _MASK
    # What is left of the last block; missing bytes count as zero.
    first = int.from_bytes(data[whole : whole + 4], "little")
    second = int.from_bytes(data[whole + 4 :], "little")
    one ^= _rotate(first * _C2 & _MASK, 15) * _C1 & _MASK
    two ^= _rotate(second * _C1 & _MASK, 17) * _C2 & _MASK
    one, two = one ^ len(data), two ^ len(data)
    one = (one + two) & _MASK
    two = (two + one) & _MASK
    one, two = _final(one), _final(two)
    one = (one + two) & _MASK
    return ((two + one) & _MASK) << 32 | one


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _MASK


def _final(value: int) -> int:
    value = (value ^ value >> 16) * _MIX1 & _MASK
    value = (value ^ value >> 13) * _MIX2 & _MASK
    return value ^ value >> 16
