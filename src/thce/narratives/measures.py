"""What the narratives are like, in numbers: `metrics/narratives.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from thce.narratives.contamination import Contamination
from thce.narratives.grammar import KINDS, Grammar
from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseSplit

Row = dict[str, Any]
_SAMPLE = 10_000


def summary(
    rows: Mapping[str, Sequence[Row]], phrases: PhraseSplit, grammar: Grammar, contamination: Contamination
) -> dict[str, Any]:
    """Counts per file, note kind and code type, lengths in words, phrases per code, variety, contamination."""
    per_code = sorted(len(group) for group in phrases.train.values())
    return {
        "files": {name: _file(group) for name, group in rows.items()},
        "phrases": {
            "codes": len(per_code),
            "training": sum(per_code),
            "training_per_code_min": per_code[0],
            "training_per_code_median": per_code[len(per_code) // 2],
            "held_out_for_test": len(phrases.test),
            "held_out_for_validation": len(phrases.val),
            "codes_without_test_phrase": len(phrases.without_test),
            "codes_without_validation_phrase": len(phrases.without_val),
        },
        "grammar": {
            "pieces": len(grammar.pieces),
            **{f"pieces_{split}": sum(piece.split == split for piece in grammar.pieces) for split in ("train", "val", "test")},
        },
        "distinct_4gram_ratio": distinct_ngrams([row["narrative"] for row in rows.get("train", ())][:_SAMPLE]),
        "distinct_narratives_possible": possible(phrases, grammar),
        "contamination": contamination.as_dict(),
    }


def _file(rows: Sequence[Row]) -> dict[str, Any]:
    lengths = sorted(len(row["narrative"].split()) for row in rows)
    codes = Counter((code["code_type"], code["code"]) for row in rows for code in row["codes"])
    return {
        "rows": len(rows),
        "words_median": lengths[len(lengths) // 2] if lengths else 0,
        "words_90_percent": lengths[int(0.9 * len(lengths))] if lengths else 0,
        "words_max": lengths[-1] if lengths else 0,
        "kinds": dict(sorted(Counter(row["kind"] for row in rows).items())),
        "code_types": dict(sorted(Counter(code["code_type"] for row in rows for code in row["codes"]).items())),
        "codes_per_row": {str(n): c for n, c in sorted(Counter(len(row["codes"]) for row in rows).items())},
        "phrase_kinds": dict(sorted(Counter(item["kind"] for row in rows for item in row["evidence"]).items())),
        "none_reasons": dict(sorted(Counter(row["none_reason"] for row in rows if row["none_reason"]).items())),
        "distinct_codes": len(codes),
        "rows_per_code_min": min(codes.values(), default=0),
        "rows_per_code_max": max(codes.values(), default=0),
    }


def distinct_ngrams(texts: Sequence[str], size: int = 4) -> float:
    """Distinct word n-grams over all word n-grams: 1 when nothing is ever said twice."""
    total = 0
    distinct: set[tuple[str, ...]] = set()
    for text in texts:
        words = key(text).split()
        grams = [tuple(words[start : start + size]) for start in range(len(words) - size + 1)]
        total += len(grams)
        distinct.update(grams)
    return len(distinct) / total if total else 0.0


def possible(phrases: PhraseSplit, grammar: Grammar) -> int:
    """A lower bound on different training narratives with one code: each phrase in each sentence it suits, alone or
    with one further sentence of the same note kind. Numbers, persons, abbreviations, case, distractors' phrases and
    longer notes would multiply it."""
    further = {kind: sum(len(grammar.roles.get(("train", kind, role), ())) for role in ("before", "after")) for kind in KINDS}
    per_fit: dict[tuple[str, str], int] = {}
    for (split, slot, fit), pieces in grammar.frames.items():
        if split == "train":
            per_fit[slot, fit] = sum(1 + further[piece.kind] for piece in pieces)
    return sum(
        per_fit[words.slot, "any"] + (per_fit.get((words.slot, "noun"), 0) if words.noun else 0)
        for group in phrases.train.values()
        for words in group
    )
