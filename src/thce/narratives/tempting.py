"""The test set `distractors`: one code, beside one to three conditions or services that must not be coded.

Harder than the distractors of training: there are more of them, half of the sentences around them are of a grammar file
that nothing else uses, and some are neighbours of the right code ("left knee pain entered by mistake" beside pain in the
right one). Their words are training wordings, so that a look-up is tempted by each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from thce.narratives.compose import Sentence, fill, join, style, who
from thce.narratives.confusables import Neighbour
from thce.narratives.distractors import Distractors, apart, fits
from thce.narratives.grammar import TEST_ONLY, Piece
from thce.narratives.splits import Pair, PhraseSplit, holds
from thce.narratives.wording import Wording, listed
from thce.narratives.writer import Writer, one_of, row_of

_COUNTS = (1, 1, 1, 2, 2, 2, 3, 3)
_NEIGHBOUR_SHARE = 0.5
_OWN_SHARE = 0.4
"""How often the sentence comes from the note kind's own test pieces, where there are any."""

_DIAGNOSIS = listed("negated negated family ruled_out ruled_out carried error error not_done")
_SERVICE = listed("not_done not_done not_done negated error ruled_out")
_YOUNG = ("family", "error")
"""Beside a newborn, a child or a pregnancy: the pools hold conditions of adults, which there are a relative's or another
patient's."""

_NO_SUSPICION_IN = ("discharge", "message", "claim")
"""Kinds of notes without a suspicion: an inpatient's is coded as if it were established (Guidelines II.H)."""

_CLAIM = ("negated", "not_done", "error")
"""What a claim can say."""

_DIFFERENTIAL: Mapping[str, tuple[str, ...]] = {
    "R00.0": listed("E05 F41 I48"),
    "R00.1": listed("I49.5 E03"),
    "R00.2": listed("E05 F41 I48 I49.3"),
    "R04": listed("J01 J30 J34.2"),
    "R05": listed("J06 J18 J20 J44 J45 K21"),
    "R06": listed("D50 D64 I50 J18 J44 J45 J90"),
    "R07": listed("F41 I21 I25.10 J18 K21"),
    "R09.02": listed("J18 J44 J69 J90 J98"),
    "R09.81": listed("J01 J06 J30 J34"),
    "R10.11": listed("K80 K76.0 K29.8"),
    "R10.13": listed("K21 K29 K80"),
    "R10.3": listed("K57 K58 N20 N30 N39 K40"),
    "R10.8": listed("K52 K57 K58 K59 K66 A08"),
    "R10.9": listed("K52 K57 K58 K59 K66 K80 N20"),
    "R11": listed("A08 K29 K52 K80 G43"),
    "R13": listed("K20 K21 K22"),
    "R19.5": listed("K57 K62.1 K64 K63.5"),
    "R19.7": listed("A08 K52 K58"),
    "R20": listed("G56 G62 M54.12 M54.16"),
    "R21": listed("B02 L20 L23 L30 L40"),
    "R29": listed("G30 G62 I95"),
    "R30": listed("N12 N20 N30 N39"),
    "R31": listed("N12 N20 N30 N39"),
    "R33": listed("N13 N30 N39"),
    "R41": listed("F03 G30 G92 G93 N39"),
    "R42": listed("G43 I95 H61"),
    "R50": listed("A41 B34 J01 J06 J10 J18 J20 N12 N39"),
    "R51": listed("G43 J01"),
    "R53": listed("D50 D64 E03 F32 G47.3"),
    "R55": listed("G40 I47 I49.5 I95"),
    "R56": listed("G40"),
    "R60": listed("I50 I83 N18.9"),
    "R63.4": listed("E05 F32"),
    "R73.9": listed("E11.9"),
    "R74": listed("K70 K74 K76.0"),
    "R91": listed("J18 C78"),
    "R94": listed("I21 I25.10 I42"),
}
"""Signs and findings (by the beginning of their code) -> diseases an outpatient with them may be suspected of, or have
excluded."""

_NO_SUSPICION = listed("R F1 E66 M25 M54.2 M54.5 M54.6 M54.9 M79")
"""Signs and pains, and habits that nobody suspects or rules out."""

_COMPLAINTS = listed(
    "R00.2 R04 R05 R06 R07 R09.81 R10 R11 R13 R19.7 R2 R30 R31 R33 R42 R5 R60 R63 "
    "F32 F41 G43 G47 J30 K08 K21 K58 K59 L20 L23 L30 M25 M54 M79"
)
"""What a patient can deny; nobody denies a stone in the ureter."""

_ODD = re.compile(r"\b(?:drops|puffer|inhaler|pills?|shots?|meds?|every|again)\b", re.I)
"""Wordings by a treatment or a habit, which no test excludes."""

_VAGUE = listed("E07 E78 B34")
"""Neighbours whose words may well mean the right code: thyroid trouble for hypothyroidism, a viral infection for a wart."""

_HOLDING = listed("D63.1 I12.9 I25.5 N18.30 R10.84")
"""Codes whose neighbours are a part or the ground of them, so that excluding those would speak against the code."""

_TELLING = ("laterality", "type", "acuity", "stage", "amount", "sibling")
"""Ways in which neighbours differ that a phrase can say; "unspecified" and "without" are said by saying nothing."""
_BOTH = frozenset(listed("bilateral both"))
_EMPTY = frozenset(listed("with without other unspecified nos not elsewhere classified initial subsequent encounter"))
_DIGITS = re.compile(r"\d+ ?")


class Tempting:
    """What notes with distractors are written from; all draws are by `rng`."""

    def __init__(self, writer: Writer, phrases: PhraseSplit, near: Mapping[Pair, Sequence[Neighbour]]) -> None:
        self._writer = writer
        self._phrases = phrases
        self._near = near
        self._distractors = Distractors(phrases)
        # a slip in "denies" or "mistake" would make the label doubtful
        self._style = replace(writer.style, typo=0.0)
        everything = [words for pair in sorted(phrases.train) for words in phrases.train[pair]]
        numbered = [words for words in everything if fits(replace(words, text=_DIGITS.sub("", words.text)))]
        self._by_code: dict[Pair, list[Wording]] = {}
        for words in numbered:
            self._by_code.setdefault(words.pair, []).append(words)
        problems = [w for w in everything if fits(w) and w.slot == "problem" and not _ODD.search(w.text)]
        self._diseases = [words for words in problems if not words.code.startswith(_NO_SUSPICION)]
        self._complaints = [words for words in problems if words.code.startswith(_COMPLAINTS)]

    def write(self, rng: Random, words: Wording) -> dict[str, Any] | None:
        """A narrative that supports exactly the code of `words`; None when no distractor was found."""
        writer = self._writer
        piece = writer.frame(rng, words)
        person = who(rng, words)
        short = rng.random() < self._style.abbreviation
        used = [piece]
        sentences = [fill(piece, rng, person, short, {"x": words.text})]
        for other, added in self._choose(rng, words, piece.kind):
            used.append(added)
            sentence = fill(added, rng, person, short, {"d": other.text})
            sentences.insert(0 if rng.random() < 0.4 else len(sentences), sentence)
        if len(used) == 1:
            return None
        if rng.random() < 0.3:
            last = self._further(rng, words, piece.kind)
            if last is not None:
                used.append(last)
                sentences.append(fill(last, rng, person, short, {}))
        text: Sentence = style(join(sentences), rng, self._style, writer.protected)
        return row_of(text, [words], used)

    def _choose(self, rng: Random, words: Wording, kind: str) -> Iterator[tuple[Wording, Piece]]:
        """Up to three distractors, each in a sentence of another role where it can be; at most one is a neighbour."""
        roles = _roles(words, kind)
        chosen: list[Wording] = []
        pieces: list[Piece] = []
        neighbour = rng.random() < _NEIGHBOUR_SHARE
        for _ in range(_COUNTS[int(rng.random() * len(_COUNTS))]):
            role = roles[int(rng.random() * len(roles))]
            sentences = [one for one in self._sentences(rng, kind, role) if one not in pieces]
            if not sentences:
                continue
            other = self._neighbour(rng, role, words) if neighbour else None
            neighbour = neighbour and other is None
            other = other or self._other(rng, role, words)
            if other is None or any(other.pair == one.pair or other.words & one.words for one in chosen):
                continue
            chosen.append(other)
            pieces.append(one_of(rng, sentences))
            yield other, pieces[-1]

    def _sentences(self, rng: Random, kind: str, role: str) -> tuple[Piece, ...]:
        own = self._writer.grammar.roles.get((self._writer.split, kind, role), ())
        common = () if kind == "message" else self._writer.grammar.roles.get((self._writer.split, TEST_ONLY, role), ())
        return own if own and (not common or rng.random() < _OWN_SHARE) else common

    def _other(self, rng: Random, role: str, words: Wording) -> Wording | None:
        """A distractor that says nothing about the right code; beside a sign a disease of its differential."""
        if role in ("family", "carried", "not_done"):
            return self._distractors.pick(rng, role, words)
        wanted = differential(words) if role in ("suspected", "ruled_out") else ()
        if wanted:
            pool = [one for one in self._diseases if one.code.startswith(wanted) and apart("suspected", words, one)]
        else:
            pool = self._complaints if role == "negated" else self._diseases
            pool = [one for one in pool if apart(role, words, one) and self._writer.conflicts.meet(words, one)]
        return one_of(rng, pool) if pool else None

    def _neighbour(self, rng: Random, role: str, words: Wording) -> Wording | None:
        """A wording of a code near the right one that says what tells the two apart, so that it is no vaguer word for it."""
        if role not in (("error", "ruled_out", "negated") if words.code_type == "ICD10" else ("not_done",)):
            return None
        own = self._phrases.train.get(words.pair, ())
        if words.code.startswith(_HOLDING) or (role == "ruled_out" and words.slot == "status"):
            return None
        for near in self._near.get(words.pair, ()):
            telling = [word for word in near.there if word not in _EMPTY and not holds(words.key, word)]
            if near.code.startswith(_VAGUE) or near.relation not in _TELLING or not telling or not set(near.here) - _EMPTY:
                continue
            if _BOTH & {*near.here, *near.there}:  # both sides hold either
                continue
            pool = [
                one
                for one in self._by_code.get((near.code_type, near.code), ())
                if any(holds(one.key, word) for word in telling)
                and not any(holds(mine.key, one.key) or holds(one.key, mine.key) for mine in (words, *own))
            ]
            if pool:
                return one_of(rng, pool)
        return None

    def _further(self, rng: Random, words: Wording, kind: str) -> Piece | None:
        # no onset and no course: beside a distractor they could be about it
        roles = ["after", *(["vitals"] if words.may_have_vitals else [])]
        candidates = [piece for role in roles for piece in self._writer.grammar.roles.get((self._writer.split, kind, role), ())]
        return one_of(rng, candidates) if candidates else None


def differential(words: Wording) -> tuple[str, ...]:
    """Beginnings of the codes of the diseases that the sign may come from; empty for what is no sign."""
    found = (wanted for sign, wanted in _DIFFERENTIAL.items() if words.code_type == "ICD10" and words.code.startswith(sign))
    return next(found, ())


def _roles(words: Wording, kind: str) -> tuple[str, ...]:
    if words.group not in ("adult", "elder"):
        return _YOUNG if kind != "claim" else ("error",)
    roles = _DIAGNOSIS if words.code_type == "ICD10" else _SERVICE
    if words.code.startswith(("Z53", "Z28")):  # what was not done is the code itself
        roles = tuple(role for role in roles if role != "not_done")
    if kind == "claim":
        return tuple(role for role in roles if role in _CLAIM)
    if differential(words) and kind not in _NO_SUSPICION_IN:
        # only a sign may stand beside a suspicion: outpatients are coded by the sign (Guidelines IV.H)
        return ("suspected", "suspected", "suspected", "suspected", *roles)
    return roles
