"""Which of many sets are nearly alike, without comparing each with each.

MinHash (Broder 1997, doi 10.1109/SEQUEN.1997.666900) with bands: sets whose signatures agree in a
band are candidates. Near-linear: in a band that very many share, each is compared with its
neighbours only.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

ROWS = 3  # of a band: of sets that share 0.7, sixteen such bands miss one in a thousand
BANDS = 16
SIZE = ROWS * BANDS
_NEIGHBOURS = 4
_AT_ONCE = 200_000  # pairs that are compared at a time

Hashes = NDArray[np.uint64]
Signature = NDArray[np.uint32]

_RANDOM = np.random.default_rng(20_260_304)
_FACTORS = _RANDOM.integers(1, 2**63, SIZE, dtype=np.uint64) | np.uint64(1)
_SUMMANDS = _RANDOM.integers(0, 2**63, SIZE, dtype=np.uint64)
_HALF = np.uint64(32)
_MIX = np.uint64(0x9E3779B97F4A7C15)


def hashes(words: Iterable[str]) -> Hashes:
    """Return a number for each word, the same in every run."""
    return np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint64)


def shingles(words: Hashes, length: int) -> Hashes:
    """Return a number for each run of words; of a shorter text one for the whole."""
    if len(words) <= length:
        length = max(1, len(words))
    combined = np.zeros(len(words) - length + 1, dtype=np.uint64)
    for at in range(length):
        part = words[at : at + len(combined)]
        combined = combined * _MIX + part
    return np.unique(combined)


def signature(numbers: Hashes) -> Signature:
    """Return the MinHash signature of a set that is not empty."""
    mixed: Hashes = (numbers[:, None] * _FACTORS + _SUMMANDS) >> _HALF
    least: Signature = mixed.min(axis=0).astype(np.uint32)
    return least


def alike(table: NDArray[np.uint32], least: float) -> NDArray[np.int64]:
    """Return the pairs of rows, the lower first, whose sets have about `least` in common or more.

    The table has a signature in each row; the share is that of the union of both sets.
    """
    if len(table) < 2:
        return np.empty((0, 2), dtype=np.int64)
    bands = (table[:, at : at + ROWS] for at in range(0, SIZE, ROWS))
    numbers = np.unique(np.concatenate([_same(_numbers(band)) for band in bands]))
    kept = []
    for some in np.array_split(numbers, len(numbers) // _AT_ONCE + 1):
        part = np.stack(np.divmod(some, len(table)), axis=1)
        kept.append(part[np.mean(table[part[:, 0]] == table[part[:, 1]], axis=1) >= least])
    return np.concatenate(kept)


def _numbers(band: Signature) -> Hashes:
    """Return one number for each row."""
    combined = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        combined = combined * _MIX + column
    return combined


def _same(numbers: Hashes) -> NDArray[np.int64]:
    """Return the places of equal numbers as pairs, each as one number: lower * count + higher."""
    order = np.argsort(numbers, kind="stable")
    ranked = numbers[order]
    found = []
    for step in range(1, _NEIGHBOURS + 1):
        at = np.flatnonzero(ranked[step:] == ranked[:-step])
        found.append(order[at] * len(numbers) + order[at + step])  # the order is stable
    return np.concatenate(found)
