"""From predictions to `metrics/evaluate.json`, the error report and the plot data. Needs no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from thce.answers import Code
from thce.evaluation import calibration, metrics, score, strata
from thce.evaluation.data import NO_CODE, Item, Prediction, Predictions
from thce.evaluation.score import Scoring

Systems = Mapping[tuple[str, str], Predictions]
"""(system, mode) -> id -> prediction."""

Tests = Mapping[str, Sequence[Item]]

Judge = Callable[[Sequence[Item], Sequence[Prediction]], list[bool]]
"""What makes an answer count, row by row."""

PARENTS = (("stage2", "stage1"), ("stage3", "stage2"), ("system", "stage3"), ("system", "retriever"))
"""What is compared with what it was made from."""

POINTS = 60
"""Points of a risk-coverage curve that are kept."""


def answered(items: Sequence[Item], predictions: Predictions) -> tuple[list[Item], list[Prediction]]:
    """The items this system was asked, in their order, with its answers."""
    asked = [item for item in items if item.id in predictions]
    return asked, [predictions[item.id] for item in asked]


def systems(tests: Tests, found: Systems, use: Scoring) -> dict[str, dict[str, Any]]:
    """system -> mode -> test set -> numbers; under `all` what is counted over all test sets together."""
    result: dict[str, dict[str, Any]] = {}
    for (system, mode), predictions in found.items():
        part: dict[str, Any] = {}
        every: tuple[list[Item], list[Prediction]] = ([], [])
        for name, items in tests.items():
            asked, answers = answered(items, predictions)
            if asked:
                part[name] = score.score_set(asked, answers, use)
                every[0].extend(asked)
                every[1].extend(answers)
        part["all"] = {"no_code": score.no_code(*every), "calibration": score.calibrated(*every, use)}
        result.setdefault(system, {})[mode] = part
    return result


def best_baselines(tests: Tests, baselines: Systems) -> dict[str, str]:
    """The baseline with the most exact answers on each test set. Chosen on the test itself, so in the baselines' favour."""
    best: dict[str, str] = {}
    for name, items in tests.items():
        hits = {system: sum(score.right(*answered(items, rows))) for (system, _), rows in sorted(baselines.items())}
        if hits:
            best[name] = max(hits, key=lambda system: hits[system])
    return best


def strongest(tests: Tests, baselines: Systems) -> str:
    """The baseline with the most exact answers over all test sets together."""
    items = [item for part in tests.values() for item in part]
    hits = {system: sum(score.right(*answered(items, rows))) for (system, _), rows in sorted(baselines.items())}
    return max(hits, key=lambda system: hits[system])


def comparisons(tests: Tests, found: Systems, baselines: Systems, use: Scoring) -> dict[str, Any]:
    """Each stage against its parent, the system against the best baseline, with and without reasoning: paired, per test set.

    A comparison covers the rows both were asked; positive differences favour the first of the two. What is compared is whether
    the answer is exact, or with `_holds` whether free reasoning holds in every part and ends, also over all sets together.
    """
    main = {name: mode for name, mode in found if mode not in ("free", "direct")}
    result: dict[str, Any] = {}
    for child, parent in PARENTS:
        if child in main and parent in main:
            result[f"{child}_vs_{parent}"] = _against(tests, found[child, main[child]], found[parent, main[parent]], use)
        if (child, "free") in found and (parent, "free") in found:
            result[f"{child}_vs_{parent}_free"] = _against(tests, found[child, "free"], found[parent, "free"], use)
            if parent != "stage1":  # which does not reason
                every = {**tests, "all": [item for items in tests.values() for item in items]}
                judge = partial(score.holds, book=use.book)
                result[f"{child}_vs_{parent}_holds"] = _against(every, found[child, "free"], found[parent, "free"], use, judge)
    for name in sorted(main):
        if (name, "direct") in found:
            result[f"{name}_reasoning_vs_direct"] = _against(tests, found[name, main[name]], found[name, "direct"], use)
    if "system" in main and baselines:
        best = best_baselines(tests, baselines)
        parts: dict[str, Any] = {}
        for name, items in tests.items():
            rows = next(rows for (system, _), rows in baselines.items() if system == best[name])
            parts |= _against({name: items}, found["system", main["system"]], rows, use)
        result["system_vs_best_baseline"] = parts
    return result


def _against(tests: Tests, a: Predictions, b: Predictions, use: Scoring, judge: Judge = score.right) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, items in tests.items():
        both = [item for item in items if item.id in a and item.id in b]
        if both:
            ours, theirs = (judge(both, [rows[item.id] for item in both]) for rows in (a, b))
            parts[name] = score.contrast(both, ours, theirs, use)
    return parts


def review(items: Sequence[Item], predictions: Sequence[Prediction], status: Mapping[str, str]) -> dict[str, float | None]:
    """What the threshold fitted on validation does on the test: the share answered without review, and the share of exact
    answers on either side of it (None for an empty side).
    """
    hits = score.right(items, predictions)
    sure = [hit for item, hit in zip(items, hits, strict=True) if status[item.id] != "review"]
    unsure = [hit for item, hit in zip(items, hits, strict=True) if status[item.id] == "review"]
    return {
        "n": len(items),
        "coverage": len(sure) / len(items) if items else 0.0,
        "exact_answered": metrics.mean(sure) if sure else None,
        "exact_review": metrics.mean(unsure) if unsure else None,
    }


def accuracy_plot(found: Mapping[str, Mapping[str, Any]], baselines: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows {test_set, system, mode, exact, low, high, n} over systems and baselines."""
    parts = [(system, mode, part) for system, modes in found.items() for mode, part in modes.items()]
    parts += [(system, "baseline", part) for system, part in baselines.items()]
    return [
        {"test_set": name, "system": system, "mode": mode, "exact": numbers["exact"]["value"]}
        | {key: numbers["exact"][key] for key in ("low", "high", "n")}
        for system, mode, part in parts
        for name, numbers in part.items()
        if "exact" in numbers
    ]


def strata_plot(
    tests: Tests, chosen: Mapping[str, Predictions], training: Mapping[Code, int], use: Scoring
) -> list[dict[str, Any]]:
    """Accuracy by stratum, of the rows with at most one code that all `chosen` systems were asked."""
    items = [
        item
        for part in tests.values()
        for item in part
        if len(item.gold) <= 1 and all(item.id in rows for rows in chosen.values())
    ]
    billing = strata.thirds({Code(*pair): -float(rank) for pair, rank in use.book.ranks.items()})
    trained = strata.thirds({code: float(count) for code, count in training.items()})
    keys = [strata.values(item, use.places["chapter"], billing, trained) for item in items]
    hits = {name: score.right(items, [rows[item.id] for item in items]) for name, rows in chosen.items()}
    return strata.table(items, hits, keys, use.seed, use.resamples)


def confusion_plot(tests: Tests, predictions: Predictions, use: Scoring) -> list[dict[str, Any]]:
    """Rows {gold, answered} with chapters, sections and letters, one per wrong or right first answer to a one-code row."""
    rows: list[dict[str, Any]] = []
    for item in (item for part in tests.values() for item in part if len(item.gold) <= 1 and item.id in predictions):
        first = predictions[item.id].first
        gold = use.places["chapter"](item.gold[0]) if item.gold else "no code"
        given = "unreadable" if first is None else "no code" if first == NO_CODE else use.places["chapter"](first)
        rows.append({"gold": gold, "answered": given or "not in the tables"})
    return sorted(rows, key=lambda row: (row["gold"], row["answered"]))


def reliability_plot(tests: Tests, chosen: Mapping[str, Predictions], use: Scoring) -> list[dict[str, Any]]:
    """Rows {system, confidence, accuracy, n} of equally filled bins."""
    return [
        {"system": name, "confidence": part.confidence, "accuracy": part.accuracy, "n": part.n}
        for name, rows in chosen.items()
        for part in calibration.equal_mass(*_confident(tests, rows), use.bins)
    ]


def risk_plot(tests: Tests, chosen: Mapping[str, Predictions]) -> list[dict[str, Any]]:
    """Rows {system, coverage, risk, threshold} of the risk-coverage curve, thinned to at most `POINTS` per system."""
    rows: list[dict[str, Any]] = []
    for name, predictions in chosen.items():
        points = calibration.risk_coverage(*_confident(tests, predictions))
        step = max(1, -(-len(points) // POINTS))
        for number, point in enumerate(points):
            if number % step == 0 or number == len(points) - 1:
                rows.append({"system": name} | point._asdict())
    return rows


def _confident(tests: Tests, predictions: Predictions) -> tuple[list[float], list[bool]]:
    items, answers = answered([item for part in tests.values() for item in part], predictions)
    return score.confident(items, answers)
