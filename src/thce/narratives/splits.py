"""Which wordings and which sentences belong to training, validation and test.

Rows are not split, language is: a held-out phrase never stands in training, alone or inside a longer phrase, and no
sentence of the tests is trained on. Every choice is a hash of the seed and the thing itself, so that adding a code
leaves the choices for the other codes as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from thce.narratives.phrasebook import key
from thce.narratives.wording import Wording
from thce.seeds import derive

SPLITS = ("train", "val", "test")
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PhraseSplit:
    """Wordings per code. `val` and `test` hold at most one phrase per code, `train` all others and the title.

    `without_val` and `without_test` name the codes for which no phrase qualified.
    """

    train: Mapping[Pair, tuple[Wording, ...]]
    val: Mapping[Pair, Wording]
    test: Mapping[Pair, Wording]
    without_val: tuple[Pair, ...]
    without_test: tuple[Pair, ...]


def holds(text_key: str, phrase_key: str) -> bool:
    """Whether the words of a phrase stand in a text, one after the other; both are keys of `phrasebook.key`."""
    return f" {phrase_key} " in f" {text_key} "


class PhraseIndex:
    """Finds which of many phrases stand in a text, by their first word."""

    def __init__(self, phrase_keys: Iterable[str]) -> None:
        self._by_first: dict[str, set[tuple[str, ...]]] = {}
        for phrase_key in phrase_keys:
            words = tuple(phrase_key.split())
            if words:
                self._by_first.setdefault(words[0], set()).add(words)
        self._lengths = {first: sorted({len(words) for words in group}) for first, group in self._by_first.items()}

    def found(self, text_key: str) -> list[str]:
        """The phrases that stand in the text (a key), in order of place, then of length."""
        words = tuple(text_key.split())
        found = []
        for start, word in enumerate(words):
            for length in self._lengths.get(word, ()):
                part = words[start : start + length]
                if len(part) == length and part in self._by_first[word]:
                    found.append(" ".join(part))
        return found


def split_phrases(seed: int, codes: Sequence[Pair], wordings: Sequence[Wording], fixed_texts: Iterable[str]) -> PhraseSplit:
    """Hold out one phrase per code for test and one for validation; all others, and every title, are for training.

    A phrase qualifies when no other phrase of any code contains it, it contains no other phrase of more than one
    word, and it stands in none of `fixed_texts` (the sentences of the grammar). That is stricter than needed between
    phrases that are both held out, and in return no choice depends on another. A code keeps at least two phrases for
    training.
    """
    index = PhraseIndex(wording.key for wording in wordings)
    inside: set[str] = set()
    containing: set[str] = set()
    owners: dict[str, int] = {}
    for wording in wordings:
        owners[wording.key] = owners.get(wording.key, 0) + 1
        for other in index.found(wording.key):
            if other != wording.key:
                inside.add(other)
                if " " in other:
                    containing.add(wording.key)
    for text in fixed_texts:
        inside.update(index.found(key(text)))
    by_code: dict[Pair, list[Wording]] = {pair: [] for pair in codes}
    for wording in wordings:
        by_code[wording.pair].append(wording)
    train: dict[Pair, tuple[Wording, ...]] = {}
    held: dict[str, dict[Pair, Wording]] = {"test": {}, "val": {}}
    for pair, own in by_code.items():
        candidates = [
            wording
            for wording in own
            if wording.kind != "title"
            and wording.key not in inside
            and wording.key not in containing
            and owners[wording.key] == 1
        ]
        candidates.sort(key=lambda wording: derive(seed, "phrase", *pair, wording.key))
        for name in ("test", "val"):
            if candidates and len(own) > 2 + len(held["test"].keys() & {pair}):
                held[name][pair] = candidates.pop(0)
        out = {held[name][pair].key for name in held if pair in held[name]}
        train[pair] = tuple(wording for wording in own if wording.key not in out)
    return PhraseSplit(
        train,
        held["val"],
        held["test"],
        tuple(pair for pair in codes if pair not in held["val"]),
        tuple(pair for pair in codes if pair not in held["test"]),
    )


def split_families(seed: int, names: Sequence[str], test: float = 0.2, val: float = 0.15) -> dict[str, str]:
    """Family -> train, val or test, for the families of one pool; at least one for each where there are three or
    more."""
    ranked = sorted(names, key=lambda name: derive(seed, "family", name))
    count = len(ranked)
    tests = max(1, round(test * count)) if count > 1 else 0
    vals = max(1, round(val * count)) if count > 2 else 0
    return {name: "test" if rank < tests else "val" if rank < tests + vals else "train" for rank, name in enumerate(ranked)}
