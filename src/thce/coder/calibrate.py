"""Fit what turns a model into a coder: the lexical prior, the known wordings, the fusion weights, the confidence curve,
the review threshold.

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
from thce.coder.fusion import CLAUSES, DIRECT, LOOKUP, MODEL, PRIOR, Fusion, combine
from thce.coder.lookup import Find
from thce.coder.prior import Pair
from thce.coder.trie import NO_CODE

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
    for text, pair in wordings_of(wordings, ()):
        if pair in number:
            found.add((text, number[pair]))
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


def wordings_of(texts: Iterable[Record], records: Iterable[Record]) -> list[tuple[str, Pair]]:
    """Every known wording with its code: the base model's texts, and the evidence of training records."""
    found: list[tuple[str, Pair]] = []
    for record in texts:
        text, _, line = record["text"].partition("\n")
        codes = answers.parse(line).codes
        if codes:
            found.append((text, (codes[0].code_type, codes[0].code)))
    for record in records:
        found += [(item["text"], (item["code_type"], item["code"])) for item in record["_metadata"].get("evidence", ())]
    return found


def sources_of(coder: Coder, narratives: Sequence[str], finds: Sequence[Sequence[Find]], first: bool) -> dict[str, Floats]:
    """Log-probabilities [narratives, labels] of every source of one way of answering; with `first` the model reasons
    before it answers.
    """
    codes = coder.codes()
    every = Fusion({DIRECT: 1.0 if first else 0.0, PRIOR: 1.0, CLAUSES: 1.0, LOOKUP: 1.0}, 0.0, (), 0.0)
    model = np.stack([answer.lines[0].scores for answer in coder.answers(narratives, codes, first)])
    return {MODEL: model, **coder.sources(narratives, finds, codes, every)}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fusion, and what cross-fitting says of it: per row the fused probability of the winner, and whether it is
    right.
    """

    fusion: Fusion
    metrics: dict[str, Any]


def fit_mode(sources: Mapping[str, Floats], gold: Sequence[Sequence[int]], target_precision: float) -> Fitted:
    """Fit one way of answering. Each source is [rows, labels]; `gold` names the right labels of a row.

    A row counts as right when the winner is one of them.
    """
    truth = np.zeros(sources[MODEL].shape, bool)
    for row, labels in enumerate(gold):
        truth[row, list(labels)] = True
    rows = np.arange(len(truth))
    fold = rows % FOLDS
    fused = np.empty_like(sources[MODEL])
    for part in range(FOLDS):
        weights, bias = fit_weights({name: values[fold != part] for name, values in sources.items()}, truth[fold != part])
        fused[fold == part] = combine({name: values[fold == part] for name, values in sources.items()}, weights, bias)
    winner = fused.argmax(axis=1)
    probability = np.exp(fused.max(axis=1))
    right = truth[rows, winner]
    crossed = np.empty_like(probability)
    for part in range(FOLDS):
        curve = isotonic(probability[fold != part], right[fold != part])
        at, value = zip(*curve, strict=True)
        crossed[fold == part] = np.interp(probability[fold == part], at, value)
    better = _log_loss(crossed, right) < _log_loss(probability, right)
    curve = isotonic(probability, right) if better else ()
    sure = crossed if better else probability
    threshold = least_confidence(sure, right, target_precision)
    weights, bias = fit_weights(sources, truth)
    kept = sure >= threshold
    metrics = {
        "rows": len(truth),
        "weights": weights,
        "none_bias": bias,
        "accuracy": {name: float(truth[rows, values.argmax(axis=1)].mean()) for name, values in sorted(sources.items())}
        | {"fused": float(right.mean())},
        "log_loss": {name: float(-_likelihood(values, truth).mean()) for name, values in sorted(sources.items())}
        | {"fused": float(-_likelihood(fused, truth).mean())},
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


def fit_weights(sources: Mapping[str, Floats], truth: NDArray[np.bool_]) -> tuple[dict[str, float], float]:
    """Weights (not negative) and the bias of "no code" that make the right labels of each row (`truth`, [rows, labels])
    together most probable.
    """
    from scipy.optimize import minimize

    names = sorted(sources)
    stack = np.stack([sources[name] for name in names])

    def loss(values: Floats) -> tuple[float, Floats]:
        weights, bias = values[:-1], float(values[-1])
        fused = combine({name: stack[i] for i, name in enumerate(names)}, dict(zip(names, weights.tolist(), strict=True)), bias)
        likelihood = _likelihood(fused, truth)
        share = np.exp(fused)
        excess = share - np.where(truth, np.exp(fused - likelihood[:, None]), 0.0)
        slope = np.append(np.einsum("snl,nl->s", stack, excess), excess[:, -1].sum())
        pull = values - np.append(np.ones(len(names)), 0.0)
        value = -likelihood.sum() + 0.5 * RIDGE * len(truth) * float(pull @ pull)
        return float(value), slope + RIDGE * len(truth) * pull

    start = np.append(np.full(len(names), 1.0 / len(names)), 0.0)
    bounds = [(0.0, 10.0)] * len(names) + [(-20.0, 20.0)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return {name: round(float(weight), 4) for name, weight in zip(names, found[:-1], strict=True)}, round(float(found[-1]), 4)


def _likelihood(fused: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Log-probability [rows] of the right labels together."""
    kept = np.where(truth, fused, -np.inf)
    high = kept.max(axis=1)
    result: Floats = high + np.log(np.exp(kept - high[:, None]).sum(axis=1))
    return result


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


def source_names(first: bool, fusion: bool) -> tuple[str, ...]:
    """Which sources a way of answering has: without `fusion` the model alone."""
    if not fusion:
        return (MODEL,)
    return (CLAUSES, DIRECT, LOOKUP, MODEL, PRIOR) if first else (CLAUSES, LOOKUP, MODEL, PRIOR)
