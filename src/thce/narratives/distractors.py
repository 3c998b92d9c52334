"""Conditions and services that a note mentions but that must not be coded: denied, in the family, ruled out, not done.

Their words come from the training phrases of other codes, so that only the sentence around them tells that they do not
count. A distractor never is, holds or implies the code of the note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from thce.narratives.conflicts import related_symptom
from thce.narratives.splits import Pair, PhraseSplit
from thce.narratives.wording import Wording, listed

_UNFIT = re.compile(
    r"[\d,;:()+=<>/*]|\b(?:too|almost|just|when|that|which|remote|every-day|diagnosed|by accident|no|not|without|w/o|"
    r"den\w+|negative|normal|free|never|none|resolved|healed|history|h/o|s/p|r/o|old|prior|previous|past|family|"
    r"unspecified|NOS|status|on|after|since|encounter|today|visit|possible|likely|elevated blood)\b",
    re.I,
)
"""A phrase with a number, a list, a negation or a time of its own does not read after "denies"."""

_FAMILY = listed(
    "D50 E03 F20 F31 F33 F41 F84 F90 G30 G40 G43 G47.33 G56 H40 J43 J44.9 J45.9 J45.2 J30 K21.9 K58 L20 L40 L70 "
    "M06 M10 M32 M79.7 M81 N18.9 N20 N40 K76.0 K74 K80.2 I83"
)
"""Conditions that run in families and whose family history has no code in scope: not stroke, heart disease, diabetes or
cancer (Z80.0, Z80.3, Z82.3, Z82.49, Z83.3 are codes of their own)."""

_CARRIED = listed("H60 H66 H10 J01 J02 J06 J20 J30 L03 L23 L30 M25 M54 M79.6 N76 R05 R11 R21 R42 R51 R07 R10")
"""Passing conditions for old text that was copied forward; a past history of them has no code in scope."""

ROLES_FOR_DIAGNOSIS = ("negated", "negated", "negated", "family", "ruled_out", "suspected", "carried")
ROLES_FOR_SERVICE = ("not_done", "not_done", "not_done", "negated")
_TRIES = 12


class Distractors:
    """The phrases that may serve, sorted by role once, and the choice for one note."""

    def __init__(self, phrases: PhraseSplit) -> None:
        fit = [wording for pair in sorted(phrases.train) for wording in phrases.train[pair] if fits(wording)]
        diagnoses = [wording for wording in fit if wording.slot == "problem"]
        services = [wording for wording in fit if wording.slot in ("test", "procedure", "supply")]
        # nobody suspects or rules out a habit
        diseases = [wording for wording in diagnoses if not wording.code.startswith(("R", "F1", "E66"))]
        self._pools: Mapping[str, Sequence[Wording]] = {
            "negated": diagnoses,
            "ruled_out": diseases,
            "suspected": diseases,
            "family": [wording for wording in diagnoses if wording.code.startswith(_FAMILY)],
            "carried": [wording for wording in diagnoses if wording.code.startswith(_CARRIED)],
            "not_done": services,
        }
        self._by_chapter: dict[str, list[Wording]] = {}
        for wording in diseases:
            self._by_chapter.setdefault(wording.code[0], []).append(wording)

    def pick(self, rng: Random, role: str, gold: Wording | None, taken: Iterable[str] = ()) -> Wording | None:
        """A distractor for `role` beside the wording of the note (None: the note has no code); None when none was
        found."""
        pool = self._pools[role]
        if role == "suspected" and gold is not None:
            related = [c for c in sorted(self._by_chapter) if related_symptom(gold.code, c)]
            if not related:
                return None
            pool = self._by_chapter[related[int(rng.random() * len(related))]]
        if not pool:
            return None
        taken = set(taken)
        for _ in range(_TRIES):
            wording = pool[int(rng.random() * len(pool))]
            if wording.key not in taken and (gold is None or apart(role, gold, wording)):
                return wording
        return None


def fits(wording: Wording) -> bool:
    """Whether a phrase names one condition or service of an adult, and reads after "denies"."""
    if wording.kind not in ("synonym", "abbreviation", "lay", "eponym", "order") or wording.person or wording.sex:
        return False
    if wording.group not in ("adult", "elder") or len(wording.key) < 3 or len(wording.key.split()) > 5:
        return False
    if wording.code_type == "ICD10" and not (wording.noun or wording.kind == "abbreviation"):
        return False
    return not _UNFIT.search(wording.text)


def apart(role: str, gold: Wording, other: Wording) -> bool:
    """Neither phrase says anything about the other's code."""
    if gold.words & other.words or other.key in gold.key or gold.key in other.key:
        return False
    if gold.code_type != "ICD10" or other.code_type != "ICD10":
        return gold.code_type == "ICD10" or other.code_type == "ICD10" or gold.code[:2] != other.code[:2]
    if gold.code[:3] == other.code[:3]:
        return False
    if role == "suspected":
        return True
    if gold.code[0] == other.code[0] or {gold.code[0], other.code[0]} == {"M", "S"}:
        return False
    symptom, disease = (gold.code, other.code) if gold.code[0] == "R" else (other.code, gold.code)
    return not (symptom[0] == "R" and related_symptom(symptom, disease))


def roles_for(pair: Pair) -> tuple[str, ...]:
    """The roles a note with this code draws from, more frequent ones more than once."""
    code_type, code = pair
    if code_type != "ICD10":
        return ROLES_FOR_SERVICE
    # only a sign may stand beside a suspicion: outpatients are coded by the sign (Guidelines IV.H)
    return (
        ("suspected", "suspected", *ROLES_FOR_DIAGNOSIS)
        if code[0] == "R"
        else tuple(role for role in ROLES_FOR_DIAGNOSIS if role != "suspected")
    )
