"""The phrasebook: our own wordings for every code in scope, in files a person can review.

A file is plain text. A line that starts at the margin names a code and repeats its title, so that a reviewer need not
look it up; the indented lines below give one phrase each, after its kind:

    ICD10 J20.9  Acute bronchitis, unspecified
      synonym       acute tracheobronchitis
      lay           chest cold that settled in the bronchi

Blank lines and lines that start with `#` are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.files import read_text

KINDS = ("synonym", "abbreviation", "lay", "finding", "eponym", "order")
"""What a phrase is: another clinical name, a short form, a patient's words, findings that imply the code, a name after a
person, or how a service or supply stands in an order, note or price list."""

LEAST, VARIETY = 12, 3
"""Phrases beside the title, and kinds of them, that every code must have."""

_HEAD = re.compile(r"(ICD10|CPT|HCPCS) (\S+)(?:  (.*))?")
WORD = re.compile(r"[^\W_]+(?:[.'’/+-][^\W_]+)*", re.UNICODE)
"""A word as `key` counts them."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One wording that justifies one code; `place` is `file:line`."""

    code_type: str
    code: str
    kind: str
    text: str
    place: str


def key(text: str) -> str:
    """What makes two phrases the same: their words in order, without case and punctuation."""
    return " ".join(word.casefold() for word in WORD.findall(text))


def read(folder: Path | str, titles: Mapping[tuple[str, str], str]) -> list[Phrase]:
    """All phrases below `folder`, ordered by file and line.

    `titles` maps (code type, code) to the title a header must repeat. Raises `UserError` with `file:line` for an unknown
    code, a stale title, an unknown kind, or a line that is neither a header nor a phrase.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.txt"))
    if not paths:
        raise UserError(str(folder), "no phrasebook files (*.txt)", "restore them with `git checkout data/phrasebook`")
    phrases: list[Phrase] = []
    for path in paths:
        current: tuple[str, str] | None = None
        for number, line in enumerate(read_text(path).splitlines(), 1):
            place = f"{path.as_posix()}:{number}"
            if not line.strip() or line.startswith("#"):
                continue
            if not line[0].isspace():
                current = _header(line, place, titles)
                continue
            if current is None:
                raise UserError(place, "phrase before the first code", "start with a line such as `ICD10 J20.9  Title`")
            kind, _, text = line.strip().partition(" ")
            text = " ".join(text.split())
            if kind not in KINDS:
                raise UserError(place, f"unknown kind `{kind}`", f"use one of {', '.join(KINDS)}")
            if not key(text):
                raise UserError(place, "phrase without a word", "write the phrase after its kind")
            phrases.append(Phrase(current[0], current[1], kind, text, place))
    return phrases


def _header(line: str, place: str, titles: Mapping[tuple[str, str], str]) -> tuple[str, str]:
    match = _HEAD.fullmatch(line.rstrip())
    if not match:
        raise UserError(place, "neither a code nor a phrase", "write `ICD10 J20.9  Title` or indent the phrase")
    code_type, code, title = match.groups()
    if (code_type, code) not in titles:
        raise UserError(place, f"{code_type} {code} is not in scope", "see data/code_databases/")
    if title and title != titles[code_type, code]:
        raise UserError(place, f"title of {code} is `{titles[code_type, code]}`", "repeat it as the table has it")
    return code_type, code


def problems(
    phrases: Iterable[Phrase],
    titles: Mapping[tuple[str, str], str],
    official: Mapping[str, Iterable[tuple[str, str]]],
) -> list[str]:
    """What is wrong with a phrasebook, one line each; empty when nothing is.

    `official` maps the key of an official title or inclusion term to the codes that own it; a phrase equal to one of
    another code's is an error. Every code in `titles` needs `LEAST` phrases of `VARIETY` kinds beside its title.
    """
    found: list[str] = []
    owner: dict[str, Phrase] = {}
    count = dict.fromkeys(titles, 0)
    kinds: dict[tuple[str, str], set[str]] = {code: set() for code in titles}
    for phrase in phrases:
        code = (phrase.code_type, phrase.code)
        text_key = key(phrase.text)
        before = owner.get(text_key)
        if before is not None:
            found.append(f"{phrase.place}: `{phrase.text}` stands already at {before.place} for {before.code}")
            continue
        owner[text_key] = phrase
        others = [other for other in official.get(text_key, ()) if other != code]
        if others and code not in official.get(text_key, ()):
            found.append(f"{phrase.place}: `{phrase.text}` is the official wording of {others[0][1]}")
        if text_key == key(titles[code]):
            found.append(f"{phrase.place}: `{phrase.text}` repeats the title")
            continue
        count[code] += 1
        kinds[code].add(phrase.kind)
    for code in sorted(count):
        if count[code] < LEAST:
            found.append(f"{code[0]} {code[1]}: {count[code]} phrases, at least {LEAST} are needed")
        if len(kinds[code]) < VARIETY:
            found.append(f"{code[0]} {code[1]}: {len(kinds[code])} kinds of phrase, at least {VARIETY} are needed")
    return found


def official_terms(book: CodeBook) -> dict[str, list[tuple[str, str]]]:
    """Key of every official title and inclusion term -> the codes that own it.

    Titles of headers are left out: a bare category title ("migraine") is how a physician writes the category's default code.
    An inclusion term of a header belongs to the codes below it.
    """
    terms: dict[str, list[tuple[str, str]]] = {}
    for code_type in ("ICD10", "CPT", "HCPCS"):
        for code in book.table(code_type):
            entry = book.find(code_type, code)
            if entry is None or entry.level in ("chapter", "block", "section"):
                continue
            owners = [(code_type, code)]
            if not entry.billable:
                owners = [(code_type, below) for below in book.billable_codes_below(code_type, code)]
            texts = list(book.terms(code_type, entry.code)) + ([entry.title] if entry.billable else [])
            for text in texts:
                terms.setdefault(key(text), []).extend(owners)
    return terms
