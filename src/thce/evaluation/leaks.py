"""Has the test leaked into training or into the prompt? Checked on the files that are used, whatever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from thce.codes.book import CodeBook
from thce.evaluation.data import Item
from thce.evaluation.metrics import Answer, accuracy
from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex


def check(train: Iterable[str], tests: Sequence[Item], book: CodeBook, unseen: Sequence[str]) -> dict[str, Any]:
    """Counts of leaks, and up to five places each.

    `train` are all texts seen in training (narratives and wordings). Looked for: a test narrative that is a training text
    (`narrative`); an evidence phrase of a test set in `unseen` anywhere in a training text (`phrase`); a gold code written
    out in the test narrative, so that reading it off would do (`code`).
    """
    wanted = {key(phrase) for item in tests if item.test_set in unseen for phrase in item.phrases} - {""}
    index = PhraseIndex(sorted(wanted))
    seen: set[str] = set()
    texts: set[str] = set()
    for text in train:
        words = key(text)
        texts.add(words)
        seen.update(index.found(words))
    phrase = [f"{item.id}: `{part}`" for item in tests if item.test_set in unseen for part in item.phrases if key(part) in seen]
    narrative = [item.id for item in tests if key(item.narrative) in texts]
    code = [f"{item.id}: {one.code}" for item in tests for one in item.gold if _written(one.code, item.narrative)]
    found = {"narrative": narrative, "phrase": phrase, "code": code}
    return {name: len(places) for name, places in found.items()} | {
        "training_texts": len(texts),
        "examples": [f"{name}: {place}" for name, places in found.items() for place in places[:5]],
    }


def _written(code: str, narrative: str) -> bool:
    # HCPCS and CPT numbers and codes with a dot are never ordinary words; `I10` is not either
    words = {word.strip(".,;:()[]").upper() for word in narrative.split()}
    return code in words or code.replace(".", "") in words


def shuffled(items: Sequence[Item], answers: Sequence[Answer], seed: int, rounds: int = 20) -> dict[str, float]:
    """Accuracy against a shuffled gold, averaged over `rounds` shuffles, and what chance gives.

    Chance is the probability that the answer to one row is the gold of another drawn at random: a scorer that looks
    anywhere but at the answer lies above it.
    """
    golds = [item.gold for item in items]
    if not golds:
        return {"exact": 0.0, "chance": 0.0}
    random = Random(seed)
    total = 0.0
    for _ in range(rounds):
        order = list(golds)
        random.shuffle(order)
        total += accuracy(order, answers)
    share: dict[frozenset[Any], int] = {}
    for gold in golds:
        share[frozenset(gold)] = share.get(frozenset(gold), 0) + 1
    meetings = sum(share.get(frozenset(answer), 0) for answer in answers if answer is not None)
    return {"exact": total / rounds, "chance": meetings / len(golds) ** 2}
