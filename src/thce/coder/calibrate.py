"""Fit what turns a model into a coder: the lexical prior, the known wordings, the fusion weights, the confidence curve,
the review threshold.

Weights and curve are fitted on validation rows. Accuracy, log loss and calibration error are reported, and the curve is
fitted, by cross-fitting: every row is scored with weights fitted on the other folds. Thresholds, and the coverage and
precision they have here, are read off the curve on the rows it was fitted on, so the test sets say what they are worth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thce import answers
from thce.coder.coder import Coder
from thce.coder.deciding import DECIDING
from thce.coder.fusion import CLAUSES, DIRECT, EMPTY, LOOKUP, MODEL, NAMED, PRIOR, UNNAMED, Curve, Fusion, combine, ground
from thce.coder.lookup import Find, Finds, LookUp, measure, named
from thce.coder.near import NEARNESS
from thce.coder.prior import Pair
from thce.coder.reading import Read
from thce.coder.trie import NO_CODE
from thce.narratives.phrasebook import key
from thce.reasoning.words import sentences

FOLDS = 5
LEAST = 20
"""Rows a ground needs for a curve of its own; below, its rows are read off the curve of all."""

RIDGE = 1e-3
"""Pull of the weights towards 1 and of the bias towards 0, per row: decides only where validation says nothing."""

_FIGURE = re.compile(r"\d+")

Floats = NDArray[np.float64]
Record = Mapping[str, Any]


def material(wordings: Iterable[Record], records: Iterable[Record], labels: Sequence[Pair]) -> tuple[list[str], list[int]]:
    """Texts and their label numbers for the prior, sorted, each pair once.

    From the base model's texts every wording with its code (titles, inclusion terms, training phrases); from training
    records the narratives with one code or none, all evidence, and, as "no code", what they say beside it, so that
    padding speaks for nothing; of sentences that differ in figures alone one is enough.
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
    nothing: dict[str, str] = {}
    for record in records:
        for part in beside(narrative_of(record), record["_metadata"].get("evidence", ())):
            nothing.setdefault(key(_FIGURE.sub("0", part)), part)
    found.update((part, number[NO_CODE]) for part in nothing.values())
    ordered = sorted(found)
    return [text for text, _ in ordered], [label for _, label in ordered]


def beside(text: str, evidence: Iterable[Record]) -> Iterator[str]:
    """The sentences of a narrative with its evidence (`start`, `end`) cut out, part by part."""
    spans = sorted((int(item["start"]), int(item["end"])) for item in evidence)
    for start, end in sentences(text):
        at = start
        for left, right in (*((left, right) for left, right in spans if left < end and right > start), (end, end)):
            if key(text[at:left]):
                yield text[at:left].strip()
            at = max(at, right)


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


def sources_of(
    coder: Coder, narratives: Sequence[str], finds: Sequence[Sequence[Find]], reads: Sequence[Read], first: bool
) -> dict[str, Floats]:
    """Log-probabilities or scores [narratives, labels] of every source of one way of answering; with `first` the model
    reasons before it answers.
    """
    codes = coder.codes()
    names = (PRIOR, CLAUSES, LOOKUP, *NEARNESS, *((DIRECT,) if first else ()))
    answers = coder.answers(narratives, codes, first, further=lambda number, scores: False)
    model = np.stack([answer.lines[0].scores for answer in answers])
    words = [own.deciding(codes.labels) for own in finds if isinstance(own, Finds)]
    decided = {name: np.stack([one[name] for one in words]) for name in DECIDING} if len(words) == len(finds) else {}
    others = coder.sources(narratives, finds, reads, codes, Fusion(dict.fromkeys(names, 1.0), 0.0, (), 0.0))
    return {MODEL: model, **others, **decided}


def crossed_lookup(finds: Sequence[Sequence[Find]], truth: Sequence[Sequence[Pair]], labels: Sequence[Pair]) -> Floats:
    """The look-up's log-probabilities [rows, labels], each row's with the trust measured on the rows of other folds.

    The weights are then fitted on trust as it will be met: not measured on the row itself.
    """
    scores = np.zeros((len(finds), len(labels)))
    for part in range(FOLDS):
        others = [row for row in range(len(finds)) if row % FOLDS != part]
        look_up = LookUp({}, measure([finds[row] for row in others], [truth[row] for row in others]))
        for row in range(part, len(finds), FOLDS):
            scores[row] = look_up.scores(finds[row], labels)
    return scores


def names_of(finds: Sequence[Sequence[Find]], labels: Sequence[Pair], trust: Mapping[str, float]) -> NDArray[np.bool_]:
    """Which labels a trusted known wording of a row names, [rows, labels]."""
    told = np.zeros((len(finds), len(labels)), bool)
    for row, own in enumerate(finds):
        told[row, list(named(own, labels, trust))] = True
    return told


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fusion, and what cross-fitting says of it: per row the fused probability of the winner, and whether it is
    right.
    """

    fusion: Fusion
    metrics: dict[str, Any]


def fit_mode(
    sources: Mapping[str, Floats],
    gold: Sequence[Sequence[int]],
    target_precision: float,
    told: NDArray[np.bool_] | None = None,
) -> Fitted:
    """Fit one way of answering. Each source is [rows, labels]; `gold` names the right labels of a row, `told` (see
    `names_of`) the labels that a known wording names.

    A row counts as right when the winner is one of them. Of three ways to read a confidence (the fused probability
    itself, one curve, a curve for each ground) the one is kept that foretells right and wrong best on rows it was not
    fitted on. The thresholds are read off the curves of all rows.
    """
    truth = np.zeros(sources[MODEL].shape, bool)
    for row, labels in enumerate(gold):
        truth[row, list(labels)] = True
    rows = np.arange(len(truth))
    fold = rows % FOLDS
    fused = np.empty_like(sources[MODEL])
    weights, bias = fit_weights(sources, truth)
    for part in range(FOLDS):
        others = {name: values[fold != part] for name, values in sources.items()}
        held = {name: values[fold == part] for name, values in sources.items()}
        # the search begins at the weights of all rows, which is near; where it ends is up to the other folds alone
        fused[fold == part] = combine(held, *fit_weights(others, truth[fold != part], (weights, bias)))
    winner = fused.argmax(axis=1)
    probability = np.exp(fused.max(axis=1))
    right = truth[rows, winner]
    size = len(truth[0])
    stands = np.array(
        [ground(int(win), size, told is not None and bool(told[row, win])) for row, win in zip(rows, winner, strict=True)]
    )
    read = {"none": probability, "one": np.empty_like(probability), "grounds": np.empty_like(probability)}
    for part in range(FOLDS):
        fitted, asked = fold != part, fold == part
        one = Fusion({}, 0.0, isotonic(probability[fitted], right[fitted]), 0.0)
        own = Fusion({}, 0.0, one.curve, 0.0, _grounds(probability[fitted], right[fitted], stands[fitted]))
        read["one"][asked] = [one.confidence(value) for value in probability[asked]]
        read["grounds"][asked] = [
            own.confidence(value, at) for value, at in zip(probability[asked], stands[asked], strict=True)
        ]
    kind = min(read, key=lambda name: _log_loss(read[name], right))
    curve = isotonic(probability, right) if kind != "none" else ()
    grounds = _grounds(probability, right, stands) if kind == "grounds" else {}
    # the thresholds belong to the curves that will be used: those of single folds have their steps at other heights
    used = Fusion(weights, bias, curve, 0.0, grounds)
    given = np.array([used.confidence(value, str(at)) for value, at in zip(probability, stands, strict=True)])
    threshold, thresholds = _thresholds(given, right, stands, target_precision)
    kept = given >= np.array([thresholds.get(str(name), threshold) for name in stands])
    spread = {name: values for name, values in sorted(sources.items()) if name not in (*DECIDING, *NEARNESS)}  # distributions
    metrics = {
        "rows": len(truth),
        "weights": weights,
        "none_bias": bias,
        "accuracy": {name: float(truth[rows, values.argmax(axis=1)].mean()) for name, values in spread.items()}
        | {"fused": float(right.mean())},
        "log_loss": {name: float(-_likelihood(values, truth).mean()) for name, values in spread.items()}
        | {"fused": float(-_likelihood(fused, truth).mean())},
        "calibration": {
            "curves": kind,
            "log_loss": {name: _log_loss(values, right) for name, values in read.items()},
            "ece_before": expected_error(probability, right),
            "ece_after": expected_error(read[kind], right),
        },
        "threshold": threshold,
        "thresholds": thresholds,
        "coverage": float(kept.mean()),
        "precision": float(right[kept].mean()) if kept.any() else None,
        "by_ground": {name: _answered(right, kept, stands == name) for name in (NAMED, UNNAMED, EMPTY)},
    }
    return Fitted(Fusion(weights, bias, curve, threshold, grounds, thresholds), metrics)


def _thresholds(
    sure: Floats, right: NDArray[np.bool_], stands: NDArray[np.str_], precision: float
) -> tuple[float, dict[str, float]]:
    """The least confidence from which the answers of all rows are right often enough, and for every ground with `LEAST` rows
    the least from which its own are too. Of a ground whose answers never are, no row is answered.
    """
    overall = least_confidence(sure, right, precision)
    least: dict[str, float] = {}
    for name in (NAMED, UNNAMED, EMPTY):
        own = stands == name
        if own.sum() >= LEAST:
            above = float(sure[own].max()) + 1e-6
            least[name] = max(overall, min(least_confidence(sure[own], right[own], precision), above))
    return round(overall, 6), {name: round(value, 6) for name, value in least.items()}


def _grounds(probability: Floats, right: NDArray[np.bool_], stands: NDArray[np.str_]) -> dict[str, Curve]:
    """A curve for every ground with `LEAST` rows."""
    enough = [name for name in (NAMED, UNNAMED, EMPTY) if (stands == name).sum() >= LEAST]
    return {name: isotonic(probability[stands == name], right[stands == name]) for name in enough}


def _answered(right: NDArray[np.bool_], kept: NDArray[np.bool_], own: NDArray[np.bool_]) -> dict[str, float | int | None]:
    """Of the rows of one ground: how many, the share answered without review, the share of those that is right."""
    both = kept & own
    return {
        "rows": int(own.sum()),
        "coverage": float(both.sum() / own.sum()) if own.any() else None,
        "precision": float(right[both].mean()) if both.any() else None,
    }


def fit_weights(
    sources: Mapping[str, Floats], truth: NDArray[np.bool_], begin: tuple[Mapping[str, float], float] | None = None
) -> tuple[dict[str, float], float]:
    """Weights (not negative) and the bias of "no code" that make the right labels of each row (`truth`, [rows, labels])
    together most probable; the search begins at `begin`, or at equal weights.
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

    weights, bias = begin or (dict.fromkeys(names, 1.0 / len(names)), 0.0)
    start = np.array([*(weights[name] for name in names), bias])
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
    """The smallest confidence at and above which the share of right answers, less one standard error, reaches `precision`;
    above 1 when none does.

    The smallest of many is found where chance was kind; without the standard error too little is kept of what is promised.
    """
    order = np.argsort(-sure, kind="stable")
    count = np.arange(1, len(order) + 1)
    share = np.cumsum(right[order]) / count
    share -= np.sqrt(share * (1 - share) / count)
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
    every = (*DECIDING, *NEARNESS, CLAUSES, LOOKUP, MODEL, PRIOR)
    return (*every, DIRECT) if first else every
