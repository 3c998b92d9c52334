"""All numbers of one system on one test set, and over all test sets: from items and predictions alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from thce.answers import CODE_TYPES, Code, parse
from thce.codes.book import CodeBook
from thce.evaluation import calibration, hierarchy, metrics, validity
from thce.evaluation.data import FREE, NO_CODE, Item, Prediction
from thce.evaluation.hierarchy import Place
from thce.evaluation.intervals import Interval, Paired, mean_interval, paired, ratio_interval
from thce.reasoning.metrics import faithfulness
from thce.reasoning.verify import verify

RANKS = (3, 5, 10)


class Scoring(NamedTuple):
    """What scoring needs beside items and predictions."""

    book: CodeBook
    places: Mapping[str, Place]
    scope: frozenset[Code]
    seed: int
    resamples: int
    bins: int
    precision: float


def scoring(book: CodeBook, seed: int, resamples: int, bins: int, precision: float) -> Scoring:
    """The places and the scope of a code book, with the dials of the numbers."""
    scope = frozenset(Code(entry.code_type, entry.code) for entry in book.scope)
    return Scoring(book, hierarchy.places(book), scope, seed, resamples, bins, precision)


def right(items: Sequence[Item], predictions: Sequence[Prediction]) -> list[bool]:
    """Exactly right or not, row by row."""
    return [metrics.exact(item.gold, answer.answer) for item, answer in zip(items, predictions, strict=True)]


def score_set(items: Sequence[Item], predictions: Sequence[Prediction], use: Scoring) -> dict[str, Any]:
    """The numbers of one test set. Which ones depends on its rows: one code, several, or none.

    `exact` everywhere: the answer is the gold, no more and no less. In mode `free` also what the completions are.
    """
    hits = right(items, predictions)
    result: dict[str, Any] = {"exact": _interval(hits, items, use)}
    if any(len(item.gold) > 1 for item in items):
        result |= _several(items, predictions, use)
    elif any(item.gold for item in items):
        result |= _one(items, predictions, hits, use)
    if any(not item.gold for item in items):
        result |= _none(items, hits)
    if any(prediction.mode == FREE for prediction in predictions):
        result["free"] = free(items, predictions, use)
    return result


def _one(items: Sequence[Item], predictions: Sequence[Prediction], hits: Sequence[bool], use: Scoring) -> dict[str, Any]:
    result: dict[str, Any] = {}
    coded = [number for number, item in enumerate(items) if item.gold]
    by_type: dict[str, list[int]] = {name: [] for name in CODE_TYPES}
    for number in coded:
        by_type[items[number].gold[0].code_type].append(number)
    result["code_type"] = {
        name: _interval([hits[number] for number in rows], [items[number] for number in rows], use)
        for name, rows in by_type.items()
        if rows
    }
    for level in ("chapter", "category"):
        rows = by_type["ICD10"] if level == "category" else coded
        place = use.places[level]
        result[level] = metrics.mean([hierarchy.near(items[i].gold, predictions[i].answer, place) for i in rows])
    result["prefix_overlap"] = metrics.mean(
        [hierarchy.mean_prefix_overlap(items[number].gold, predictions[number].answer) for number in coded]
    )
    ranked = [(items[number].gold[0], predictions[number].ranking) for number in coded]
    if any(ranking for _, ranking in ranked):
        result |= {f"top_{k}": metrics.mean([metrics.top_k(gold, row, k) for gold, row in ranked]) for k in RANKS}
        result["mrr"] = metrics.mean([metrics.reciprocal_rank(gold, row) for gold, row in ranked])
    groups = [items[number].group or items[number].id for number in coded]
    if len(set(groups)) < len(groups):
        whole = metrics.groups_right(groups, [hits[number] for number in coded])
        result["groups"] = mean_interval(whole, None, use.seed, use.resamples)._asdict()
    return result


def _several(items: Sequence[Item], predictions: Sequence[Prediction], use: Scoring) -> dict[str, Any]:
    golds, answers = [item.gold for item in items], [prediction.answer for prediction in predictions]
    rows = [metrics.counts(gold, answer) for gold, answer in zip(golds, answers, strict=True)]
    total = metrics.micro(golds, answers)
    f1 = ratio_interval(
        [2.0 * row.tp for row in rows],
        [float(2 * row.tp + row.fp + row.fn) for row in rows],
        None,
        use.seed,
        use.resamples,
    )
    pairs = list(zip(golds, answers, strict=True))
    volume = metrics.volume(golds, answers)
    result: dict[str, Any] = {
        "micro_f1": f1._asdict(),
        "micro_precision": total.precision,
        "micro_recall": total.recall,
        "macro_f1": metrics.macro_f1(golds, answers),
        "example_f1": metrics.mean([metrics.example_f1(gold, answer) for gold, answer in pairs]),
        "jaccard": metrics.mean([metrics.jaccard(gold, answer) for gold, answer in pairs]),
        "first_right": metrics.mean([bool(answer and answer[0] == gold[0]) for gold, answer in pairs if gold]),
        "codes_gold": volume.gold,
        "codes_answered": volume.answered,
        "over_coded": volume.over,
        "under_coded": volume.under,
    }
    for level in ("chapter", "category"):
        result[f"{level}_f1"] = hierarchy.count_preserving(golds, answers, use.places[level]).f1
    if any(prediction.ranking for prediction in predictions):
        ranked = [
            (item.gold, [code for code in prediction.ranking if code != NO_CODE])
            for item, prediction in zip(items, predictions, strict=True)
        ]
        result["map"] = metrics.mean([metrics.average_precision(gold, row) for gold, row in ranked])
        result["precision_at_5"] = metrics.mean([metrics.precision_at(gold, row, 5) for gold, row in ranked])
    return result


def _none(items: Sequence[Item], hits: Sequence[bool]) -> dict[str, Any]:
    reasons: dict[str, list[bool]] = {}
    for item, hit in zip(items, hits, strict=True):
        if not item.gold:
            reasons.setdefault(item.none_reason or "unknown", []).append(hit)
    return {"none_reason": {name: metrics.mean(values) for name, values in sorted(reasons.items())}}


def free(items: Sequence[Item], predictions: Sequence[Prediction], use: Scoring) -> dict[str, Any]:
    """What unconstrained completions are: valid or not, code and description at one, stopped, reasoned and faithful."""
    texts = [prediction.text or "" for prediction in predictions]
    parsed = [parse(text) for text in texts]
    agreed = [validity.agreement(item.gold, one, use.book) for item, one in zip(items, parsed, strict=True)]
    codes = sum(part.codes for part in agreed)
    stops = [prediction.stopped for prediction in predictions if prediction.stopped is not None]
    lengths = [prediction.new_tokens for prediction in predictions if prediction.new_tokens is not None]
    opened = ["<think>" in text for text in texts]
    result: dict[str, Any] = {
        "validity": validity.shares([validity.classify_parsed(one, use.book, use.scope) for one in parsed]),
        "description": {
            "agree": sum(part.agree for part in agreed) / codes if codes else 0.0,
            "code_right_description_wrong": sum(part.code_right_description_wrong for part in agreed),
            "description_right_code_wrong": sum(part.description_right_code_wrong for part in agreed),
        },
        "stopped": metrics.mean(stops),
        "new_tokens": metrics.mean([float(length) for length in lengths]),
        "reasoning": {"present": metrics.mean(opened)},
    }
    if any(opened):
        verdicts = [verify(item.narrative, text, use.book) for item, text in zip(items, texts, strict=True)]
        found = faithfulness(verdicts, right(items, predictions))
        found.pop("unsupported")
        result["reasoning"] |= {"closed": metrics.mean([one.reasoning is not None for one in parsed])} | found
    return result


def calibrated(items: Sequence[Item], predictions: Sequence[Prediction], use: Scoring) -> dict[str, Any]:
    """How far the confidence can be trusted, over rows with at most one gold code.

    Confidence is that of the first code (or of "no code"), so right here means: the first answer is the gold.
    """
    confidence, hits = confident(items, predictions)
    if not confidence:
        return {}
    return {
        "n": len(confidence),
        "accuracy": metrics.mean(hits),
        "confidence": metrics.mean(confidence),
        "ece": calibration.expected_error(calibration.equal_width(confidence, hits, use.bins)),
        "ece_adaptive": calibration.expected_error(calibration.equal_mass(confidence, hits, use.bins)),
        "brier": calibration.brier(confidence, hits),
        "log_loss": calibration.log_loss(confidence, hits),
        "aurc": calibration.aurc(confidence, hits),
        "coverage_at_precision": calibration.coverage_at(confidence, hits, use.precision),
    }


def confident(items: Sequence[Item], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
    """(confidence, first answer right) of the rows with at most one gold code and a stated confidence."""
    rows = [
        (prediction.confidence, prediction.first == (item.gold[0] if item.gold else NO_CODE))
        for item, prediction in zip(items, predictions, strict=True)
        if len(item.gold) <= 1 and prediction.confidence is not None
    ]
    return [value for value, _ in rows], [hit for _, hit in rows]


def no_code(items: Sequence[Item], predictions: Sequence[Prediction]) -> dict[str, float]:
    """Precision, recall and F1 of "no code" over all rows given."""
    found = metrics.no_code([item.gold for item in items], [prediction.answer for prediction in predictions])
    return {"precision": found.precision, "recall": found.recall, "f1": found.f1}


def contrast(items: Sequence[Item], a: Sequence[bool], b: Sequence[bool], use: Scoring) -> dict[str, Any]:
    """A against B on the same rows, as `Paired` says."""
    found: Paired = paired(a, b, [item.cluster for item in items], use.seed, use.resamples)
    return found._asdict()


def holds(items: Sequence[Item], predictions: Sequence[Prediction], book: CodeBook) -> list[bool]:
    """Whether each unconstrained completion ends its turn and holds in every part for the verifier, right or wrong."""
    return [
        bool(answer.stopped) and verify(item.narrative, answer.text or "", book).faithful
        for item, answer in zip(items, predictions, strict=True)
    ]


def _interval(hits: Sequence[bool], items: Sequence[Item], use: Scoring) -> dict[str, Any]:
    found: Interval = mean_interval(hits, [item.cluster for item in items], use.seed, use.resamples)
    return found._asdict()
