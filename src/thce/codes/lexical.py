"""Words in, ranked codes out: BM25 over titles, inclusion terms and further phrases.

The stage writes the index as text, one line per word: the rows it occurs in (as gaps) and one letter per row for its
weight there. A query reads only the lines of its own words, so the first answer needs no parsing of the whole.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

from thce.codes.book import TABLES, CodeBook, Entry
from thce.files import read_text

K1, B = 1.2, 0.75  # the usual BM25 constants
OWN_TERM, INHERITED_TERM = 0.9, 0.5  # weight of a word in an inclusion term, relative to one in the title
TERM_LENGTH = 0.1  # share of a term's length that counts as length of the item
IN_SCOPE = 1.1  # codes in scope are the most billed ones, and so the likelier answer to the same words
LEVELS = 64
"""Steps in which the weight of a word in an item is kept; each step is one character from `FIRST` on."""
FIRST = 48
COMMON = 4_000  # a word in more rows than this only re-ranks what rarer words have found

_BRACKETS = re.compile(r"\([^)]*\)")  # hold words that do not change the code (Guidelines I.A.7)
_WORD = re.compile(r"[^\W_]+")
_IGNORED = frozenset(
    ("a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "is", "of", "on", "or", "the", "to", "with")
)
_RESIDUAL = frozenset(("classified", "elsewhere", "nec", "not", "other", "specified", "unspecified"))
"""Words that mark the residual code of a category: nobody asks for them, so they do not make a title longer."""


class Hit(NamedTuple):
    """A code found by words, its score (comparable within one query only) and the text that matched best."""

    entry: Entry
    score: float
    matched: str


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Searchable words: folded to lower case without accents, plain plurals cut, function words dropped."""
    folded = text.casefold()
    if not folded.isascii():
        folded = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return tuple(_stem(word) for word in _WORD.findall(folded) if word not in _IGNORED)


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and word[-2] not in "sui":
        return word[:-1]
    return word


def _rows(book: CodeBook) -> Iterator[tuple[str, str, str]]:
    """(code type, code, raw row) over all tables; their running number is what the index refers to."""
    for code_type in TABLES:
        for code, row in book.table(code_type).items():
            yield code_type, code, row


def index_text(book: CodeBook) -> str:
    """The index of all items below block or section, as the stage stores it."""
    documents: list[tuple[int, dict[str, float], float]] = []
    inherited: dict[str, tuple[str, ...]] = {}
    for number, (code_type, code, row) in enumerate(_rows(book)):
        _, level, _, parent, title = row.split("\t")
        if level in ("chapter", "block", "section"):
            continue
        own = book.terms(code_type, code)
        above = inherited.get(parent, ())
        inherited[code] = above + own
        documents.append((number, *_document(title, own, above)))
    mean = sum(length for _, _, length in documents) / len(documents)
    postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, counts, length in documents:
        for word, count in counts.items():
            postings[word].append((number, _level(count, length, mean)))
    lines = [f"{len(documents)}\t{mean:.4f}"]
    for word in sorted(postings):
        numbers = [number for number, _ in postings[word]]
        gaps = [numbers[0], *(b - a for a, b in pairwise(numbers))]
        weights = "".join(chr(FIRST + level) for _, level in postings[word])
        lines.append(f"{word}\t{' '.join(map(str, gaps))}\t{weights}")
    return "\n".join(lines) + "\n"


def _document(title: str, own: Sequence[str], above: Sequence[str]) -> tuple[dict[str, float], float]:
    """Weighted word counts and length of one item. A word counts once per kind of text, however often it recurs."""
    counts: dict[str, float] = defaultdict(float)
    for word in words(title):
        counts[word] = 1.0
    length = float(len(set(words(_BRACKETS.sub(" ", title))) - _RESIDUAL) or 1)
    for texts, weight in ((own, OWN_TERM), (above, INHERITED_TERM)):
        seen = [word for text in texts for word in words(text)]
        length += TERM_LENGTH * len(seen)
        for word in dict.fromkeys(seen):
            counts[word] += weight
    return counts, length


@lru_cache(maxsize=50_000)
def _level(count: float, length: float, mean: float) -> int:
    """BM25's weight of a word in a text (between 0 and k1 + 1), in steps."""
    weight = count * (K1 + 1) / (count + K1 * (1 - B + B * length / mean))
    return min(LEVELS - 1, round(weight / (K1 + 1) * LEVELS))


class SearchIndex:
    """Search over one code book, with further phrases as (code type, code, text) if wanted."""

    def __init__(self, book: CodeBook, phrases: Iterable[tuple[str, str, str]] = ()) -> None:
        self.book = book
        head, *lines = read_text(book.folder / "search.tsv").split("\n")
        size, mean = head.split("\t")
        self._size, self._mean = int(size), float(mean)
        self._lines = {line[: line.index("\t")]: line for line in lines if line}
        self._postings: dict[str, tuple[float, dict[int, int]]] = {}
        self._codes = [(code_type, code) for code_type, code, _ in _rows(book)]
        numbers = {pair: number for number, pair in enumerate(self._codes)}
        self._in_scope = {numbers[entry.code_type, entry.code] for entry in book.scope}
        self._phrases: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for code_type, code, text in phrases:
            number = numbers.get((code_type, code))
            if number is not None:
                counts, length = _document(text, (), ())
                for word, count in counts.items():
                    self._phrases[word].append((number, _level(count, length, self._mean), text))

    def _posting(self, word: str) -> tuple[float, dict[int, int]]:
        """Inverse document frequency of a word, and its level in every row that has it."""
        known = self._postings.get(word)
        if known is None:
            rows: dict[int, int] = {}
            line = self._lines.get(word)
            if line is not None:
                _, gaps, weights = line.split("\t")
                rows = dict(zip(accumulate(map(int, gaps.split())), weights.encode(), strict=True))
            frequency = len(rows) or 1
            known = self._postings[word] = (math.log(1 + (self._size - frequency + 0.5) / (frequency + 0.5)), rows)
        return known

    def search(
        self,
        text: str,
        code_type: str | None = None,
        billable: bool | None = None,
        chapter: str | None = None,
        limit: int = 10,
    ) -> tuple[Hit, ...]:
        """The best `limit` codes for the words of `text`; `chapter` is an ICD-10-CM chapter such as `4`."""
        asked = sorted({(len(self._posting(word)[1]) or 1, word) for word in words(text)})
        scores: dict[int, float] = defaultdict(float)
        for count, word in asked:
            idf, rows = self._posting(word)
            if count > COMMON and scores:
                for number in scores.keys() & rows.keys():
                    scores[number] += idf * (rows[number] - FIRST)
            else:
                for number, level in rows.items():
                    scores[number] += idf * (level - FIRST)
        matched = self._phrase_scores([word for _, word in asked])
        for number, (score, _) in matched.items():
            scores[number] = max(scores[number], score)
        for number in self._in_scope & scores.keys():
            scores[number] *= IN_SCOPE
        return self._best(scores, matched, code_type, billable, chapter, limit)

    def _phrase_scores(self, asked: Sequence[str]) -> dict[int, tuple[float, str]]:
        """row -> best score of one of its phrases, and the phrase."""
        scores: dict[tuple[int, str], float] = defaultdict(float)
        for word in asked:
            idf = self._posting(word)[0]
            for number, level, text in self._phrases.get(word, ()):
                scores[number, text] += idf * level
        best: dict[int, tuple[float, str]] = {}
        for (number, text), score in scores.items():
            if score > best.get(number, (0.0, ""))[0]:
                best[number] = (score, text)
        return best

    def _best(
        self, scores: dict[int, float], matched: dict[int, tuple[float, str]], code_type: str | None,
        billable: bool | None, chapter: str | None, limit: int,
    ) -> tuple[Hit, ...]:  # fmt: skip
        ranks = self.book.ranks
        order = sorted(scores, key=lambda n: (-round(scores[n], 6), ranks.get(self._codes[n], 10**6), n))
        hits: list[Hit] = []
        for number in order:
            kind, code = self._codes[number]
            entry = self.book.find(kind, code)
            if entry is None or (code_type and kind != code_type) or (billable is not None and entry.billable != billable):
                continue
            if chapter and not (kind == "ICD10" and self.book.path(kind, code)[0].code == chapter):
                continue
            score, phrase = matched.get(number, (0.0, ""))
            best = phrase if score * IN_SCOPE >= scores[number] else entry.title
            hits.append(Hit(entry, round(scores[number], 3), best))
            if len(hits) == limit:
                break
        return tuple(hits)


def search(
    book: CodeBook,
    text: str,
    code_type: str | None = None,
    billable: bool | None = None,
    chapter: str | None = None,
    limit: int = 10,
) -> tuple[Hit, ...]:
    """`SearchIndex.search` over titles and inclusion terms, with an index that is opened once per book."""
    index = _INDEXES.get(book)
    if index is None:
        index = _INDEXES[book] = SearchIndex(book)
    return index.search(text, code_type, billable, chapter, limit)


_INDEXES: WeakKeyDictionary[CodeBook, SearchIndex] = WeakKeyDictionary()
