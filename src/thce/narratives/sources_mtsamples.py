"""MTSamples: sample transcriptions of many specialties. They have no codes; this source proposes some.

A proposal is the longest phrase of the phrasebook (or official title or inclusion term of a code in scope) that starts
at a word, unless its sentence denies it. That is a guess by wording: the rows are labelled `silver` and are no
reference for an evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from thce.codes.book import CodeBook
from thce.narratives import phrasebook
from thce.narratives.phrasebook import WORD  # offsets must fall on the words that `key` compares
from thce.narratives.sources import Pair, Record, Reject, need
from thce.narratives.sources_config import MTSamples
from thce.narratives.sources_files import csv_lines
from thce.reasoning.words import denial

GET = "download mtsamples.csv (https://www.kaggle.com/datasets/tboyle10/medicaltranscriptions, from mtsamples.com)"
_SHORTEST = 4
"""Letters a phrase of one word must have: `PE` or `ST` mean too many things in free text."""


class Known(NamedTuple):
    """A phrase that stands for one code: its text as we write it and its kind."""

    pair: Pair
    text: str
    kind: str


def records(config: MTSamples, book: CodeBook, reject: Reject) -> Iterator[Record]:
    """One record per transcription with its proposed codes, in order of first mention, and their evidence."""
    matcher = Matcher(known_phrases(book, config.phrasebook))
    checked = False
    for number, (place, row) in enumerate(csv_lines(config.path, "utf-8", ",", reject, GET)):
        if not checked:
            need({name: name for name in ("medical_specialty", "sample_name", "transcription")}, row, config.path)
            checked = True
        text = row["transcription"]
        if not text.strip():
            reject(place, "row", "has no text")
            continue
        evidence = propose(text, matcher, config.max_codes)
        if not evidence:
            reject(place, "row", "mentions no phrase of a code in scope")
            continue
        yield Record(
            id=row.get("") or f"{number}",  # the first column, a running number, has no name
            narrative=text,
            codes=tuple((item["code_type"], item["code"]) for item in evidence),
            place=place,
            evidence=tuple(evidence),
            family=row["sample_name"].strip(),  # the same report stands under several specialties
            kind=row["medical_specialty"].strip().lower(),
            label="silver",
        )


def known_phrases(book: CodeBook, folder: str) -> list[Known]:
    """Phrasebook phrases, titles and inclusion terms of the codes in scope."""
    titles = {(entry.code_type, entry.code): entry.title for entry in book.scope}
    known = [Known((item.code_type, item.code), item.text, item.kind) for item in phrasebook.read(folder, titles)]
    for pair, title in titles.items():
        known.append(Known(pair, title, "title"))
        known += [Known(pair, term, "term") for term in book.terms(*pair)]
    return known


class Matcher:
    """Finds the longest known phrase at every word of a text; a phrase that stands for two codes is not used."""

    def __init__(self, known: Iterable[Known]) -> None:
        by_words: dict[tuple[str, ...], Known] = {}
        ambiguous: set[tuple[str, ...]] = set()
        for item in known:
            words = tuple(phrasebook.key(item.text).split())
            if not words or (len(words) == 1 and len(words[0]) < _SHORTEST):
                continue
            if by_words.setdefault(words, item).pair != item.pair:
                ambiguous.add(words)
        self._phrases = {words: item for words, item in by_words.items() if words not in ambiguous}
        lengths: dict[str, set[int]] = {}
        for words in self._phrases:
            lengths.setdefault(words[0], set()).add(len(words))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def find(self, text: str) -> Iterator[tuple[int, int, Known]]:
        """(start, end, phrase), from left to right, without overlaps."""
        tokens = [(match[0].casefold(), match.start(), match.end()) for match in WORD.finditer(text)]
        at = 0
        while at < len(tokens):
            for length in self._lengths.get(tokens[at][0], ()):
                words = tuple(word for word, _, _ in tokens[at : at + length])
                if len(words) == length and words in self._phrases:
                    yield tokens[at][1], tokens[at + length - 1][2], self._phrases[words]
                    at += length - 1
                    break
            at += 1


def propose(text: str, matcher: Matcher, limit: int | None) -> list[dict[str, Any]]:
    """Evidence for at most `limit` codes, one piece per code, first mention first; denied mentions do not count."""
    found: dict[Pair, dict[str, Any]] = {}
    for start, end, phrase in matcher.find(text):
        if phrase.pair in found or denial(text, start, end):
            continue
        found[phrase.pair] = {
            "code_type": phrase.pair[0],
            "code": phrase.pair[1],
            "start": start,
            "end": end,
            "text": text[start:end],
            "phrase": phrase.text,
            "kind": phrase.kind,
        }
        if limit is not None and len(found) == limit:
            break
    return list(found.values())
