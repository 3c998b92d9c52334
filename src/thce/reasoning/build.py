"""Build a trace from a narrative, its evidence spans and the code tables; every claim in it is true and checkable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from thce.answers import Code, format_answer, format_completion, parse
from thce.codes.book import CodeBook, Entry
from thce.errors import UserError
from thce.reasoning import grammar, words
from thce.reasoning.claims import Checker
from thce.reasoning.facets import is_other, is_unspecified, stated_thing
from thce.reasoning.grammar import ANSWER, EVIDENCE, EXCLUSION, PLACEMENT, REASONS
from thce.reasoning.knowledge import Knowledge, knowledge
from thce.reasoning.verify import TOKENS_FIRST, TOKENS_MORE, Verdict, count_tokens
from thce.seeds import derive

_CONTROL = re.compile(r"\n|</?think>|<\|[a-z_]+\|>")
_LONG_NOTE = 8
"""Words of an Excludes1 note above which it is not cited."""

_LABEL = re.compile(r"^(?:[A-Za-z/'’]+ ){0,3}[A-Za-z/'’]+: (?=\w\w)")
_QUOTE_WORDS = 18
"""Words of a no-code sentence that are quoted at most."""


def trace(row: Mapping[str, Any], book: CodeBook, seed: int) -> str:
    """The bullets for a row of `data/narratives/`, without think tags; the same seed gives the same wordings.

    One code: evidence, placement, code, what decides (where the tables and the text give a reason). Several: evidence,
    placement and code for each. None: what the text says of it, and that there is no code. Raises `UserError` for a row
    whose evidence is not in its narrative or whose code is not in the tables.
    """
    facts = knowledge(book)
    pick = derive(seed, "wording", str(row["id"]))
    if not row["codes"]:
        return "\n".join(_none(row, pick))
    spans = {(item["code_type"], item["code"]): item for item in row["evidence"]}
    single = len(row["codes"]) == 1
    lines: list[str] = []
    for number, item in enumerate(row["codes"]):
        pair = (item["code_type"], item["code"])
        if pair not in spans or book.find(*pair) is None:
            raise UserError(str(row["id"]), f"{pair[1]} has no evidence or is not in the tables")
        quote = quotable(row["narrative"], spans[pair])
        lines += _group(row["narrative"], quote, pair, facts, pick + number * 7919, single)
    return "\n".join(lines)


def completion(row: Mapping[str, Any], book: CodeBook, seed: int) -> str:
    """The whole assistant text for a row: trace in think tags, then the answer lines."""
    return format_completion(trace(row, book, seed), answer(row, book))


def answer(row: Mapping[str, Any], book: CodeBook) -> str:
    """The answer lines for a row, with the official descriptions."""
    entries = [entry for item in row["codes"] if (entry := book.find(item["code_type"], item["code"]))]
    return format_answer([(entry.code_type, entry.code, entry.short_title) for entry in entries])


def quotable(narrative: str, span: Mapping[str, Any]) -> str:
    """The evidence as it can stand on one line of a trace: the longest piece between line breaks and control tokens.
    Raises `UserError` where it does not stand at its place in the narrative."""
    text = narrative[span["start"] : span["end"]]
    if text != span["text"] or not text:
        raise UserError(str(span.get("code", "")), "evidence is not where it is said to be", "rebuild data/narratives")
    return one_line(text)


def one_line(text: str) -> str:
    """The longest piece of a text between line breaks and control tokens, without blanks around it."""
    return max(_CONTROL.split(text), key=len).strip()


def grade(verdict: Verdict) -> str:
    """`reasoning_quality` of a stage-2 record: high when faithful, medium when only the length fails, else low."""
    if verdict.faithful:
        return "high"
    return "medium" if all(verdict.parts[:-1]) else "low"


def _group(narrative: str, quote: str, pair: tuple[str, str], facts: Knowledge, pick: int, single: bool) -> list[str]:
    lines = [
        grammar.write(EVIDENCE, pick, quote=quote),
        place(pair, facts, pick // 3, single),
        grammar.write(ANSWER, pick // 5 if pick % 4 == 0 else 0, code=pair[1]),
    ]
    if single:
        lines += decide(narrative, quote, pair, facts, pick // 11)
    return lines


def place(pair: tuple[str, str], facts: Knowledge, pick: int, full: bool = True) -> str:
    """The placement bullet: category with block, the block for a category that is itself billable, or the section."""
    labels = facts.labels(*pair)
    category = facts.category(*pair)
    if pair[0] != "ICD10":
        label, level = labels[0], "Section"
    elif category is not None and category.code != pair[1]:
        name = f"{category.code} {category.short_title}"
        own = [label for label in labels if label.startswith(name)]  # with each block, alone, with the chapter
        label, level = (name if not full else own[-1] if pick % 5 == 0 else own[0]), "Category"
    else:
        blocks = [label for label in labels if "-" in label.split(" ", 1)[0]]
        label, level = (blocks[0], "Block") if blocks else (labels[-1], "Chapter")
    return grammar.write(PLACEMENT, pick // 2, label=label, level=level)


def decide(narrative: str, quote: str, pair: tuple[str, str], facts: Knowledge, pick: int) -> list[str]:
    """The deciding bullets: the most telling true claim, or two where both are stated values (side and encounter).

    Which words state a value is left to the verifier: a small model that has to point at them points at others.
    """
    found: list[str] = []
    for line in (_worded(claim, pick) for claim in _claims(quote, pair, facts, "stated")):
        if true_of(narrative, quote, pair, line, facts) and line not in found:
            found.append(line)
            if len(found) == 2 or not _is_stated(line):
                break
    if len(found) == 2 and not _is_stated(found[1]):
        del found[1]
    return found


_PICKS = 6


def decisions(narrative: str, quote: str, pair: tuple[str, str], facts: Knowledge) -> list[str]:
    """Every deciding bullet that holds, in several wordings, values with the words that state them; the most telling kind
    of claim first."""
    claims = _claims(quote, pair, facts, "value")
    found = dict.fromkeys(_worded(claim, pick) for pick in range(_PICKS) for claim in claims)
    verdicts: dict[str, bool] = {}  # of each claim, however it is worded
    kept = []
    for line in found:
        claim = str(grammar.read(line))
        if claim not in verdicts:
            verdicts[claim] = true_of(narrative, quote, pair, line, facts)
        if verdicts[claim]:
            kept.append(line)
    return kept


def true_of(narrative: str, quote: str, pair: tuple[str, str], line: str, facts: Knowledge) -> bool:
    """Whether one deciding bullet holds, as the verifier judges it in an otherwise plain trace."""
    bullet = grammar.read(line)
    if bullet is None or facts.book.find(*pair) is None:
        return False
    return Checker(narrative, parse(""), facts).decides(Code(*pair), bullet, [quote])


def _is_stated(line: str) -> bool:
    bullet = grammar.read(line)
    return bullet is not None and bullet.kind == "stated"


Told = tuple[str, dict[str, str]]
"""A claim of a deciding bullet: its kind, and what it names."""


def _worded(claim: Told, pick: int) -> str:
    """A claim as a bullet; two of three times it says as well that the title leaves open what the text does."""
    kind, named = claim
    return grammar.write(kind, pick, **(named if pick % 3 or not named.get("tail") else named | {"tail": ""}))


def _claims(quote: str, pair: tuple[str, str], facts: Knowledge, kind: str) -> list[Told]:
    """What deciding bullets may say, the most telling first; `kind` is how values are told, "stated" or "value"."""
    entry = facts.book.find(*pair)
    if entry is None:
        return []
    found: list[Told] = []
    known = facts.range(*pair)
    if known:
        numbers = re.findall(r"(?<![\w.])\d{1,3}(?:\.\d{1,3})?(?![\w.])", quote)
        found += [("range", {"quote": number, "range": known[0]}) for number in numbers]
    joined = facts.joined(*pair)
    said = {value.name: match[0] for value in facts.values(*pair) if (match := value.cue.search(quote))}
    said |= {f"{preposition} {thing}": stated_thing(quote, preposition, thing) for preposition, thing in joined}
    share = {name: facts.shared(*pair, name) for name, words_of in said.items() if words_of}
    names = sorted(share, key=share.__getitem__)
    values: list[Told] = [(kind, {"value": name, "quote": said[name]}) for name in names]
    found += values[: sum(share[name] <= _COMMON for name in names)]
    tail = ", so unspecified" if is_unspecified(entry.title) else ""
    found += [("absent", {"thing": axis, "tail": tail}) for axis in facts.axes(*pair)]
    found += [("absent", {"thing": thing, "tail": ""}) for preposition, thing in joined if preposition == "without"]
    if pair[0] == "ICD10" and is_other(entry.title):
        found.append(("other", {}))
    found += _lacks(pair, facts)
    found += _contrasts(quote, pair, facts)
    found += values[sum(share[name] <= _COMMON for name in names) :]
    notes = (note for note in sorted(facts.excludes1(*pair)) if len(note.split()) <= _LONG_NOTE and "\n" not in note)
    found += [(EXCLUSION, {"note": note}) for note in notes]
    return found


_COMMON = 0.5
"""Share of a code's family above which a value that the others have too hardly decides: type 2 among E11."""

_PLAIN = (
    "alone any before after blood complexity complete each full initial level measured one other per preservative "
    "prior purpose second single"
)
_WEAK = words.roots(_PLAIN)
"""Title words by which nobody tells two codes apart, though the titles differ in them."""

_NEAR = 0.25
"""Share of title words in common from which a code of another category is near enough to be named in a decision."""


@lru_cache(maxsize=4096)
def _lacks(pair: tuple[str, str], facts: Knowledge) -> tuple[Told, ...]:
    """Words that tell a code's nearest neighbours from it and that a text may lack.

    What a neighbour's title adds is known by the code; which word of a title the text has must be found in it, and a small
    model finds it in half of the cases. So these come before `_contrasts`.
    """
    found: list[Told] = []
    for other in _close(pair, facts)[:3]:
        for match in re.finditer(r"[^\W\d_]{4,}", other.title):
            told = words.roots(match[0])
            if told and told <= facts.title_roots(pair[0], other.code) - facts.own(*pair) - _WEAK:
                found.append(("lack", {"word": match[0].lower(), "other": other.code}))
    return tuple(found)


def _contrasts(quote: str, pair: tuple[str, str], facts: Knowledge) -> list[Told]:
    """Words that code and text share and a neighbour's title lacks, the first of each neighbour."""
    here = facts.title_roots(*pair)
    # where the guard lets a quotation begin
    said = [(match[0], words.roots(match[0])) for match in re.finditer(r"(?<!\S)[^\W_]{3,}", quote)]
    found: list[Told] = []
    for other in _close(pair, facts):
        own = here - facts.title_roots(pair[0], other.code)
        word = next((word for word, told in said if told and told <= own), None)
        if word is not None:
            found.append(("contrast", {"quote": word, "other": other.code}))
    return found


@lru_cache(maxsize=4096)
def _close(pair: tuple[str, str], facts: Knowledge) -> tuple[Entry, ...]:
    """The four nearest codes that are near enough to be named in a decision."""
    near = (
        other
        for other in nearest(pair, facts)
        if (pair[0] == "ICD10" and pair[1][:3] == other.code[:3]) or similarity(pair, other, facts) >= _NEAR
    )
    return tuple(islice(near, 4))


def similarity(pair: tuple[str, str], other: Entry, facts: Knowledge) -> float:
    """Share of the telling title words that two codes have in common, 0 to 1."""
    own, there = facts.title_roots(*pair) - _WEAK, facts.title_roots(other.code_type, other.code) - _WEAK
    return len(own & there) / max(1, len(own | there))


@lru_cache(maxsize=4096)
def nearest(pair: tuple[str, str], facts: Knowledge) -> tuple[Entry, ...]:
    """The codes in scope a code is most easily mistaken for: most shared title words first, then by code."""
    scope = facts.scope_codes
    found = [entry for entry in facts.family(*pair) if (entry.code_type, entry.code) in scope]
    return tuple(sorted(found, key=lambda entry: (-similarity(pair, entry, facts), entry.code)))


def _none(row: Mapping[str, Any], pick: int) -> list[str]:
    reason = row.get("none_reason")
    if reason not in REASONS:
        raise UserError(str(row["id"]), f"none_reason is `{reason}`", f"use one of {', '.join(REASONS)}")
    quotes = list(none_quotes(row["narrative"], reason))
    if not quotes:
        raise UserError(str(row["id"]), f"nothing in the narrative says {reason}")
    lines = [grammar.write(reason, pick + number, quote=quote) for number, quote in enumerate(quotes[:2])]
    return [*dict.fromkeys(lines), grammar.write(ANSWER, pick // 5 if pick % 4 == 0 else 0, code="none")]


def none_quotes(narrative: str, reason: str) -> Iterator[str]:
    """The sentences that give the reason why a text supports no code."""
    wanted = REASONS[reason]
    for start, end in words.sentences(narrative):
        quote = _CONTROL.split(narrative[start:end])[0].strip()
        quote = " ".join(quote.split(" ")[:_QUOTE_WORDS])
        if not words.is_evidence(quote):
            continue
        if not wanted:
            if reason == "administrative":
                yield quote
                return
            if not words.denied_inside(quote):
                yield _LABEL.sub("", quote)
                return
        elif words.says(quote, wanted):
            yield quote


def limit(codes: int) -> int:
    """Tokens a trace for so many codes may have; see `verify`."""
    return TOKENS_FIRST + TOKENS_MORE * max(0, codes - 1)


def fits(text: str, codes: int) -> bool:
    """Whether the reasoning of a trace keeps to `limit`."""
    return count_tokens(text) <= limit(codes)
