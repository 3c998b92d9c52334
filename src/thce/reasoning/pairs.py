"""Preference pairs: from the model's own samples where they differ in worth, from built negatives where they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import product
from random import Random
from typing import Any

from thce.answers import parse
from thce.codes.book import CodeBook
from thce.reasoning.negatives import correct
from thce.reasoning.verify import count_tokens, verify
from thce.seeds import derive

WRONG, UNFAITHFUL, BROKEN = "wrong", "unfaithful", "broken"
"""How a sample fails: another answer in good form; the right answer on false claims; no readable or no finished answer."""

NO_CODE = "NONE"
"""What leads a pair whose text supports no code."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion of the model and whether it ended its turn."""

    text: str
    stopped: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample with its fault, None where it is right, faithful and finished."""

    text: str
    fault: str | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A chosen and a rejected completion. `origin`: `own` (both sampled), `completed` (the built trace against a sample that
    names codes, but fewer), `mended` (the built trace against another sample),
    `built` (a good sample, or the built trace, against a built negative) or `uncoded` (the same of a text without a code);
    `fault` names what is wrong with the rejected."""

    chosen: str
    rejected: str
    origin: str
    fault: str


def judge(row: Mapping[str, Any], sample: Sample, book: CodeBook) -> Judged:
    """What is wrong with a sample, if anything. `row` has `narrative` and the right `codes`."""
    verdict = verify(row["narrative"], sample.text, book)
    tokens = count_tokens(sample.text)
    right = correct(row, sample.text)
    if right and verdict.faithful and sample.stopped:
        return Judged(sample.text, None, tokens)
    if not sample.stopped or not verdict.format:
        return Judged(sample.text, BROKEN, tokens)
    return Judged(sample.text, UNFAITHFUL if right else WRONG, tokens)


def choose(judged: Sequence[Judged], trace: str, negative: tuple[str, str] | None) -> Pair | None:
    """The most instructive pair for one prompt.

    `trace` is the built completion, right by construction; `negative` a built negative as (fault, text). Of good and bad
    samples the two most alike are taken, so that what differs is what is wrong; the shorter ones where several are, and
    unreadable or unfinished ones only where there is no other. Without a good sample the built trace is mended to,
    or completed to where codes are missing.
    """
    good = sorted((one for one in judged if one.fault is None), key=lambda one: (one.tokens, one.text))
    bad = sorted((one for one in judged if one.fault is not None), key=lambda one: (one.tokens, one.text))
    bad = [one for one in bad if one.fault != BROKEN] or bad
    if bad:
        chosen = [one.text for one in good] or [trace]
        text, worse = max(product(chosen, bad), key=lambda pair: _alike(pair[0], pair[1].text))
        missing = 0 < len(parse(worse.text).codes) < len(parse(trace).codes)
        return Pair(text, worse.text, "own" if good else "completed" if missing else "mended", worse.fault or BROKEN)
    if negative is not None:
        return Pair(good[0].text if good else trace, negative[1], "built" if parse(trace).codes else "uncoded", negative[0])
    return None


def _alike(one: str, other: str) -> float:
    """How much of two texts is the same run of words, 0 to 1."""
    return SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio()


def mix(
    pairs: Sequence[tuple[str, str, Pair]], built_share: float, max_per_code: int, max_pairs: int, seed: int
) -> list[tuple[str, Pair]]:
    """At most `max_pairs` of the (id, first code, pair) triples, in seeded order: the model's own contrasts, then its completed
    and its mended samples, then built ones.

    Built pairs, `uncoded` ones among them, make up at most `built_share` of the result; no code leads more than
    `max_per_code` pairs. Pairs of texts without a code (`NO_CODE`) are not held to that: they are few, and without them the
    model learns to code whatever it reads.
    """
    order = list(pairs)
    Random(derive(seed, "mix")).shuffle(order)
    per_code: Counter[str] = Counter()
    taken: list[tuple[str, Pair]] = []

    def take(origins: Sequence[str], limit: int) -> None:
        for name, code, pair in order:
            if len(taken) >= limit:
                return
            if pair.origin in origins and (code == NO_CODE or per_code[code] < max_per_code):
                per_code[code] += 1
                taken.append((name, pair))

    for origin in ("own", "completed", "mended"):
        take([origin], round(max_pairs * (1 - built_share)))
    own = len(taken)
    built = round(own * built_share / (1 - built_share)) if built_share < 1 else max_pairs
    take(["built", "uncoded"], min(max_pairs, own + built))
    Random(derive(seed, "order")).shuffle(taken)
    return taken
