"""Proof that the tests are about language the model was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex, PhraseSplit

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contamination:
    """How often a held-out thing stands where it must not; `examples` names up to ten.

    `text`: narratives that are the same, without case and punctuation, in two files; `phrase`: phrases held out for
    test that stand in training or validation narratives, and phrases held out for validation that stand in training;
    `template`: pieces of the grammar used on two sides of the split.
    """

    text: int = 0
    phrase: int = 0
    template: int = 0
    examples: tuple[str, ...] = field(default=())

    @property
    def total(self) -> int:
        """All that was found."""
        return self.text + self.phrase + self.template

    def as_dict(self) -> dict[str, Any]:
        """The counts and examples as plain values for JSON."""
        return asdict(self) | {"examples": list(self.examples)}


def check(rows: Mapping[str, Sequence[Row]], phrases: PhraseSplit) -> Contamination:
    """Look through all files; a file is on the side that its name begins with (`train`, `val`, `test_...`)."""
    examples: list[str] = []
    text = _by_text(rows, examples)
    phrase = _by_phrase(rows, phrases, examples)
    template = _by_template(rows, examples)
    return Contamination(text, phrase, template, tuple(examples[:10]))


def _by_text(rows: Mapping[str, Sequence[Row]], examples: list[str]) -> int:
    first: dict[str, str] = {}
    count = 0
    for name, group in rows.items():
        for row in group:
            text = key(row["narrative"])
            if first.setdefault(text, name) != name:
                count += 1
                examples.append(f"text: {row['id']} stands also in {first[text]}")
    return count


def _by_phrase(rows: Mapping[str, Sequence[Row]], phrases: PhraseSplit, examples: list[str]) -> int:
    tests = [words.key for words in phrases.test.values()]
    vals = [words.key for words in phrases.val.values()]
    hidden = {"train": PhraseIndex([*tests, *vals]), "val": PhraseIndex(tests)}
    count = 0
    for name, group in rows.items():
        index = hidden.get(name.split("_", 1)[0])
        if index is None:
            continue
        for row in group:
            for found in index.found(key(row["narrative"])):
                count += 1
                examples.append(f"phrase: `{found}` stands in {row['id']}")
    return count


def _by_template(rows: Mapping[str, Sequence[Row]], examples: list[str]) -> int:
    sides: dict[str, set[str]] = {}
    for name, group in rows.items():
        side = name.split("_", 1)[0]
        for row in group:
            for piece in row["template"].split("+"):
                sides.setdefault(piece, set()).add(side)
    mixed = sorted(piece for piece, where in sides.items() if len(where) > 1)
    examples.extend(f"template: {piece} is used in {', '.join(sorted(sides[piece]))}" for piece in mixed)
    return len(mixed)
