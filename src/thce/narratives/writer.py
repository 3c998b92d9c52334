"""Writes one narrative at a time: with one code, with several, as a contrast, or without any code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from thce.narratives.compose import Sentence, Style, fill, fill_lists, join, style, who
from thce.narratives.conflicts import Conflicts
from thce.narratives.distractors import Distractors, apart, roles_for
from thce.narratives.grammar import KINDS, Grammar, Piece
from thce.narratives.wording import Wording, wording

NONE_REASONS = ("negated", "family_history", "ruled_out", "administrative", "out_of_scope")
_LONG = 30
"""Words after which no further sentence is added: narratives with one code are short (nine in ten below 35 words)."""

NO_CODE = "-"
"""Stands where a wording outside the scope would have its code."""

_MULTI_WORDS = 9
_COUNTS = (2, 2, 2, 2, 2, 3, 3, 3, 4, 5)
_TRIES = 60
_DIAGNOSES_FIRST = 0.7
"""Share of visits whose diagnoses are told before the services."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often things are added to a narrative; see `NarrativesParams`."""

    distractor: float
    extra: float
    style: Style


class Writer:
    """Everything a narrative of one split is made from; `rng` alone decides what is drawn."""

    def __init__(
        self,
        grammar: Grammar,
        split: str,
        distractors: Distractors,
        conflicts: Conflicts,
        rates: Rates,
        protected: Collection[str],
    ) -> None:
        self.grammar = grammar
        self.split = split
        self.distractors = distractors
        self.conflicts = conflicts
        # only training text may misspell the evidence: a test phrase is written as it stands in the phrasebook
        self.style = rates.style if split == "train" else replace(rates.style, span_typo=0.0)
        self.rates = rates
        self.protected = protected
        self.out_of_scope = {
            name: tuple(_item(piece, name) for piece in grammar.roles[split, "out_of_scope", name])
            for name in ("conditions", "services")
        }
        self.none_kinds = {
            role: tuple(kind for kind in KINDS if self._role(kind, role) and self._role(kind, "lead"))
            for role in ("negated", "family", "ruled_out", "suspected")
        }

    def _role(self, kind: str, role: str) -> tuple[Piece, ...]:
        return self.grammar.roles.get((self.split, kind, role), ())

    def frame(self, rng: Random, words: Wording) -> Piece:
        """A sentence that suits the wording, all suitable ones being equally likely."""
        wide = self.grammar.frames[self.split, words.slot, "any"]
        narrow = self.grammar.frames.get((self.split, words.slot, "noun"), ()) if words.noun else ()
        number = int(rng.random() * (len(wide) + len(narrow)))
        return wide[number] if number < len(wide) else narrow[number - len(wide)]

    def single(self, rng: Random, words: Wording) -> dict[str, Any]:
        """A narrative that supports exactly the code of `words`."""
        text, used = self._around(rng, words, roles_for(words.pair))
        return row_of(style(text, rng, self.style, self.protected), [words], used)

    def _around(self, rng: Random, words: Wording, roles: Sequence[str]) -> tuple[Sentence, list[Piece]]:
        """The bearing sentence and what comes before and after it."""
        piece = self.frame(rng, words)
        short = rng.random() < self.style.abbreviation
        person = who(rng, words)
        sentences = [fill(piece, rng, person, short, {"x": words.text})]
        used = [piece]
        length = len(sentences[0].text.split())

        def put(added: Piece, phrase: str = "", first: bool = False) -> None:
            nonlocal length
            sentence = fill(added, rng, person, short, {"d": phrase})
            length += len(sentence.text.split())
            sentences.insert(0 if first else len(sentences), sentence)
            used.append(added)

        if rng.random() < self.rates.distractor and length < _LONG:
            role = roles[int(rng.random() * len(roles))]
            candidates = self._role(piece.kind, role)
            other = self.distractors.pick(rng, role, words) if candidates else None
            if other is not None:
                put(one_of(rng, candidates), other.text, rng.random() < 0.3)
        more = self.rates.extra / (1.0 + self.rates.extra)
        left = self._extras(piece.kind, words)
        while left and length < _LONG and len(sentences) < 5 and rng.random() < more:
            role, candidates = left.pop(int(rng.random() * len(left)))
            put(one_of(rng, candidates), first=role == "before")
        return join(sentences), used

    def _extras(self, kind: str, words: Wording) -> list[tuple[str, tuple[Piece, ...]]]:
        roles = ["after", "before"]
        if words.may_have_vitals:
            roles.append("vitals")
        if words.may_have_onset:
            roles.append("onset")
        elif words.may_be_stable:
            roles.append("course")
        return [(role, pieces) for role in roles if (pieces := self._role(kind, role))]

    def contrast(self, rng: Random, members: Sequence[Wording]) -> list[dict[str, Any]]:
        """One narrative per wording, all in the same sentence about the same person."""
        slots = {words.slot for words in members}
        noun = all(words.noun for words in members)
        pieces: list[Piece] = []
        for fit in ("any", "noun") if noun else ("any",):
            pools = [self.grammar.frames.get((self.split, slot, fit), ()) for slot in sorted(slots)]
            pieces.extend(piece for piece in pools[0] if all(piece in pool for pool in pools[1:]))
        if not pieces:
            return []
        piece = one_of(rng, pieces)
        state = rng.getstate()
        rows = []
        for words in members:
            rng.setstate(state)
            rows.append(row_of(fill(piece, rng, "patient", False, {"x": words.text}), [words], [piece]))
        return rows

    def multi(self, rng: Random, first: Wording, others: Callable[[Random], Wording]) -> dict[str, Any] | None:
        """A list: `first` and one to four wordings drawn from `others` that may stand beside it.

        None when too few could be found, which happens to codes of rare groups.
        """
        chosen = self._together(rng, first, others)
        if not chosen:
            return None
        chosen.sort(key=lambda words: words.code_type != "ICD10")  # diagnoses stand first, as on a claim
        lists = {"dx": [], "px": []}  # type: dict[str, list[tuple[int, str]]]
        for number, words in enumerate(chosen):
            lists["dx" if words.code_type == "ICD10" else "px"].append((number, words.text))
        role = "mixed" if lists["dx"] and lists["px"] else "diagnoses" if lists["dx"] else "services"
        piece = one_of(rng, self.grammar.roles[self.split, "multi", role])
        short = rng.random() < self.style.abbreviation
        # no age or sex is named: every code of the note would have to agree with it
        text = fill_lists(piece, rng, "patient", short, lists)
        used = [piece]
        if rng.random() < 0.25:
            last = one_of(rng, self._role("clinic", "after"))
            text = join([text, fill(last, rng, "patient", short, {})])
            used.append(last)
        return row_of(style(text, rng, self.style, self.protected), chosen, used)

    def visit(self, rng: Random, first: Wording, others: Callable[[Random], Wording]) -> dict[str, Any] | None:
        """As `multi`, but each code is told in a sentence of its own, as in running notes. Between them may stand what tells
        of no code, or something that must not be coded.
        """
        chosen = self._together(rng, first, others)
        if not chosen:
            return None
        if rng.random() < _DIAGNOSES_FIRST:
            chosen.sort(key=lambda words: words.code_type != "ICD10")
        short = rng.random() < self.style.abbreviation
        used = [self.frame(rng, chosen[0])]
        kind = used[0].kind
        for words in chosen[1:]:
            frames = [self.frame(rng, words) for _ in range(_TRIES)]
            used.append(next((frame for frame in frames if frame.kind == kind), frames[0]))
        sentences: list[Sentence] = []
        more = self.rates.extra / (1.0 + self.rates.extra)
        for number, words in enumerate(chosen):
            sentences.append(fill(used[number], rng, "patient", short, {"x": words.text}, number))
            left = [
                (role, fresh)
                for role, pieces in self._extras(kind, words)
                if (role != "vitals" or all(own.may_have_vitals for own in chosen))
                and (fresh := [piece for piece in pieces if piece not in used])
            ]
            if left and rng.random() < more and sum(len(one.text.split()) for one in sentences) < _LONG:
                used.append(one_of(rng, one_of(rng, left)[1]))
                sentences.append(fill(used[-1], rng, "patient", short, {}))
        if rng.random() < self.rates.distractor:
            role = one_of(rng, roles_for(chosen[0].pair))
            candidates = self._role(kind, role)
            other = self.distractors.pick(rng, role, chosen[0]) if candidates else None
            if other is not None and all(apart(role, words, other) and self.conflicts.meet(other, words) for words in chosen):
                used.append(one_of(rng, candidates))
                between = 1 + int(rng.random() * len(sentences))
                sentences.insert(between, fill(used[-1], rng, "patient", short, {"d": other.text}))
        return row_of(style(join(sentences), rng, self.style, self.protected), chosen, used)

    def _together(self, rng: Random, first: Wording, others: Callable[[Random], Wording]) -> list[Wording]:
        """`first` and one to four other wordings that may stand in one note; none at all when too few could be found."""
        count = _COUNTS[int(rng.random() * len(_COUNTS))]
        chosen = [first]
        limit = 12 if count < 4 else _MULTI_WORDS
        for _ in range(_TRIES):
            if len(chosen) == count:
                break
            other = others(rng)
            if len(other.key.split()) <= limit and all(self.conflicts.meet(other, words) for words in chosen):
                chosen.append(other)
        return chosen if len(chosen) > 1 else []

    def none(self, rng: Random, reason: str) -> dict[str, Any]:
        """A narrative that supports no code, for one of `NONE_REASONS`."""
        if reason == "administrative":
            pieces = self.grammar.roles[self.split, "administrative", "administrative"]
            used = [one_of(rng, pieces)]
            if rng.random() < 0.4:
                used += [piece for piece in [one_of(rng, pieces)] if piece is not used[0]]
            person = who(rng, None)
            text = join([fill(piece, rng, person, False, {}) for piece in used])
        elif reason == "out_of_scope":
            items = self.out_of_scope["conditions" if rng.random() < 0.6 else "services"]
            piece, words = items[int(rng.random() * len(items))]
            roles = ("negated", "family", "ruled_out") if words.slot == "problem" else ("not_done", "negated")
            text, used = self._around(rng, words, roles)
            text = Sentence(text.text)
            used.insert(1, piece)
        else:
            text, used = self._only_distractors(rng, reason)
        row = row_of(style(text, rng, self.style, self.protected), [], used)
        return row | {"none_reason": reason}

    def _only_distractors(self, rng: Random, reason: str) -> tuple[Sentence, list[Piece]]:
        role = "family" if reason == "family_history" else reason
        if role == "ruled_out" and rng.random() < 0.4:
            role = "suspected"
        kind = one_of(rng, self.none_kinds[role])
        short = rng.random() < self.style.abbreviation
        person = who(rng, None)
        used: list[Piece] = []
        sentences: list[Sentence] = []

        def put(name: str, phrase: str = "") -> None:
            pieces = [piece for piece in self._role(kind, name) if piece not in used]
            if pieces:
                used.append(one_of(rng, pieces))
                sentences.append(fill(used[-1], rng, person, short, {"d": phrase}))

        if rng.random() < 0.6:
            put("lead")
        taken: list[str] = []
        for _ in range(1 + int(rng.random() * 2)):
            phrase = self._phrase(rng, role, taken)
            if phrase:
                put(role, phrase)
        if rng.random() < 0.3:
            put("after")
        return join(sentences), used

    def _phrase(self, rng: Random, role: str, taken: list[str]) -> str:
        """One distractor phrase, or for denials sometimes two joined by "or"."""
        phrases = []
        for _ in range(2 if role == "negated" and rng.random() < 0.3 else 1):
            found = self.distractors.pick(rng, role, None, taken)
            if found is not None:
                taken.append(found.key)
                phrases.append(found.text)
        return " or ".join(phrases)


def one_of(rng: Random, choices: Sequence[Any]) -> Any:
    """One of `choices`, each as likely, by one draw of `rng`: unlike `Random.choice`, the same in every version of Python."""
    return choices[int(rng.random() * len(choices))]


def _item(piece: Piece, name: str) -> tuple[Piece, Wording]:
    """A condition or service outside the scope as a wording, so that it stands in the same sentences as the codes'."""
    words = wording("ICD10" if name == "conditions" else "CPT", NO_CODE, "synonym", piece.text)
    return piece, replace(words, slot="problem" if name == "conditions" else "procedure", noun=name == "conditions")


def row_of(text: Sentence, codes: Sequence[Wording], used: Sequence[Piece]) -> dict[str, Any]:
    """The row of one text: `codes` in their order, and for each span its place in characters, end exclusive, with the
    wording it was written from. `used` are the pieces of the grammar, first the one that gives the kind of the note."""
    evidence = [
        {
            "code_type": codes[number].code_type,
            "code": codes[number].code,
            "start": start,
            "end": end,
            "text": text.text[start:end],
            "phrase": codes[number].text,
            "kind": codes[number].kind,
        }
        for start, end, number in text.spans
    ]
    return {
        "id": "",
        "narrative": text.text,
        "codes": [{"code_type": words.code_type, "code": words.code} for words in codes],
        "evidence": evidence,
        "template": "+".join(piece.id for piece in used),
        "kind": used[0].kind,
        "source": "synthetic",
        "group": None,
        "none_reason": None,
    }
