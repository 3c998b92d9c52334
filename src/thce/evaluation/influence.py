"""What an answer hangs on: its quoted evidence, its trace, or neither. Three interventions, each on a few test rows.

Deletion: the quoted words are taken out of the narrative, beside it as many other words. Sufficiency: the quoted words
alone are the narrative. Both ask the whole system, and follow the probability of the answer it gave at first. Swap: the
model alone answers a narrative behind the trace it wrote for another one. The first two are the comprehensiveness and
sufficiency of ERASER (DeYoung et al. 2020) for one code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from thce.answers import Code, format_completion
from thce.coder.coder import Coder
from thce.coder.decode import ANSWER_ROOM
from thce.coder.prediction import Prediction
from thce.evaluation.data import NO_CODE, Item, capped
from thce.evaluation.intervals import mean_interval
from thce.reasoning import grammar
from thce.seeds import derive

SETS = ("known", "unseen_phrase")
"""The test sets with one code per row, where evidence has one right place."""

Span = tuple[int, int]

_WORD = re.compile(r"\S+")


class Dials(NamedTuple):
    """`rows` of each test set are asked; seed and resamples are those of the intervals."""

    rows: int
    seed: int
    resamples: int


class Effect(NamedTuple):
    """One row before and after an intervention: how far the probability of its first answer fell, and whether the answer
    is still the same.
    """

    fall: float
    same: bool


def influence(tests: Mapping[str, Sequence[Item]], system: Coder, model: Coder, think: bool, dials: Dials) -> dict[str, Any]:
    """Test set -> numbers of the three interventions, for those of `SETS` that are there; nothing with 0 rows.

    `system` is asked for deletion and sufficiency (with reasoning if `think`), `model` for the swap. Every number has
    `value`, `low`, `high` and `n`; `n` is smaller than `rows` where the system quotes nothing or the text holds nothing else.
    """
    found: dict[str, Any] = {}
    for name in SETS if dials.rows else ():
        items = capped(tests.get(name, ()), dials.rows)
        if items:
            found[name] = evidence(system, items, think, dials) | swaps(model, items, dials)
    return found


def evidence(coder: Coder, items: Sequence[Item], think: bool, dials: Dials) -> dict[str, Any]:
    """`deletion` and `sufficiency` of the evidence quoted for the first code of each answer."""
    cases: list[tuple[Item, Prediction, list[Span]]] = []
    for item, one in zip(items, coder.code([item.narrative for item in items], think=think), strict=True):
        spans = [(part.start, part.end) for part in one.codes[0].evidence] if one.codes else []
        if spans and _WORD.search(without(item.narrative, spans)):
            cases.append((item, one, spans))
    texts = [
        text
        for item, _, spans in cases
        for text in (
            without(item.narrative, spans),
            without(item.narrative, others(item.narrative, spans, derive(dials.seed, "influence", item.id))),
            only(item.narrative, spans),
        )
    ]
    # what is reasoned after the decision does not change it
    after = coder.code(texts, think=think and coder.options.reason_first) if texts else []
    rows = [one for _, one, _ in cases]
    gone, beside, alone = ([effect(a, b) for a, b in zip(rows, after[k::3], strict=True)] for k in range(3))
    clusters = [item.cluster for item, _, _ in cases]

    def interval(values: Sequence[float]) -> dict[str, Any]:
        return mean_interval(values, clusters, dials.seed, dials.resamples)._asdict()

    return {
        "deletion": {
            "fall": interval([one.fall for one in gone]),
            "changed": interval([not one.same for one in gone]),
            "other_fall": interval([one.fall for one in beside]),
            "other_changed": interval([not one.same for one in beside]),
            "beyond_other": interval([a.fall - b.fall for a, b in zip(gone, beside, strict=True)]),
        },
        "sufficiency": {
            "fall": interval([one.fall for one in alone]),
            "kept": interval([one.same for one in alone]),
        },
    }


def swaps(coder: Coder, items: Sequence[Item], dials: Dials) -> dict[str, Any]:
    """`swap` and `swap_without_code`: the share of answers that follow the foreign trace, and that follow the narrative.

    A row gets the trace of the next row whose own answer is another one. In `swap_without_code` the bullets that name
    the answer are left out of the foreign trace: then only its quotations and places speak.
    """
    opening = coder.options.max_reasoning + ANSWER_ROOM
    fitting = [item for item in items if len(coder.prompt(item.narrative, True)) + opening <= coder.decoder.model.context]
    written = coder.decoder.constrained(
        [coder.prompt(item.narrative, True) for item in fitting],
        coder.codes(),
        think=True,
        max_reasoning=coder.options.max_reasoning,
        max_codes=1,
        beam=coder.options.beam,
        cutoff=coder.options.cutoff,
    )
    traces = [one.reasoning or "" for one in written]
    own = [one.lines[0].number for one in written]
    pairs = [(place, donor) for place, donor in enumerate(donors(own)) if donor is not None]
    found: dict[str, Any] = {}
    for name, change in (("swap", str), ("swap_without_code", without_code)):
        asked = [(place, donor, change(traces[donor])) for place, donor in pairs]
        asked = [row for row in asked if row[2].strip()]
        chosen = behind(coder, [fitting[place].narrative for place, _, _ in asked], [trace for _, _, trace in asked])
        clusters = [fitting[place].cluster for place, _, _ in asked]
        sides = {
            "trace": [number == own[donor] for number, (_, donor, _) in zip(chosen, asked, strict=True)],
            "narrative": [number == own[place] for number, (place, _, _) in zip(chosen, asked, strict=True)],
        }
        found[name] = {
            side: mean_interval(hits, clusters, dials.seed, dials.resamples)._asdict() for side, hits in sides.items()
        }
    return found


def behind(coder: Coder, narratives: Sequence[str], traces: Sequence[str]) -> list[int]:
    """The number of the most probable code behind a given trace, for each narrative."""
    prompts = [
        [*coder.prompt(narrative, True), *coder.decoder.encode(format_completion(trace, ""))]
        for narrative, trace in zip(narratives, traces, strict=True)
    ]
    scores, _ = coder.decoder.scores(prompts, coder.codes(), coder.options.beam, coder.options.cutoff)
    return [int(row.argmax()) for row in scores]


def donors(answers: Sequence[int]) -> list[int | None]:
    """For each row the next one, round the end, with another answer; None where all answers are the same."""
    count = len(answers)
    return [
        next((other % count for other in range(row + 1, row + count) if answers[other % count] != answers[row]), None)
        for row in range(count)
    ]


def effect(before: Prediction, after: Prediction) -> Effect:
    """What became of the first answer of `before`; an answer that is not among the alternatives has probability 0."""
    answer = first(before)
    return Effect(_probability(before, answer) - _probability(after, answer), first(after) == answer)


def first(prediction: Prediction) -> Code:
    """The first code, or "no code"."""
    return Code(prediction.codes[0].code_type, prediction.codes[0].code) if prediction.codes else NO_CODE


def _probability(prediction: Prediction, answer: Code) -> float:
    shares = (share for kind, code, share in prediction.alternatives if Code(kind, code) == answer)
    return next(shares, 0.0)


def without(text: str, spans: Sequence[Span]) -> str:
    """The text with the spans taken out and a blank in their place."""
    kept, start = [], 0
    for left, right in sorted(spans):
        kept.append(text[start : max(start, left)])
        start = max(start, right)
    return " ".join(filter(None, (part.strip(" ") for part in [*kept, text[start:]]))).strip()


def only(text: str, spans: Sequence[Span]) -> str:
    """The spans alone, in their order, as sentences."""
    return " ".join(f"{text[left:right]}." for left, right in sorted(spans))


def others(text: str, spans: Sequence[Span], draw: int) -> list[Span]:
    """A run of as many words as the spans have, outside of them (all there are, where there are fewer); `draw` says where."""
    words = [match.span() for match in _WORD.finditer(text)]
    inside = [any(left < end and start < right for left, right in spans) for start, end in words]
    outside = [word for word, quoted in zip(words, inside, strict=True) if not quoted]
    size = min(sum(inside), len(outside))
    start = draw % (len(outside) - size + 1)
    return outside[start : start + size]


def without_code(trace: str) -> str:
    """A trace without the bullets that name its answer."""
    bullets = [(line, grammar.read(line)) for line in trace.split("\n")]
    return "\n".join(line for line, bullet in bullets if bullet is None or bullet.kind != grammar.ANSWER)
