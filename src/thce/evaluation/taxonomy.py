"""Which kind of mistake a wrong answer is, computed from the code tables; no model judges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from thce.answers import Code
from thce.codes.book import CodeBook, Entry
from thce.evaluation.data import NO_CODE, Item, Prediction
from thce.evaluation.hierarchy import Place, places
from thce.evaluation.metrics import exact
from thce.narratives.phrasebook import key

KINDS: dict[str, str] = {
    "unreadable": "no readable answer",
    "missed": 'answered "no code" where one is supported',
    "negated_coded": "coded what is denied, ruled out, suspected or a relative's",
    "no_code_missed": "coded a text without any codable condition or service",
    "over_coding": "all right codes, and more",
    "under_coding": "right codes only, but not all",
    "encounter": "wrong 7th character (encounter)",
    "laterality": "wrong side",
    "unspecified_for_specific": "unspecified code where the text is specific",
    "specific_for_unspecified": "specific code where the text is not",
    "sibling": "sibling below the same header",
    "same_category": "other code of the same category",
    "symptom_for_cause": "symptom code (chapter 18) instead of the condition",
    "cause_for_symptom": "condition instead of the symptom (chapter 18)",
    "same_chapter": "same chapter, section or letter",
    "other_chapter": "other chapter, section or letter",
    "header": "header that is not billable",
    "nonexistent": "code that does not exist",
    "wrong_type": "wrong code type",
}
"""Every kind of error with its meaning. A wrong answer has exactly one; of several codes, the nearest pair decides."""

SYMPTOMS = "ICD10 18"
"""Symptoms, signs and abnormal findings: not coded beside or instead of a confirmed cause (Guidelines I.B.5, IV.D)."""

_NEAREST = list(KINDS)
_SIDE = re.compile(r"\b(right|left|bilateral)\b", re.IGNORECASE)
_UNSPECIFIED = re.compile(r"\bunspecified\b|\bnot otherwise specified\b|\bNOS\b", re.IGNORECASE)
_NOT_THE_PATIENTS = ("negated", "family_history", "ruled_out")


class Taxonomy:
    """Sorts wrong answers. `phrases` gives the training wordings of each code: they show whether a wrong code was at least
    mentioned, beside the evidence.
    """

    def __init__(self, book: CodeBook, phrases: Mapping[Code, Sequence[str]] | None = None) -> None:
        self.book = book
        self.chapter: Place = places(book)["chapter"]
        self.phrases = {code: [key(text) for text in texts] for code, texts in (phrases or {}).items()}

    def kind(self, item: Item, prediction: Prediction) -> str | None:
        """The kind of error, None for a right answer."""
        answer = prediction.answer
        if exact(item.gold, answer):
            return None
        if answer is None:
            return "unreadable"
        if not answer:
            return "missed"
        if not item.gold:
            return "negated_coded" if item.none_reason in _NOT_THE_PATIENTS else "no_code_missed"
        missing, extra = _left(item.gold, answer), _left(answer, item.gold)
        if extra and any(self._mentioned(code, item) for code in extra):
            return "negated_coded"
        if not missing:
            return "over_coding"
        if not extra:
            return "under_coding"
        return min((self.relation(gold, code) for gold in missing for code in extra), key=_NEAREST.index)

    def relation(self, gold: Code, answered: Code) -> str:
        """How one wrong code stands to one gold code."""
        if gold.code_type != answered.code_type:
            return "wrong_type"
        right, wrong = self.book.find(*_pair(gold)), self.book.find(*_pair(answered))
        if wrong is None or right is None:
            return "nonexistent"
        if not wrong.billable:
            return "header"
        if _sided(right.title) and _sided(wrong.title) and _bare(right.title) == _bare(wrong.title):
            return "laterality"
        if gold.code_type != "ICD10":
            return "same_chapter" if self.chapter(gold) == self.chapter(answered) else "other_chapter"
        return self._diagnosis(right, wrong)

    def _diagnosis(self, right: Entry, wrong: Entry) -> str:
        gold, answered = Code(right.code_type, right.code), Code(wrong.code_type, wrong.code)
        if len(gold.code) == len(answered.code) == 8 and gold.code[:7] == answered.code[:7]:
            return "encounter"
        if gold.code[:3] == answered.code[:3]:
            vague = bool(_UNSPECIFIED.search(right.title)), bool(_UNSPECIFIED.search(wrong.title))
            if vague == (False, True):
                return "unspecified_for_specific"
            if vague == (True, False):
                return "specific_for_unspecified"
            return "sibling" if right.parent == wrong.parent else "same_category"
        chapters = self.chapter(gold), self.chapter(answered)
        if chapters[0] == chapters[1]:
            return "same_chapter"
        if SYMPTOMS in chapters:
            return "symptom_for_cause" if chapters[1] == SYMPTOMS else "cause_for_symptom"
        return "other_chapter"

    def _mentioned(self, code: Code, item: Item) -> bool:
        text = item.narrative
        for span in item.spans:
            text = text.replace(span, " | ", 1)
        words = f" {key(text)} "
        return any(f" {phrase} " in words for phrase in self.phrases.get(code, ()))


def report(
    items: Sequence[Item], predictions: Sequence[Prediction], taxonomy: Taxonomy, examples: int, pairs: int = 12
) -> dict[str, Any]:
    """Counts per test set and in all, the most confused pairs, and up to `examples` examples per kind.

    Only synthetic narratives are shown: a user's own notes never reach a file that may be published.
    """
    counts: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    confused: Counter[tuple[Code, Code]] = Counter()
    shown: dict[str, list[dict[str, Any]]] = {}
    for item, prediction in zip(items, predictions, strict=True):
        kind = taxonomy.kind(item, prediction)
        if kind is None:
            continue
        total[kind] += 1
        counts.setdefault(item.test_set, Counter())[kind] += 1
        answer = prediction.answer or ()
        missing, extra = _left(item.gold, answer), _left(answer, item.gold)
        if missing and extra:
            confused[missing[0], extra[0]] += 1
        if len(shown.setdefault(kind, [])) < examples and item.source == "synthetic":
            shown[kind].append(_example(item, prediction, taxonomy.book))
    ranked = sorted(confused.items(), key=lambda part: (-part[1], part[0]))[:pairs]
    return {
        "rows": len(items),
        "wrong": sum(total.values()),
        "kinds": {kind: total[kind] for kind in KINDS},
        "test_sets": {name: {kind: part[kind] for kind in KINDS if part[kind]} for name, part in sorted(counts.items())},
        "pairs": [
            {"gold": label(gold, taxonomy.book), "answered": label(code, taxonomy.book), "n": n} for (gold, code), n in ranked
        ],
        "examples": {kind: shown[kind] for kind in KINDS if shown.get(kind)},
    }


def label(code: Code, book: CodeBook) -> str:
    """A code with its title, for people."""
    if code == NO_CODE:
        return "no code"
    entry = book.find(*_pair(code))
    return f"{code.code_type} {code.code}" + (f" ({entry.short_title})" if entry else "")


def _example(item: Item, prediction: Prediction, book: CodeBook) -> dict[str, Any]:
    answer = prediction.answer
    return {
        "id": item.id,
        "narrative": item.narrative,
        "evidence": list(item.spans),
        "gold": [label(code, book) for code in item.gold or (NO_CODE,)],
        "answered": ["nothing readable"] if answer is None else [label(code, book) for code in answer or (NO_CODE,)],
    }


def _left(codes: Sequence[Code], others: Sequence[Code]) -> list[Code]:
    taken = set(others)
    return [code for code in codes if code not in taken]


def _pair(code: Code) -> tuple[str, str]:
    return code.code_type, code.code


def _sided(title: str) -> bool:
    return bool(_SIDE.search(title))


def _bare(title: str) -> str:
    return _SIDE.sub("", title).casefold()
