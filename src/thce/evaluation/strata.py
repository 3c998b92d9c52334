"""Where a system is good and where not: accuracy by properties of the row, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thce.answers import Code
from thce.evaluation.data import Item
from thce.evaluation.hierarchy import Place
from thce.evaluation.intervals import mean_interval

THIRDS = ("frequent", "middle", "rare")

STRATA = ("test_set", "code_type", "tier", "billing", "training", "kind", "chapter")
"""`tier`: how many content words of the phrase stand in the official title; `billing` and `training`: thirds of the codes by
how often they are billed and by how many training narratives they have."""


def thirds(frequency: Mapping[Code, float]) -> dict[Code, str]:
    """Each code's third, by falling frequency; equal frequencies are ordered by code, so that the thirds are equal in size."""
    ordered = sorted(frequency, key=lambda code: (-frequency[code], code))
    return {code: THIRDS[min(2, 3 * place // len(ordered))] for place, code in enumerate(ordered)}


def values(item: Item, chapter: Place, billing: Mapping[Code, str], training: Mapping[Code, str]) -> dict[str, str]:
    """The stratum of an item under each name of `STRATA`; the first gold code decides where codes matter."""
    if not item.gold:
        return {"test_set": item.test_set, "kind": item.kind, "code_type": "none"}
    code = item.gold[0]
    return {
        "test_set": item.test_set,
        "code_type": code.code_type,
        "tier": item.tier or "unknown",
        "billing": billing.get(code, "unknown"),
        "training": training.get(code, "never"),
        "kind": item.kind,
        "chapter": chapter(code) or "unknown",
    }


def table(
    items: Sequence[Item],
    right: Mapping[str, Sequence[bool]],
    keys: Sequence[Mapping[str, str]],
    seed: int,
    resamples: int,
) -> list[dict[str, Any]]:
    """Rows {stratum, value, system, exact, low, high, n}; `right` maps a system to right/wrong per item."""
    rows: list[dict[str, Any]] = []
    for stratum in STRATA:
        for value in sorted({key[stratum] for key in keys if stratum in key}):
            chosen = [number for number, key in enumerate(keys) if key.get(stratum) == value]
            clusters = [items[number].cluster for number in chosen]
            for system, hits in right.items():
                part = mean_interval([hits[number] for number in chosen], clusters, seed, resamples)
                rows.append(
                    {"stratum": stratum, "value": value, "system": system, "exact": part.value, "low": part.low}
                    | {"high": part.high, "n": part.n}
                )
    return rows
