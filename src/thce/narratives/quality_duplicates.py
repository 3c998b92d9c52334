"""Near duplicates by MinHash, each candidate confirmed by the exact overlap of word triples."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from datasketch import MinHash, MinHashLSH

PERMUTATIONS = 128
WORDS = 3  # words in a shingle


class Near(NamedTuple):
    """The number of an indexed text, and the share of word triples it has in common with the one asked for."""

    number: int
    overlap: float


class Hashed(NamedTuple):
    """A text (as its `phrasebook.key`) with its word triples and their MinHash."""

    text: str
    shingles: frozenset[str]
    minhash: MinHash


def shingles(text_key: str) -> frozenset[str]:
    """The word triples of a text; a text of fewer words is one shingle."""
    words = text_key.split()
    return frozenset(" ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1)))


def hashed(text_keys: Iterable[str]) -> Iterator[Hashed]:
    """The texts, one after the other, with what is needed to compare them; the same text always has the same hash."""
    empty = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=zlib.crc32, scheme="affine32")
    for text in text_keys:
        minhash, own = empty.copy(), shingles(text)
        minhash.update_batch([part.encode() for part in own])
        yield Hashed(text, own, minhash)


class Index:
    """Texts by number, and the nearest of them to another one.

    Only the first of a cluster of near duplicates need be added: so the work stays linear where thousands are alike.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._lsh = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._texts: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def add(self, number: int, item: Hashed, group: str | None = None) -> None:
        """Make a text findable; texts of one `group` are alike on purpose and not each other's near duplicates."""
        self._lsh.insert(number, item.minhash)
        self._texts[number] = item.text
        if group is not None:
            self._groups[number] = group

    def text(self, number: int) -> str:
        """The text that was added under a number."""
        return self._texts[number]

    def nearest(self, item: Hashed, group: str | None = None) -> Near | None:
        """The text with most word triples in common, at least `threshold` of them; the earliest of several."""
        best: Near | None = None
        for number in sorted(self._lsh.query(item.minhash)):
            if group is not None and self._groups.get(number) == group:
                continue
            theirs = shingles(self._texts[number])
            shared = len(item.shingles & theirs)
            overlap = shared / (len(item.shingles) + len(theirs) - shared)
            if overlap >= self.threshold and (best is None or overlap > best.overlap):
                best = Near(number, overlap)
        return best
