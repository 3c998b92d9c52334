"""Narrative rows that the reasoning tests share: hand-made ones, and synthetic ones written once per run."""

from __future__ import annotations

from functools import cache
from typing import Any

from codes_tables import book

from thce.narratives import synthetic
from thce.settings.narratives import NarrativesParams

SEED = 17
PARAMS = NarrativesParams(
    train=1700,
    multi_share=0.12,
    no_code_share=0.12,
    val=20,
    test_known=1,
    test_unseen_phrase=400,
    test_contrast=60,
    test_no_code=60,
    test_multi=60,
    test_unseen_multi=1,
    test_distractors=1,
    test_visits=1,
    val_visits=1,
    distractor_share=0.4,
    extra_sentences=0.6,
    abbreviation_rate=0.25,
    lower_rate=0.08,
    upper_rate=0.04,
    typo_rate=0.0,
    span_typo_rate=0.02,
)


@cache
def synthetic_rows() -> dict[str, list[dict[str, Any]]]:
    """All sets, small: every code in scope stands at least once in training."""
    return synthetic.build(synthetic.material(book(), "data/phrasebook", "data/grammar", SEED), PARAMS, SEED)


@cache
def all_rows() -> tuple[dict[str, Any], ...]:
    """The sets one after the other."""
    return tuple(row for rows in synthetic_rows().values() for row in rows)


def row(narrative: str, *codes: tuple[str, str, str], none: str | None = None) -> dict[str, Any]:
    """A row from a narrative and (code type, code, evidence words) triples."""
    evidence = []
    for code_type, code, words in codes:
        start = narrative.index(words)
        evidence.append(
            {
                "code_type": code_type,
                "code": code,
                "start": start,
                "end": start + len(words),
                "text": words,
                "phrase": words,
                "kind": "synonym",
            }
        )
    return {
        "id": f"hand-{len(narrative)}",
        "narrative": narrative,
        "codes": [{"code_type": code_type, "code": code} for code_type, code, _ in codes],
        "evidence": evidence,
        "template": "hand-001",
        "kind": "clinic",
        "source": "synthetic",
        "group": None,
        "none_reason": none,
    }
