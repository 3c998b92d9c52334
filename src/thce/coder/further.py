"""Fit when a further piece of a text earns a code of its own, and when one that earned none sends the answer to review, on
validation.

Validation notes with several codes, lists and visits, hold known wordings only. So each has a twin, in which every
wording is replaced by one that nobody taught, taken from the validation notes with one code: same sentences, wordings
never seen. Notes with one code and with none are in it as they are, so that padding, distractors and second halves of a
wording count against a further code.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thce.coder.calibrate import FOLDS, narrative_of, pairs_of
from thce.coder.coder import Coder
from thce.coder.decide import Decision, decide, extend, spans_of, weigh
from thce.coder.decode import Line
from thce.coder.fusion import MODEL, Fusion
from thce.coder.lookup import Find
from thce.coder.prior import Pair
from thce.coder.reading import Read
from thce.coder.several import MEASURES, Piece, Several, candidates
from thce.narratives.phrasebook import key

Floats = NDArray[np.float64]
Record = Mapping[str, Any]

NEVER = 1.01
STEPS = tuple(round(0.2 + 0.05 * step, 2) for step in range(16))
"""Least probabilities that are tried."""


def twins(records: Sequence[Record], known: Mapping[str, Pair], seed: int) -> list[tuple[str, list[Pair]]]:
    """For each note with several codes its text with every wording replaced by an unknown one, and the codes that are
    then right.

    A diagnosis is replaced by a diagnosis, a service by a service; the codes of one text are of different categories.
    Nothing where too few unknown wordings are there.
    """
    draw = random.Random(seed)
    pool: dict[bool, list[Mapping[str, Any]]] = {True: [], False: []}
    for record in records:
        for item in record["_metadata"].get("evidence", ()) if len(pairs_of(record)) == 1 else ():
            if key(item["phrase"]) not in known:
                pool[item["code_type"] == "ICD10"].append(item)
    found = []
    for record in records:
        evidence = record["_metadata"].get("evidence", ())
        if len(pairs_of(record)) < 2:
            continue
        text = narrative_of(record)
        gold: list[Pair] = []
        for item in sorted(evidence, key=lambda one: -int(one["start"])):
            taken = {(code_type, code[:3]) for code_type, code in gold}
            own = [one for one in pool[item["code_type"] == "ICD10"] if (one["code_type"], one["code"][:3]) not in taken]
            if not own:
                break
            new = draw.choice(own)
            text = text[: item["start"]] + new["phrase"] + text[item["end"] :]
            gold.append((new["code_type"], new["code"]))
        if len(gold) == len(pairs_of(record)):
            found.append((text, gold[::-1]))
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """A validation text as it is decided without further codes, the numbers of its right codes, and how much it counts."""

    text: str
    decision: Decision
    pieces: Sequence[Piece]
    finds: Sequence[Find]
    model: Floats
    gold: Sequence[int]
    weight: float


def cases(
    coder: Coder,
    sources: Mapping[str, Floats],
    texts: Sequence[str],
    finds: Sequence[Sequence[Find]],
    reads: Sequence[Read],
    gold: Sequence[Sequence[int]],
    fusion: Fusion,
    twinned: bool,
) -> list[Case]:
    """Texts as they are decided by their `sources` (each [texts, labels]); the model's further lines are not asked.

    `gold` are numbers of labels, that of "no code" for none. Where texts are `twinned`, one with several codes counts
    half.
    """
    codes = coder.codes()
    trust = coder.lookup.trust if coder.lookup else {}
    found = []
    for row, (text, own) in enumerate(zip(texts, finds, strict=True)):
        scores = sources[MODEL][row]
        line = Line(int(scores.argmax()), scores, 1.0, 0.0)
        parts = {name: values[row] for name, values in sources.items()}
        weighed = weigh(scores, parts, own, codes.labels, fusion, trust)
        decision = decide(weighed, [line], codes.labels, fusion, coder.options.max_codes)
        weight = 0.5 if twinned and len(gold[row]) > 1 else 1.0
        found.append(Case(text, decision, reads[row].pieces, own, scores, gold[row], weight))
    return found


def fit(
    cases: Sequence[Case], labels: Sequence[Pair], max_codes: int, fusion: Fusion, target_precision: float
) -> tuple[Several | None, dict[str, Any]]:
    """The weights, the least probability with the greatest mean of exact answers and micro-F1 over all cases, and `doubt`.

    The probabilities it is chosen by are cross-fitted. None where there are no right or no wrong candidates to learn
    from. `fusion` says which answers go without review so far.
    """
    from sklearn.linear_model import LogisticRegression

    none = len(labels) - 1
    asked: list[tuple[int, int, bool]] = []
    measures: list[tuple[float, ...]] = []
    for row, case in enumerate(cases):
        told = spans_of(case.decision.numbers, case.finds, labels)
        for one in candidates(case.text, case.pieces, told, case.model, labels) if case.decision.numbers else ():
            asked.append((row, one.number, one.number in case.gold))
            measures.append(one.measures)
    values = np.array(measures).reshape(-1, len(MEASURES))
    rows = np.array([row for row, _, _ in asked], int)
    right = np.array([good for _, _, good in asked], bool)
    weight = np.array([cases[row].weight for row in rows])
    chance = np.zeros(len(rows))
    for part in range(FOLDS):
        fitted = rows % FOLDS != part
        if len(set(right[fitted].tolist())) < 2:
            return None, {"rows": len(cases), "candidates": len(rows)}
        model = LogisticRegression(C=1.0).fit(values[fitted], right[fitted], sample_weight=weight[fitted])
        if not fitted.all():
            chance[~fitted] = model.predict_proba(values[~fitted])[:, 1]
    tried = {least: _score(cases, asked, chance, least, none, max_codes) for least in (NEVER, *STEPS)}
    least = max(tried, key=lambda one: (tried[one]["exact"] + tried[one]["f1"], one))
    model = LogisticRegression(C=1.0).fit(values, right, sample_weight=weight)
    weights = {name: round(float(value), 4) for name, value in zip(MEASURES, model.coef_[0], strict=True)}
    longest = max(len(case.text.split()) for case in cases)
    several = Several(weights, round(float(model.intercept_[0]), 4), least, longest, NEVER)
    doubt, doubted = _doubt(cases, labels, several, max_codes, fusion, target_precision)
    metrics = {
        "rows": len(cases),
        "longest": longest,
        "candidates": len(rows),
        "right": int(right.sum()),
        "weights": weights,
        "least": least,
        "without": tried[NEVER],
        "with": tried[least],
        "doubt": doubted,
    }
    return replace(several, doubt=doubt), metrics


def _doubt(
    cases: Sequence[Case], labels: Sequence[Pair], several: Several, max_codes: int, fusion: Fusion, precision: float
) -> tuple[float, dict[str, Any]]:
    """The least probability of a further code left out from which the answers that go without review are complete less
    often than `precision`, read off a falling curve; and what it does on the cases, those it was fitted on.
    """
    from sklearn.isotonic import IsotonicRegression

    none = len(labels) - 1
    left: list[tuple[float, bool, float]] = []  # of answers without review: what may be missing, complete, weight
    kept = complete = 0.0
    for case in cases:
        found = extend(case.decision, case.text, case.pieces, case.finds, case.model, labels, several, max_codes)
        if found.confidence >= fusion.least(found.ground):
            right = set(found.numbers) == {number for number in case.gold if number != none}
            kept, complete = kept + case.weight, complete + case.weight * right
            if found.missing > 0:
                left.append((found.missing, right, case.weight))
    doubt, sent, needless = NEVER, 0.0, 0.0
    if left:
        missing, good, weight = (np.array(column, float) for column in zip(*left, strict=True))
        curve = IsotonicRegression(increasing=False).fit(missing, good, sample_weight=weight).predict(missing)
        if (curve < precision).any():
            doubt = round(float(missing[curve < precision].min()) - 5e-7, 6)
            sent, needless = float(weight[missing >= doubt].sum()), float((weight * good)[missing >= doubt].sum())
    return doubt, {
        "least": doubt,
        "answered": kept,
        "complete": complete / kept if kept else None,
        "sent_to_review": sent,
        "of_those_complete": needless,
        "complete_after": (complete - needless) / (kept - sent) if kept > sent else None,
    }


def _score(
    cases: Sequence[Case],
    asked: Sequence[tuple[int, int, bool]],
    chance: Floats,
    least: float,
    none: int,
    max_codes: int,
) -> dict[str, float]:
    """Share of exact answers and micro-F1 with the further codes from a probability on, cases by their weight."""
    more: dict[int, list[int]] = {}
    for i in np.argsort(-chance, kind="stable").tolist():
        if chance[i] >= least:
            more.setdefault(asked[i][0], []).append(asked[i][1])
    exact = hit = size = 0.0
    for row, case in enumerate(cases):
        answer = {*[*case.decision.numbers, *more.get(row, ())][:max_codes]}
        gold = {number for number in case.gold if number != none}
        exact += case.weight * (answer == gold)
        hit += case.weight * len(answer & gold)
        size += case.weight * (len(answer) + len(gold))
    return {
        "exact": round(exact / sum(case.weight for case in cases), 6),
        "f1": round(2 * hit / size, 6) if size else 1.0,
    }
