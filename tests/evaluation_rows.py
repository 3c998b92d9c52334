"""Test narratives and predictions that the tests of this room share: real phrases in simple sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from codes_tables import book

from thce.answers import Code, format_answer
from thce.evaluation import score
from thce.evaluation.data import Item, Prediction, to_prediction
from thce.narratives import phrasebook

SENTENCES = ("Assessment: {}.", "Seen today for {}.", "Dx {}.")


def code(text: str) -> Code:
    """`ICD10 J20.9` as a code."""
    return Code(*text.split())


def codes(text: str) -> tuple[Code, ...]:
    """`ICD10 J20.9, CPT 99213` as codes; an empty text as none."""
    return tuple(code(part.strip()) for part in text.split(",") if part.strip())


def item(number: int | str, gold: str, narrative: str = "Seen.", **about: Any) -> Item:
    """A test row; `gold` as in `codes`."""
    values: dict[str, Any] = {
        "id": str(number),
        "test_set": "known",
        "narrative": narrative,
        "gold": codes(gold),
        "phrases": (),
        "spans": (),
        "kind": "clinic",
        "group": None,
        "none_reason": None,
        "template": "",
        "tier": None,
        "source": "synthetic",
    }
    return Item(**values | about)


def given(number: int | str, answer: str | None, **more: Any) -> Prediction:
    """A prediction with these codes; None: nothing readable."""
    row: dict[str, Any] = {"id": str(number), "system": "s", "mode": "constrained"}
    if answer is not None:
        row["codes"] = [{"code_type": one.code_type, "code": one.code} for one in codes(answer)]
    return to_prediction(row | more)


def written(number: int | str, text: str, **more: Any) -> Prediction:
    """An unconstrained completion."""
    return to_prediction({"id": str(number), "system": "s", "mode": "free", "text": text, "stopped": True} | more)


def line(text: str) -> str:
    """The answer line of a code with its own description."""
    entry = book().find(*text.split())
    assert entry is not None
    return format_answer([(entry.code_type, entry.code, entry.short_title)])


@cache
def use() -> score.Scoring:
    """How the tests score."""
    return score.scoring(book(), seed=3, resamples=200, bins=10, precision=0.95)


@cache
def phrases() -> list[phrasebook.Phrase]:
    """The real phrasebook."""
    return phrasebook.read("data/phrasebook", {(entry.code_type, entry.code): entry.title for entry in book().scope})


def record(number: str, narrative: str, gold: Sequence[Code], phrase: str, **about: Any) -> dict[str, Any]:
    """A prepared test record."""
    start = narrative.index(phrase)
    evidence = [
        {
            "code_type": one.code_type,
            "code": one.code,
            "start": start,
            "end": start + len(phrase),
            "text": phrase,
            "phrase": phrase,
            "kind": "synonym",
        }
        for one in gold
    ]
    metadata = {
        "id": number,
        "codes": [{"code_type": one.code_type, "code": one.code} for one in gold],
        "evidence": evidence,
        "kind": "clinic",
        "group": None,
        "none_reason": None,
        "template": "clinic-001",
        "source": "synthetic",
        "tier": "partial",
    }
    messages = [{"role": "system", "content": "Give the billing codes."}, {"role": "user", "content": narrative}]
    return {"messages": messages, "_metadata": metadata | about}


def training_and_test(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training records from all phrases but the last of the first `count` codes in scope, test records from that one."""
    by_code: dict[Code, list[str]] = {}
    for phrase in phrases():
        by_code.setdefault(Code(phrase.code_type, phrase.code), []).append(phrase.text)
    train: list[dict[str, Any]] = []
    test: list[dict[str, Any]] = []
    for one in sorted(by_code)[:count]:
        *known, last = by_code[one]
        for place, text in enumerate(known):
            narrative = SENTENCES[place % 2].format(text)
            train.append(record(f"train-{len(train)}", narrative, [one], text))
        test.append(record(f"test-{len(test)}", SENTENCES[2].format(last), [one], last))
    return train, test
