"""Hard negatives: completions that look right and are wrong in one way that is named.

They fill the preference pairs where the model's own samples give no contrast. None of them is both faithful and
correct.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Any

from thce import answers
from thce.answers import NONE_ANSWER, format_answer, format_completion
from thce.codes.book import CodeBook, Entry
from thce.reasoning import grammar, words
from thce.reasoning.build import answer, nearest, none_quotes, place, quotable, trace, true_of
from thce.reasoning.grammar import ANSWER, EVIDENCE, PLACEMENT
from thce.reasoning.knowledge import Knowledge, knowledge
from thce.reasoning.verify import verify
from thce.seeds import derive

KINDS = ("neighbour", "invented", "rambling", "overcoding", "denied", "forced", "misplaced", "unstopped")
"""`neighbour`: a sibling code with a plausible deciding step; `invented`: the right code on words that are not in the
text; `rambling`: hedging or repeating beyond the length allowed; `overcoding`: one code more than the text supports;
`denied`: a denied, family or ruled-out condition coded; `forced`: a code for a text without one; `misplaced`: a place
the table does not know; `unstopped`: the model goes on after its answer."""

_HEDGES = (
    "Could also be {code}, hard to say",
    "Maybe {code}? Not sure, the text is vague",
    "Perhaps {title} should be considered first",
    "On the other hand {code} is possible too",
    "Let me think again about {title}",
    "It might be safer to report {code}",
)


@dataclass(frozen=True, slots=True)
class Negative:
    """A rejected completion and the way in which it is wrong, one of `KINDS`."""

    kind: str
    text: str


_FIRST = {"neighbour": 4, "denied": 6, "forced": 3}
"""How much likelier a kind is to be tried first; the others have 1. Denied findings are rare, so they lead
where there are any.
"""

Row = Mapping[str, Any]
Pair = tuple[str, str]


def correct(row: Row, text: str) -> bool:
    """Whether a completion answers exactly the row's codes, whatever their order."""
    parsed = answers.parse(text)
    gold = {(item["code_type"], item["code"]) for item in row["codes"]}
    return parsed.well_formed and {(code.code_type, code.code) for code in parsed.codes} == gold


def negatives(row: Row, book: CodeBook, seed: int, found: Sequence[tuple[str, Pair]] = ()) -> list[Negative]:
    """Every kind of hard negative the row allows, in the order of `KINDS`.

    `found` lists (words, code) of training phrases that stand in the narrative; those in denied sentences make
    `denied`.
    """
    made = (negative(row, book, seed, kind, found) for kind in KINDS)
    return [item for item in made if item is not None]


def negative(row: Row, book: CodeBook, seed: int, kind: str, found: Sequence[tuple[str, Pair]] = ()) -> Negative | None:
    """The row's hard negative of one kind; None where the row allows none (no sibling in scope, nothing denied ...)."""
    rng = Random(derive(seed, "negatives", kind, str(row["id"])))
    text = _MAKERS[kind](row, knowledge(book), rng, seed, found)
    if text is None or (correct(row, text) and verify(row["narrative"], text, book).faithful):
        return None
    return Negative(kind, text)


def one_negative(row: Row, book: CodeBook, seed: int, found: Sequence[tuple[str, Pair]] = ()) -> Negative | None:
    """One of the row's hard negatives: kinds are tried in a drawn order in which those of `_FIRST` tend to
    stand early.
    """
    rng = Random(derive(seed, "negative", str(row["id"])))
    ranked = sorted(KINDS, key=lambda kind: (rng.random() ** (1 / _FIRST.get(kind, 1)), kind), reverse=True)
    return next((made for kind in ranked if (made := negative(row, book, seed, kind, found))), None)


def _groups(lines: Sequence[str]) -> list[list[str]]:
    return [[lines[at] for at in group] for group in grammar.groups([grammar.read(line) for line in lines])]


def _pairs(row: Row) -> list[Pair]:
    return [(item["code_type"], item["code"]) for item in row["codes"]]


def _answer(pairs: Sequence[Pair], book: CodeBook) -> str:
    entries = [entry for pair in pairs if (entry := book.find(*pair))]
    return format_answer([(entry.code_type, entry.code, entry.short_title) for entry in entries])


def _quote(row: Row, pair: Pair) -> str:
    return next(quotable(row["narrative"], item) for item in row["evidence"] if (item["code_type"], item["code"]) == pair)


def _group(quote: str, pair: Pair, facts: Knowledge, decision: str = "", pick: int = 0) -> list[str]:
    lines = [
        grammar.write(EVIDENCE, pick, quote=quote),
        place(pair, facts, pick),
        grammar.write(ANSWER, 0, code=pair[1]),
        decision,
    ]
    return [line for line in lines if line]


def _near(row: Row, pair: Pair, facts: Knowledge, rng: Random) -> Entry | None:
    gold = set(_pairs(row))
    choices = [entry for entry in nearest(pair, facts)[:4] if (entry.code_type, entry.code) not in gold]
    return choices[rng.randrange(len(choices))] if choices else None


def _neighbour(row: Row, facts: Knowledge, rng: Random, seed: int, found: object) -> str | None:
    pairs = _pairs(row)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    other = _near(row, pairs[at], facts, rng)
    if other is None:
        return None
    quote = _quote(row, pairs[at])
    wrong = (other.code_type, other.code)
    groups = _groups(trace(row, facts.book, seed).split("\n"))
    decision = _false_decision(row["narrative"], quote, pairs[at], wrong, facts, rng) if len(pairs) == 1 else ""
    groups[at] = _group(quote, wrong, facts, decision, rng.randrange(100))
    pairs[at] = wrong
    return format_completion("\n".join(chain.from_iterable(groups)), _answer(pairs, facts.book))


def _false_decision(narrative: str, quote: str, gold: Pair, wrong: Pair, facts: Knowledge, rng: Random) -> str:
    """A deciding step as one would write it for the wrong code: its own side, encounter or type read into the text."""
    said = [match for match in quote.replace('"', "").split() if words.is_evidence(match)] or [quote.replace('"', "")]
    word = said[rng.randrange(len(said))].strip(",.;:()") or said[0]
    pick = rng.randrange(2)
    values = facts.values(*wrong)
    claims = [grammar.write("stated", pick, value=value.name) for value in rng.sample(values, len(values))]
    claims += [grammar.write("absent", pick, thing=axis, tail="") for axis in facts.axes(*wrong)[:1]]
    claims.append(grammar.write("contrast", pick, quote=word, other=gold[1]))
    return next((claim for claim in claims if not true_of(narrative, quote, wrong, claim, facts)), "")


def _invented(row: Row, facts: Knowledge, rng: Random, seed: int, found: object) -> str | None:
    pairs = _pairs(row)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    entry = facts.book.find(*pairs[at])
    title = entry.short_title if entry else ""
    made = [*facts.book.terms(*pairs[at]), title, f"{title} is confirmed", f"known {title}"]
    made = [text[0].lower() + text[1:] for text in made if text and "\n" not in text]
    made = [text for text in made if text not in row["narrative"]]
    if not made:
        return None
    groups = _groups(trace(row, facts.book, seed).split("\n"))
    lines = [line for line in groups[at] if _kind(line) not in (EVIDENCE, "value", "stated", "contrast", "range")]
    groups[at] = [grammar.write(EVIDENCE, rng.randrange(3), quote=made[rng.randrange(len(made))]), *lines]
    return format_completion("\n".join(chain.from_iterable(groups)), answer(row, facts.book))


def _kind(line: str) -> str:
    bullet = grammar.read(line)
    return bullet.kind if bullet else ""


def _rambling(row: Row, facts: Knowledge, rng: Random, seed: int, found: object) -> str | None:
    pairs = _pairs(row)
    near = nearest(pairs[0], facts)[:6] if pairs else [facts.book.scope[rng.randrange(len(facts.book.scope))] for _ in range(4)]
    lines = trace(row, facts.book, seed).split("\n")
    if not near:
        return None
    hedges = list(_HEDGES)
    rng.shuffle(hedges)
    added = []
    for number, hedge in enumerate(hedges[: 3 + rng.randrange(3)]):
        entry = near[number % len(near)]
        added.append("- " + hedge.format(code=entry.code, title=entry.short_title))
    return format_completion("\n".join([lines[0], *added, *lines[1:]]), answer(row, facts.book))


def _overcoding(row: Row, facts: Knowledge, rng: Random, seed: int, found: object) -> str | None:
    pairs = _pairs(row)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    other = _near(row, pairs[at], facts, rng)
    if other is None:
        return None
    extra = (other.code_type, other.code)
    added = _group(_quote(row, pairs[at]), extra, facts, pick=rng.randrange(100))
    return format_completion(
        "\n".join([*trace(row, facts.book, seed).split("\n"), *added]), _answer([*pairs, extra], facts.book)
    )


def _denied(row: Row, facts: Knowledge, rng: Random, seed: int, found: Sequence[tuple[str, Pair]]) -> str | None:
    gold = set(_pairs(row))
    choices: list[tuple[str, Pair]] = []
    for quote, pair in found:
        spots = list(words.places(row["narrative"], quote))
        if pair not in gold and spots and all(words.denial(row["narrative"], *spot) for spot in spots):
            choices.append((quote, pair))
    if not choices:
        return None
    quote, pair = choices[rng.randrange(len(choices))]
    lines = _group(quote, pair, facts, pick=rng.randrange(100))
    if row["codes"] and rng.random() < 0.5:
        return format_completion(
            "\n".join([*trace(row, facts.book, seed).split("\n"), *lines]), _answer([*_pairs(row), pair], facts.book)
        )
    return format_completion("\n".join(lines), _answer([pair], facts.book))


def _forced(row: Row, facts: Knowledge, rng: Random, seed: int, found: object) -> str | None:
    if row["codes"]:
        return None
    quote = next(none_quotes(row["narrative"], row["none_reason"]), "")
    if not quote:
        return None
    told = words.roots(quote)
    ranked = sorted(
        facts.book.scope,
        key=lambda entry: (-len(told & facts.title_roots(entry.code_type, entry.code)), len(entry.title), entry.code),
    )
    entry = ranked[rng.randrange(3)]
    pair = (entry.code_type, entry.code)
    return format_completion("\n".join(_group(quote, pair, facts, pick=rng.randrange(100))), _answer([pair], facts.book))


def _misplaced(row: Row, facts: Knowledge, rng: Random, seed: int, found: object) -> str | None:
    pairs = _pairs(row)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    known = set(facts.labels(*pairs[at]))
    others = [entry for entry in facts.book.scope if entry.code_type == pairs[at][0]]
    for _ in range(20):
        other = others[rng.randrange(len(others))]
        line = place((other.code_type, other.code), facts, rng.randrange(100), len(pairs) == 1)
        bullet = grammar.read(line)
        if bullet is not None and bullet["label"] not in known:
            groups = _groups(trace(row, facts.book, seed).split("\n"))
            groups[at] = [line if _kind(old) == PLACEMENT else old for old in groups[at]]
            return format_completion("\n".join(chain.from_iterable(groups)), answer(row, facts.book))
    return None


def _unstopped(row: Row, facts: Knowledge, rng: Random, seed: int, found: object) -> str | None:
    lines = trace(row, facts.book, seed).split("\n")
    told = answer(row, facts.book)
    tails = (told, "\n".join(lines[:2]), NONE_ANSWER if row["codes"] else f"{lines[0]}\n{told}")
    return format_completion("\n".join(lines), told) + "\n" + tails[rng.randrange(len(tails))]


_MAKERS: dict[str, Callable[[Row, Knowledge, Random, int, Any], str | None]] = {
    "neighbour": _neighbour,
    "invented": _invented,
    "rambling": _rambling,
    "overcoding": _overcoding,
    "denied": _denied,
    "forced": _forced,
    "misplaced": _misplaced,
    "unstopped": _unstopped,
}
