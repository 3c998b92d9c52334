"""For each code in scope the codes it is easily mistaken for, and the words that decide.

Computed from the tables alone: neighbours share a category, block or number range and most words of their titles; what
decides are the title words that one has and the other has not ("right" against "left", "with" against "without").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thce.codes.book import CodeBook, Entry
from thce.narratives.wording import listed

RELATIONS = (
    "laterality",
    "encounter",
    "with_without",
    "type",
    "acuity",
    "stage",
    "status",
    "amount",
    "unspecified",
    "sibling",
)
"""How two codes differ, most telling first; `sibling` is anything else."""

_TOKEN = re.compile(r"[a-z0-9]+(?:[-.'][a-z0-9]+)*")
_FUNCTION = frozenset(listed("of the and in to or a an for by as on due at from other code each per"))
_SIDE = frozenset(listed("right left bilateral both unilateral side one-sided"))
_ACUITY = frozenset(listed("acute chronic subacute persistent paroxysmal recurrent single old"))
_STAGE = frozenset(
    listed("stage mild moderate severe first second third fourth degree low high straightforward complexity level")
)
_STATUS = frozenset(listed("initial subsequent new established first later sequela"))
_AMOUNT = frozenset(
    listed("minutes minute hour lesions lesion views view additional each extra further more less one two three four five six")
)
_KEEP_BEFORE = frozenset(listed("type stage level degree"))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A code near another one: `relation` (one of `RELATIONS`), the words that speak for the first code (`here`) and
    for this one (`there`), in title order; an empty side means that the absence of the other side's words decides."""

    code_type: str
    code: str
    relation: str
    here: tuple[str, ...]
    there: tuple[str, ...]
    score: float


def title_words(title: str) -> list[str]:
    """The words of a title in order, lower case; a number keeps the word before it where that names it ("type 2")."""
    words = _TOKEN.findall(title.casefold())
    out: list[str] = []
    for position, word in enumerate(words):
        if word[0].isdigit() and position and words[position - 1] in _KEEP_BEFORE:
            out.append(f"{words[position - 1]} {word}")
        elif word not in _FUNCTION:
            out.append(word)
    return out


def deciding(one: str, two: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of the first title that the second lacks, and the reverse."""
    first, second = title_words(one), title_words(two)
    return (
        tuple(dict.fromkeys(word for word in first if word not in second)),
        tuple(dict.fromkeys(word for word in second if word not in first)),
    )


def relation(one: Entry, two: Entry) -> str:
    """How two neighbouring codes differ, one of `RELATIONS`."""
    here, there = deciding(one.title, two.title)
    words = {part for word in here + there for part in word.split()}
    if one.code_type == "ICD10" and one.code[0] in "ST" and len(one.code) == len(two.code) and one.code[:-1] == two.code[:-1]:
        return "encounter"
    if words & _SIDE:
        return "laterality"
    if ("with" in here and "without" in there) or ("without" in here and "with" in there):
        return "with_without"
    if any(word.startswith("type ") for word in here + there):
        return "type"
    if words & _ACUITY:
        return "acuity"
    if words & _STATUS and one.code_type != "ICD10":
        return "status"
    if words & _AMOUNT and one.code_type != "ICD10":
        return "amount"
    if words & _STAGE:
        return "stage"
    if "unspecified" in words:
        return "unspecified"
    return "sibling"


def neighbours(book: CodeBook, limit: int = 5) -> dict[tuple[str, str], tuple[Neighbour, ...]]:
    """For each code in scope up to `limit` nearest codes in scope of the same type, nearest first.

    Nearness: 2 for the same category, 1 for the same block (ICD-10-CM), 0.4 for each shared leading character, 3
    times the share of title words in common, 2.5 where one word of each title makes the difference. A neighbour
    shares the category, or the block (section) and a fifth of the words, or two fifths of the words.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in book.scope:
        groups.setdefault(entry.code_type, []).append(entry)
    found: dict[tuple[str, str], tuple[Neighbour, ...]] = {}
    for code_type, entries in groups.items():
        blocks = {entry.code: _block(book, entry) for entry in entries}
        words = {entry.code: frozenset(title_words(entry.title)) for entry in entries}
        for one in entries:
            scored = sorted(
                ((score, two) for two in entries if two is not one and (score := _score(one, two, blocks, words)) > 0),
                key=lambda pair: (-pair[0], pair[1].code),
            )
            found[code_type, one.code] = tuple(
                Neighbour(code_type, two.code, relation(one, two), *deciding(one.title, two.title), round(score, 3))
                for score, two in scored[:limit]
            )
    return found


def _block(book: CodeBook, entry: Entry) -> str:
    """The lowest block (or the section) a code lies in; an umbrella block says too little."""
    above = [item.code for item in book.path(entry.code_type, entry.code) if item.level in ("block", "section")]
    # a block of one category ("C50-C50") is no wider than the category: take the one above it
    wide = [code for code in above if code.split("-")[0] != code.split("-")[-1]]
    return (wide or above or [""])[-1]


def _score(one: Entry, two: Entry, blocks: Mapping[str, str], words: Mapping[str, frozenset[str]]) -> float:
    union = words[one.code] | words[two.code]
    common = len(words[one.code] & words[two.code]) / len(union) if union else 0.0
    prefix = _prefix(one.code, two.code)
    same_category = one.code_type == "ICD10" and prefix >= 3
    same_block = blocks[one.code] == blocks[two.code]
    near = same_block and (one.code_type == "ICD10" or prefix >= 3)
    if not (same_category or (near and common >= 0.2) or common >= 0.4):
        return 0.0
    # titles that one word tells apart ("type 1", "type 2") are the hardest, whatever their categories
    single = len(union) - len(words[one.code] & words[two.code]) <= 2
    return 2.0 * same_category + 1.0 * near + 0.4 * prefix + 3.0 * common + 2.5 * single


def _prefix(one: str, two: str) -> int:
    count = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        count += 1
    return count


def groups(found: Mapping[tuple[str, str], Sequence[Neighbour]], size: int = 4) -> list[tuple[tuple[str, str], ...]]:
    """Sets of two to `size` codes that are all neighbours of the first; each set once, in order of their first code."""
    seen: set[frozenset[tuple[str, str]]] = set()
    out: list[tuple[tuple[str, str], ...]] = []
    for pair in sorted(found):
        near = found[pair]
        if not near:
            continue
        # keep to those nearly as close as the closest: a far fourth is no contrast
        members = [pair, *((n.code_type, n.code) for n in near if n.score >= near[0].score - 1.0)][:size]
        if frozenset(members) not in seen:
            seen.add(frozenset(members))
            out.append(tuple(members))
    return out
