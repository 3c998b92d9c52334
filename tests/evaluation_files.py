"""A whole set of small metric files, scored for real, that the report and the commands are tested with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codes_tables import book
from evaluation_rows import given, item, line, use, written

from thce.answers import Code
from thce.evaluation import leaks, summary
from thce.evaluation.data import Item, Prediction
from thce.evaluation.taxonomy import Taxonomy, report
from thce.files import write_json

POOL = [f"{entry.code_type} {entry.code}" for entry in book().scope][::20]


def tests() -> dict[str, list[Item]]:
    """Forty rows in four test sets; one narrative holds markup."""
    plain = [
        item(
            f"{name}{place}", gold, f"Dx <b>{gold.split()[1]}</b> & more.", test_set=name, tier="novel", group=f"g{place // 2}"
        )
        for name in ("known", "unseen_phrase")
        for place, gold in enumerate(POOL[:12])
    ]
    none = [item(f"n{place}", "", "Form mailed.", test_set="no_code", none_reason="negated") for place in range(8)]
    multi = [item(f"m{place}", f"{POOL[place]}, {POOL[place + 1]}", test_set="multi") for place in range(8)]
    return {
        "known": [one for one in plain if one.test_set == "known"],
        "unseen_phrase": [one for one in plain if one.test_set == "unseen_phrase"],
        "no_code": none,
        "multi": multi,
    }


def answers(every: int) -> dict[str, Prediction]:
    """Every `every`-th row is wrong."""
    rows: dict[str, Prediction] = {}
    for place, one in enumerate(row for part in tests().values() for row in part):
        gold = ", ".join(f"{code.code_type} {code.code}" for code in one.gold)
        text = POOL[(place + 5) % len(POOL)] if place % every == 0 else gold
        top = [[code.code_type, code.code, 0.5] for code in one.gold]
        rows[one.id] = given(one.id, text, confidence=0.3 if place % every == 0 else 0.8, top=top)
    return rows


def completions() -> dict[str, Prediction]:
    """Unconstrained answers: right, malformed, nonexistent in turn."""
    texts = (f"<think>\n- x\n</think>\n{line(POOL[0])}", "?", "ICD10: Q99.99 (Nothing)")
    items = [row for part in tests().values() for row in part]
    return {one.id: written(one.id, texts[place % 3], new_tokens=9) for place, one in enumerate(items)}


def influence() -> dict[str, Any]:
    """Numbers of the three interventions, each another one."""
    names = {
        "deletion": ("fall", "changed", "other_fall", "other_changed", "beyond_other"),
        "sufficiency": ("fall", "kept"),
        "swap": ("trace", "narrative"),
        "swap_without_code": ("trace", "narrative"),
    }
    values = iter(range(1, 12))
    return {
        kind: {name: {"value": (place := next(values)) / 16, "low": place / 32, "high": place / 14, "n": 40 + place}
               for name in parts}
        for kind, parts in names.items()
    }  # fmt: skip


def write(folder: Path) -> None:
    """All files of `metrics/` that the report needs, and those of two training stages."""
    found: dict[Any, Any] = {
        ("stage1", "constrained"): answers(2),
        ("stage1", "free"): completions(),
        ("stage2", "constrained"): answers(3),
        ("stage2", "free"): completions(),
        ("stage2", "direct"): answers(4),
        ("stage3", "constrained"): answers(3),
        ("system", "fused"): answers(5),
        ("retriever", "retriever"): answers(4),
    }
    floor: dict[Any, Any] = {("svm", "baseline"): answers(6), ("bm25", "baseline"): answers(2)}
    sets = tests()
    items = [one for part in sets.values() for one in part]
    numbers = summary.systems(sets, found, use())
    predictions = [found["system", "fused"][one.id] for one in items]
    status = {one.id: "review" if one.id.endswith("1") else "coded" for one in items}
    base = {name: modes["baseline"] for name, modes in summary.systems(sets, floor, use()).items()}
    chosen = {"system": found["system", "fused"], "retriever": found["retriever", "retriever"], "svm": floor["svm", "baseline"]}
    sure = {"system": found["system", "fused"], "stage3": found["stage3", "constrained"]}
    training = {Code(*gold.split()): place for place, gold in enumerate(POOL)}
    leaked = leaks.check(["Dx something else."], items, book(), ["unseen_phrase"])
    write_json(
        folder / "evaluate.json",
        {
            "setup": {
                "scope": len(book().scope),
                "releases": {"ICD10": "FY2026"},
                "rows": {name: len(part) for name, part in sets.items()},
                "resamples": 200,
                "precision": 0.95,
                "reasoning": True,
            },
            "systems": numbers,
            "best_baseline": summary.best_baselines(sets, floor),
            "compare": summary.comparisons(sets, found, floor, use()),
            "review": {
                name: summary.review(*summary.answered(part, found["system", "fused"]), status) for name, part in sets.items()
            },
            "influence": {"known": influence()},
            "leaks": leaked | {"shuffled": leaks.shuffled(items, [one.answer for one in predictions], 1)},
        },
    )
    write_json(folder / "baselines.json", {"fitted_on": {"rows": 1, "wordings": 1}, "systems": base})
    write_json(folder / "errors.json", report(items, predictions, Taxonomy(book()), examples=2))
    plots = {
        "accuracy": summary.accuracy_plot(numbers, base),
        "strata": summary.strata_plot(sets, chosen, training, use()),
        "confusion": summary.confusion_plot(sets, found["system", "fused"], use()),
        "reliability": summary.reliability_plot(sets, sure, use()),
        "risk_coverage": summary.risk_plot(sets, sure),
        "stage1_loss": [{"step": step, "loss": 5.0 / step} for step in range(1, 9)],
        "stage3_rewards": [{"step": step, "margin": 0.001 * step} for step in range(1, 9)],
    }
    for name, rows in plots.items():
        write_json(folder / "plots" / f"{name}.json", rows)
    write_json(folder / "base.json", {"parameters": 2_900_000, "vocabulary": 4000, "val_loss": {}})
    loss = {"before": 5.4, "after": 4.4}
    write_json(folder / "stage1.json", {"examples": 1000, "steps": 32, "tokens": 102_842, "val_loss": loss})
    held = {"before": {"loss": 5.0}, "after": {"loss": 4.9}}
    write_json(folder / "stage3.json", {"pairs": 14, "steps": 2, "held_out": held})
    write_json(folder / "narratives.json", {"files": {"train": {"rows": 4000, "distinct_codes": 800}}})
    write_json(folder / "pairs.json", {"train": {"origin": {"built": 4, "own": 10}, "samples_good": 0.25}})
    weights = {"rows": 700, "weights": {"model": 0.4, "prior": 1.3}}
    write_json(folder / "calibrate.json", {"think": weights, "direct": weights})
