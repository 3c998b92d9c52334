"""Fit what turns a model into a coder: the lexical prior, the fusion weights, the confidence curve, the review
threshold.

Weights and curve are fitted on validation rows. What is reported, and what the curve and the threshold are fitted on,
comes from cross-fitting: every row is scored with weights fitted on the other folds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thce import answers
from thce.coder.coder import Coder
from thce.coder.fusion import DIRECT, MODEL, PRIOR, Fusion, combine
from thce.coder.prior import NO_CODE, Pair

FOLDS = 5
RIDGE = 1e-3
"""Pull of the weights towards 1 and of the bias towards 0, per row: decides only where validation says nothing."""

Floats = NDArray[np.float64]
Record = Mapping[str, Any]


def material(wordings: Iterable[Record], records: Iterable[Record], labels: Sequence[Pair]) -> tuple[list[str], list[int]]:
    """Texts and their label numbers for the prior, sorted, each pair once.

    From the base model's texts every wording with its code (titles, inclusion terms, training phrases); from training
    records the narratives with one code or none, and all evidence.
    """
    number = {label: i for i, label in enumerate(labels)}
    found: set[tuple[str, int]] = set()
    for wording in wordings:
        text, _, line = wording["text"].partition("\n")
        codes = answers.parse(line).codes
        if codes and (codes[0].code_type, codes[0].code) in number:
            found.add((text, number[codes[0].code_type, codes[0].code]))
    for record in records:
        about = record["_metadata"]
        gold = pairs_of(record)
        if len(gold) <= 1:
            label = gold[0] if gold else NO_CODE
            if label in number:
                found.add((narrative_of(record), number[label]))
        for item in about.get("evidence", ()):
            label = (item["code_type"], item["code"])
            if label in number:
                found.add((item["text"], number[label]))
    ordered = sorted(found)
    return [text for text, _ in ordered], [label for _, label in ordered]


def narrative_of(record: Record) -> str:
    """The user's turn of a prepared record of any stage."""
    messages = record.get("messages") or record["prompt"]
    return str(messages[1]["content"])


def pairs_of(record: Record) -> list[Pair]:
    """The right codes of a prepared record, most important first."""
    return [(item["code_type"], item["code"]) for item in record["_metadata"]["codes"]]


def sources_of(coder: Coder, narratives: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """Log-probabilities [narratives, labels] of the model after its reasoning, the model directly, and the prior."""
    codes, options = coder.codes(), coder.options
    beam, cutoff = options.beam, options.cutoff
    direct, _ = coder.decoder.scores([coder.prompt(text, False) for text in narratives], codes, beam, cutoff)
    answers = coder.decoder.constrained(
        [coder.prompt(text, True) for text in narratives],
        codes,
        think=True,
        max_reasoning=options.max_reasoning,
        max_codes=1,
        beam=beam,
        cutoff=cutoff,
    )
    think = np.stack([answer.lines[0].scores for answer in answers])
    return think, direct, coder.prior_scores(narratives, codes)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fusion, and what cross-fitting says of it: per row the fused probability of the winner, and whether it is
    right.
    """

    fusion: Fusion
    metrics: dict[str, Any]


def fit_mode(sources: Mapping[str, Floats], gold: Sequence[Sequence[int]], target_precision: float) -> Fitted:
    """Fit one way of answering. Each source is [rows, labels]; `gold` names the right labels of a row, the first one
    first.

    A row counts as right when the winner is its first label.
    """
    first = np.array([labels[0] for labels in gold])
    fold = np.arange(len(first)) % FOLDS
    fused = np.empty_like(sources[MODEL])
    for part in range(FOLDS):
        weights, bias = fit_weights({name: values[fold != part] for name, values in sources.items()}, first[fold != part])
        fused[fold == part] = combine({name: values[fold == part] for name, values in sources.items()}, weights, bias)
    winner = fused.argmax(axis=1)
    probability = np.exp(fused.max(axis=1))
    right = winner == first
    crossed = np.empty_like(probability)
    for part in range(FOLDS):
        curve = isotonic(probability[fold != part], right[fold != part])
        at, value = zip(*curve, strict=True)
        crossed[fold == part] = np.interp(probability[fold == part], at, value)
    better = _log_loss(crossed, right) < _log_loss(probability, right)
    curve = isotonic(probability, right) if better else ()
    sure = crossed if better else probability
    threshold = least_confidence(sure, right, target_precision)
    weights, bias = fit_weights(sources, first)
    kept = sure >= threshold
    metrics = {
        "rows": len(first),
        "weights": weights,
        "none_bias": bias,
        "accuracy": {name: float((values.argmax(axis=1) == first).mean()) for name, values in sorted(sources.items())}
        | {"fused": float(right.mean())},
        "log_loss": {name: float(-values[np.arange(len(first)), first].mean()) for name, values in sorted(sources.items())}
        | {"fused": float(-fused[np.arange(len(first)), first].mean())},
        "calibration": {
            "isotonic": bool(better),
            "ece_before": expected_error(probability, right),
            "ece_after": expected_error(sure, right),
        },
        "threshold": threshold,
        "coverage": float(kept.mean()),
        "precision": float(right[kept].mean()) if kept.any() else None,
    }
    return Fitted(Fusion(weights, bias, curve, threshold), metrics)


def fit_weights(sources: Mapping[str, Floats], first: NDArray[np.int64]) -> tuple[dict[str, float], float]:
    """Weights (not negative) and the bias of "no code" that make the right labels most probable."""
    from scipy.optimize import minimize

    names = sorted(sources)
    stack = np.stack([sources[name] for name in names])
    rows = np.arange(len(first))
    gold = stack[:, rows, first]
    is_none = first == stack.shape[2] - 1

    def loss(values: Floats) -> tuple[float, Floats]:
        weights, bias = values[:-1], float(values[-1])
        fused = combine({name: stack[i] for i, name in enumerate(names)}, dict(zip(names, weights.tolist(), strict=True)), bias)
        share = np.exp(fused)
        slope = np.append(np.einsum("snl,nl->s", stack, share) - gold.sum(axis=1), (share[:, -1] - is_none).sum())
        pull = values - np.append(np.ones(len(names)), 0.0)
        value = -fused[rows, first].sum() + 0.5 * RIDGE * len(rows) * float(pull @ pull)
        return float(value), slope + RIDGE * len(rows) * pull

    start = np.append(np.full(len(names), 1.0 / len(names)), 0.0)
    bounds = [(0.0, 10.0)] * len(names) + [(-20.0, 20.0)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return {name: round(float(weight), 4) for name, weight in zip(names, found[:-1], strict=True)}, round(float(found[-1]), 4)


def isotonic(probability: Floats, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """A rising curve from fused probability to share of right answers, ends kept away from 0 and 1 by one row."""
    from sklearn.isotonic import IsotonicRegression

    margin = 1.0 / (len(right) + 2)
    model = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip").fit(probability, right.astype(float))
    return tuple(
        (round(float(at), 6), round(float(value), 6))
        for at, value in zip(model.X_thresholds_, model.y_thresholds_, strict=True)
    )


def least_confidence(sure: Floats, right: NDArray[np.bool_], precision: float) -> float:
    """The smallest confidence at and above which the share of right answers reaches `precision`; above 1 when none
    does.
    """
    order = np.argsort(-sure, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last = np.append(sure[order][1:] != sure[order][:-1], True)  # rows of equal confidence stand or fall together
    enough = np.flatnonzero((share >= precision) & last)
    return round(float(sure[order][enough[-1]]) - 5e-7, 6) if len(enough) else 1.01


def expected_error(sure: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error over bins of equal width."""
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(float(sure[place == i].sum()) - float(right[place == i].sum())) for i in range(bins)]
    return sum(gaps) / len(right)


def _log_loss(sure: Floats, right: NDArray[np.bool_]) -> float:
    kept = np.clip(sure, 1e-6, 1 - 1e-6)
    return float(-np.log(np.where(right, kept, 1 - kept)).mean())


def source_names(think: bool, fusion: bool) -> tuple[str, ...]:
    """Which sources a way of answering has: without `fusion` the model alone."""
    if not fusion:
        return (MODEL,)
    return (DIRECT, MODEL, PRIOR) if think else (MODEL, PRIOR)
