"""Sentences filled in and joined into one narrative, with the exact place of every piece of evidence.

Case, abbreviations and typing slips are applied here, because each of them moves or changes text that offsets refer to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from thce.narratives.grammar import Piece
from thce.narratives.wording import Wording, listed

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_KIN = ("mother", "father", "sister", "brother", "aunt", "uncle", "grandmother", "grandfather", "cousin")
_NOUNS = {
    ("adult", "F"): ("woman", "female", "lady"),
    ("adult", "M"): ("man", "male", "gentleman"),
    ("child", "F"): ("girl",),
    ("child", "M"): ("boy",),
}
_AGES = {"adult": (22, 79), "elder": (55, 91), "child": (2, 11), "obstetric": (18, 42)}
_WORD = re.compile(r"(?<![\w'’/.-])[A-Za-z]{6,}(?![\w'’/-])")
_CUES = frozenset(
    listed(
        "denies denied without negative excluded excludes exclude possible probable suspected suspect absent "
        "resolved cancelled "
        "family mother father sister brother uncle cousin grandmother grandfather history removed deferred "
        "postponed reversed "
        "inactive present rules ruled concern differential"
    )
)
"""Words outside the evidence that say whether it counts; they are spelled as they are."""


@dataclass(frozen=True, slots=True)
class Style:
    """Rates from params.yaml, each the share of narratives it is applied to."""

    abbreviation: float
    lower: float
    upper: float
    typo: float
    span_typo: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """Text and the spans in it: (start, end, number of the wording in the narrative)."""

    text: str
    spans: tuple[tuple[int, int, int], ...] = ()


def _vital(low: int, high: int) -> Callable[[Random], str]:
    return lambda rng: str(low + int(rng.random() * (high - low + 1)))


def _pick(choices: Sequence[str]) -> Callable[[Random], str]:
    return lambda rng: choices[int(rng.random() * len(choices))]


_FILL: Mapping[str, Callable[[Random], str]] = {
    "bp": lambda rng: f"{104 + int(rng.random() * 24)}/{62 + int(rng.random() * 17)}",
    "hr": _vital(62, 88),
    "rr": _vital(12, 18),
    "temp": lambda rng: f"9{7 + int(rng.random() * 2)}.{int(rng.random() * 7)}",
    "spo2": _vital(96, 99),
    "time": lambda rng: f"{int(rng.random() * 24):02d}:{int(rng.random() * 60):02d}",
    "day": _pick(_DAYS),
    "n": _vital(2, 9),
    "room": _vital(1, 40),
    "minutes": lambda rng: str(5 * (2 + int(rng.random() * 9))),
    "kin": _pick(_KIN),
    "Kin": _pick(tuple(word.capitalize() for word in _KIN)),
}
"""Vital signs are normal on purpose: an abnormal one would be evidence of its own."""


def who(rng: Random, wording: Wording | None) -> str:
    """A person a wording may be about, such as `54-year-old woman` or `pt`; with an age only where none can clash."""
    if wording is None or wording.person or wording.group == "newborn" or rng.random() < 0.35:
        if wording is not None and wording.group == "newborn" and not wording.person:
            return "newborn"
        return "patient" if rng.random() < 0.7 else "pt"
    group = wording.group
    sex = wording.sex or ("F" if group == "obstetric" or rng.random() < 0.5 else "M")
    low, high = _AGES[group]
    age = low + int(rng.random() * (high - low + 1))
    style = rng.random()
    if style < 0.5:
        nouns = _NOUNS["child" if group == "child" else "adult", sex]
        return f"{age}-year-old {nouns[int(rng.random() * len(nouns))]}"
    if style < 0.7:
        return f"{age} y/o {sex}"
    if style < 0.85:
        return f"{age}{sex}"
    return f"{age}yo {'female' if sex == 'F' else 'male'}"


def raised(text: str) -> str:
    """The text with a capital at its beginning, unless its first word is written in a way of its own (`eGFR`,
    `s/p`)."""
    first = text.split(" ", 1)[0]
    if text[:1].islower() and len(first) > 2 and first.replace("-", "").replace(",", "").isalpha() and first[1:].islower():
        return text[0].upper() + text[1:]
    return text


def fill(piece: Piece, rng: Random, person: str, short: bool, phrases: Mapping[str, str], number: int = 0) -> Sentence:
    """One piece with its fields filled; `phrases` gives `x` (evidence, recorded as a span), `d`, or ready-made
    lists."""
    parts = piece.short if short else piece.parts
    out: list[str] = []
    length = 0
    spans: tuple[tuple[int, int, int], ...] = ()
    for position, part in enumerate(parts):
        if position % 2 == 0:
            text = part
        elif part == "x":
            text = phrases["x"] if length else raised(phrases["x"])
            spans = ((length, length + len(text), number),)
        elif part == "who":
            text = person
        elif part == "Who":
            text = raised(person)
        elif part in ("d", "D"):
            text = phrases["d"] if length else raised(phrases["d"])
        else:
            text = _FILL[part](rng)
        out.append(text)
        length += len(text)
    return Sentence("".join(out), spans)


def fill_lists(piece: Piece, rng: Random, person: str, short: bool, lists: Mapping[str, Sequence[tuple[int, str]]]) -> Sentence:
    """A `multi` piece: `lists` gives for `dx` and `px` the numbered wordings in order."""
    parts = piece.short if short else piece.parts
    text = ""
    spans: list[tuple[int, int, int]] = []
    dot = ")" if rng.random() < 0.5 else "."
    for position, part in enumerate(parts):
        if position % 2 == 0:
            text += part
        elif part in ("who", "Who"):
            text += raised(person) if part == "Who" else person
        else:
            items = lists[part.removeprefix("numbered_")]
            plain = len(items) == 2 and not any("," in phrase or " and " in phrase for _, phrase in items)
            comma = " and " if plain and rng.random() < 0.4 else "; "
            for count, (number, phrase) in enumerate(items, 1):
                if part.startswith("numbered_"):
                    text += f"{' ' if count > 1 else ''}{count}{dot} "
                elif count > 1:
                    text += comma
                spans.append((len(text), len(text) + len(phrase), number))
                text += phrase
    return Sentence(text, tuple(spans))


def join(sentences: Sequence[Sentence]) -> Sentence:
    """Sentences one after the other; a full stop is set where one without an end mark is followed by another."""
    text = ""
    spans: list[tuple[int, int, int]] = []
    for sentence in sentences:
        if text:
            text += " " if text[-1] in ".!?:,]" else ". "
        offset = len(text)
        text += sentence.text
        spans.extend((start + offset, end + offset, number) for start, end, number in sentence.spans)
    return Sentence(text, tuple(spans))


def slip(word: str, rng: Random) -> str:
    """A typing slip inside a word of six letters or more: two letters swapped, one lost or one doubled."""
    place = 1 + int(rng.random() * (len(word) - 3))
    kind = rng.random()
    if kind < 0.5 and word[place] != word[place + 1]:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind < 0.75:
        return word[:place] + word[place + 1 :]
    return word[:place] + word[place] + word[place:]


def style(sentence: Sentence, rng: Random, rates: Style, protected: Collection[str]) -> Sentence:
    """Typing slips and case. `protected` words decide between codes and are never misspelled inside the evidence."""
    if rng.random() < rates.typo:
        sentence = _slip_in(sentence, rng, False, _CUES)
    if rates.span_typo and sentence.spans and rng.random() < rates.span_typo:
        sentence = _slip_in(sentence, rng, True, protected)
    roll = rng.random()
    if roll < rates.lower + rates.upper:
        text = sentence.text.lower() if roll < rates.lower else sentence.text.upper()
        if len(text) == len(sentence.text):
            return Sentence(text, sentence.spans)
    return sentence


def _slip_in(sentence: Sentence, rng: Random, inside: bool, protected: Collection[str]) -> Sentence:
    words = [
        match
        for match in _WORD.finditer(sentence.text)
        if match[0].casefold() not in protected
        and any(start <= match.start() < end for start, end, _ in sentence.spans) == inside
    ]
    if not words:
        return sentence
    match = words[int(rng.random() * len(words))]
    changed = slip(match[0], rng)
    shift = len(changed) - len(match[0])
    spans = tuple(
        (start + shift * (start > match.start()), end + shift * (end > match.start()), number)
        for start, end, number in sentence.spans
    )
    return Sentence(sentence.text[: match.start()] + changed + sentence.text[match.end() :], spans)
