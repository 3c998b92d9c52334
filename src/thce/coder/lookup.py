"""Known wordings in a text: which codes it names outright, whether it asserts or denies them, and how far that is to
be trusted.

The wordings are those of training: titles, inclusion terms, phrases, evidence. Trust is measured on validation, where
half of the texts use wordings that are not known and a known one stands in them by chance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thce.coder import deciding, forms
from thce.coder.trie import Labels
from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.files import read_json, write_json
from thce.narratives.conflicts import related_symptom
from thce.narratives.phrasebook import WORD, key
from thce.reasoning import words
from thce.reasoning.claims import allows

FILE = "lookup.json"
PHRASE, BESIDE, ALONE, DENIED, NOTHING = "phrase", "beside", "alone", "denied", "nothing"
"""What was found: several words; one word beside other wordings; one word and nothing else; only denied wordings; no
wording at all."""

SURE = 0.5
"""Trust from which a wording's code is answered beside others."""

Floats = NDArray[np.float64]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Find:
    """A known wording in a text, `text[start:end]`, and the code it says. `kind`: `phrase`, `beside`, `alone` or `denied`."""

    code_type: str
    code: str
    start: int
    end: int
    kind: str

    @property
    def pair(self) -> Pair:
        """(code type, code)."""
        return self.code_type, self.code


class Finds(list[Find]):
    """The wordings found in a text, in its order, and what the text states on the facets that set codes apart."""

    def __init__(self, found: Iterable[Find], said: deciding.Flags, book: CodeBook) -> None:
        super().__init__(found)
        self.said = said
        self.book = book

    def deciding(self, labels: Sequence[Pair]) -> dict[str, Floats]:
        """Scores of the labels from the words that decide between neighbours (`coder.deciding`)."""
        return deciding.scores(self.said, labels, self.book)


class LookUp:
    """`wordings`: a wording's key -> its code, the most frequent one where several share it. `trust`: kind -> share of
    validation cases in which it was right."""

    def __init__(self, wordings: Mapping[str, Pair], trust: Mapping[str, float]) -> None:
        self.wordings = dict(wordings)
        self.trust = dict(trust)
        self._spelled: dict[str, Pair | None] = {}  # wordings with abbreviations, written out; None where codes share one
        for name in forms.abbreviated(self.wordings):
            whole, pair = forms.spelled(name), self.wordings[name]
            self._spelled[whole] = pair if self._spelled.get(whole, pair) == pair else None
        self._reach: dict[str, int] = {}  # by its first word, the words of the longest wording
        for name in chain(self.wordings, self._spelled):
            first, size = name.partition(" ")[0], name.count(" ") + 1
            if size > self._reach.get(first, 0):
                self._reach[first] = size
        self._longest = max(self._reach.values(), default=0)

    def _code(self, name: str, whole: str) -> Pair | None:
        """The code of a wording, given as its key and as that with abbreviations written out."""
        return self.wordings.get(name) or self.wordings.get(whole) or self._spelled.get(whole)

    def find(self, text: str, book: CodeBook) -> Finds:
        """The wordings of a text that do not overlap, longest first where they would, in the order of the text.

        A symptom that one sentence joins to a disease it belongs to is left out (Guidelines I.B.5).
        """
        found = self.said(text, book)
        found = [find for find in found if not _belongs(find, found, text)]
        several = len({find.pair for find in found if find.kind != DENIED}) > 1
        found = [replace(find, kind=BESIDE) if several and find.kind == ALONE else find for find in found]
        return Finds(found, deciding.stated(text), book)

    def said(self, text: str, book: CodeBook) -> list[Find]:
        """As `find`, but symptoms joined to a disease too, and `beside` not told from `alone`.

        A wording is denied when the sentence around it says so (words of the other wordings do not count), unless the
        code's own title speaks of that.
        """
        spans = self._spans(text)
        found = []
        for start, end, pair, size in spans:
            rest = words.spare(text, [other[:2] for other in spans if other[0] != start])
            entry = book.find(*pair)
            # "without" in a title denies something else: "no gallstones" denies "gallstones without obstruction" too
            title = entry.title.lower().replace("without", "") if entry else ""
            reasons = words.denials(rest, start, end)
            if pair[0] == "ICD10":
                reasons.append(words.opens_with_denial(text[start:end]))
            denied = any(reason and not allows(title, reason) for reason in reasons)
            found.append(Find(*pair, start, end, DENIED if denied else PHRASE if size > 1 else ALONE))
        return found

    def _spans(self, text: str) -> list[tuple[int, int, Pair, int]]:
        found = [(match[0].casefold(), *match.span()) for match in WORD.finditer(text)]
        names = [name for name, _, _ in found]
        whole = [forms.spelled(name) for name in names]
        candidates = []
        for first in range(len(names)):
            name, long = names[first], whole[first]
            reach = max(self._reach.get(name, 0), self._reach.get(long, 0))
            for last in range(first, min(first + reach, len(names))):
                if last > first:
                    name, long = f"{name} {names[last]}", f"{long} {whole[last]}"
                if pair := self._code(name, long):
                    candidates.append((first, last, pair))
        for first, last, order in forms.inversions(text, found, self._longest):
            pair = self._code(*(" ".join([said[number] for number in order]) for said in (names, whole)))
            if pair and not self._lists(text, found[first : last + 1], pair):
                candidates.append((first, last, pair))
        taken = [False] * len(names)
        spans = []

        def rank(one: tuple[int, int, Pair]) -> tuple[int, int]:
            return found[one[0]][1] - found[one[1]][2], one[0]

        for first, last, pair in sorted(candidates, key=rank):
            if not any(taken[first : last + 1]):
                taken[first : last + 1] = [True] * (last + 1 - first)
                spans.append((found[first][1], found[last][2], pair, last + 1 - first))
        return sorted(spans)

    def _lists(self, text: str, words: Sequence[forms.Word], pair: Pair) -> bool:
        """Whether words between commas are rather wordings of other codes side by side ("CKD 2, HTN") than one turned round; an
        adjective is a qualifier ("neuropathy, diabetic")."""
        parts = [list(part) for part in forms.parts(text, words)]
        if any(forms.is_adjective(part[-1][0]) for part in parts[1:]):
            return False
        names = [" ".join(word for word, _, _ in part) for part in parts]
        return all(self._code(name, forms.spelled(name)) not in (None, pair) for name in names)

    def scores(self, finds: Sequence[Find], labels: Sequence[Pair]) -> Floats:
        """Log-probability of each label, "no code" last, from what was found alone.

        What is asserted gets the trust of its kind; where nothing is, "no code" gets that of `denied` or `nothing`. The
        rest is spread evenly.
        """
        place = numbers(labels)
        asserted: dict[int, float] = {}
        for find in finds:
            if find.kind != DENIED and find.pair in place:
                asserted[place[find.pair]] = max(asserted.get(place[find.pair], 0.0), self.trust[find.kind])
        if not asserted:
            heard = any(find.kind == DENIED for find in finds)
            asserted = {len(labels) - 1: self.trust[DENIED if heard else NOTHING]}
        mass, total = max(asserted.values()), sum(asserted.values())
        share = np.full(len(labels), (1.0 - mass) / len(labels))
        for number, trust in asserted.items():
            share[number] += mass * trust / total
        result: Floats = np.log(share)
        return result

    def save(self, folder: Path | str) -> None:
        """Write `lookup.json`: wordings by code, and the trust."""
        by_code: dict[str, list[str]] = defaultdict(list)
        for name, (code_type, code) in sorted(self.wordings.items()):
            by_code[f"{code_type} {code}"].append(name)
        write_json(Path(folder) / FILE, {"trust": self.trust, "wordings": by_code})

    @classmethod
    def load(cls, folder: Path | str) -> LookUp:
        """What the stage `calibrate` has written; a missing file is a `UserError`."""
        path = Path(folder) / FILE
        if not path.is_file():
            raise UserError(str(folder), "no known wordings here", "run `make repro` (or `dvc repro calibrate`) first")
        stored = read_json(path)
        wordings: dict[str, Pair] = {}
        for name, own in stored["wordings"].items():
            code_type, _, code = name.partition(" ")
            wordings.update(dict.fromkeys(own, (code_type, code)))
        return cls(wordings, stored["trust"])


def numbers(labels: Sequence[Pair]) -> Mapping[Pair, int]:
    """The place of each label; a code set has made that once, not per narrative."""
    return labels.place if isinstance(labels, Labels) else Labels(labels).place


def named(finds: Sequence[Find], labels: Sequence[Pair], trust: Mapping[str, float]) -> dict[int, float]:
    """Places of the labels that an asserted wording of trusted kind names, in the order of the text, with the trust."""
    place = numbers(labels)
    found: dict[int, float] = {}
    for find in finds:
        if find.kind != DENIED and find.pair in place and trust.get(find.kind, 0.0) >= SURE:
            number = place[find.pair]
            found[number] = max(found.get(number, 0.0), trust[find.kind])
    return found


def gather(wordings: Iterable[tuple[str, Pair]], least: int = 3) -> dict[str, Pair]:
    """Keys of at least `least` characters with the code each is seen with most often; ties go to the smaller code."""
    owners: dict[str, Counter[Pair]] = defaultdict(Counter)
    for text, pair in wordings:
        if len(key(text)) >= least:
            owners[key(text)][pair] += 1
    return {name: min(found, key=lambda pair: (-found[pair], pair)) for name, found in sorted(owners.items())}


def measure(finds: Sequence[Sequence[Find]], gold: Sequence[Sequence[Pair]]) -> dict[str, float]:
    """The trust of each kind: share of asserted wordings whose code is right, share of texts without one that have no
    code. One case of each outcome is added, so that no share is 0 or 1.
    """
    right, seen = Counter[str](), Counter[str]()
    for own, truth in zip(finds, gold, strict=True):
        asserted = {find.pair: find.kind for find in own if find.kind != DENIED}
        for pair, kind in asserted.items():
            seen[kind] += 1
            right[kind] += pair in truth
        if not asserted:
            kind = DENIED if own else NOTHING  # what is there is denied
            seen[kind] += 1
            right[kind] += not truth
    return {kind: (right[kind] + 1) / (seen[kind] + 2) for kind in (PHRASE, BESIDE, ALONE, DENIED, NOTHING)}


def _belongs(find: Find, found: Sequence[Find], text: str) -> bool:
    """Whether a symptom stands in one sentence with an asserted disease that it is usually a sign of."""
    if find.code_type != "ICD10" or find.code[0] != "R" or find.kind == DENIED:
        return False
    return any(
        other.code_type == "ICD10"
        and other.code[0] != "R"
        and other.kind != DENIED
        and related_symptom(find.code, other.code)
        and _one_sentence(text, find, other)
        for other in found
    )


def _one_sentence(text: str, one: Find, two: Find) -> bool:
    between = text[min(one.end, two.end) : max(one.start, two.start)]
    return len(list(words.sentences(f"x{between}x"))) == 1
