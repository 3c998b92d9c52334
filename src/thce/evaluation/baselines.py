"""What the models must beat: simple methods fitted on the same training rows and wordings, and on nothing else.

Every method answers with a ranking of labels. A label is one code or "no code"; the nearest neighbour may answer with all
codes of a training row. The methods of one code cannot know that a text has several: that is their floor on such texts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thce.answers import Code, parse
from thce.evaluation.data import NO_CODE, Item
from thce.evaluation.metrics import Gold
from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex
from thce.settings.evaluation import BaselinesParams, BM25Params, NeighbourParams, PhraseParams, SVMParams

TOP = 10
TOKEN = r"(?u)\b\w+\b"
"""Words for TF-IDF and BM25: single letters and digits are kept, they decide between codes."""

Floats = NDArray[np.float64]


class Material(NamedTuple):
    """What may be learned from: training narratives, and wordings (title, inclusion term, training phrase) with their code."""

    rows: Sequence[Item]
    wordings: Sequence[tuple[str, Code]]


class Guess(NamedTuple):
    """The codes answered (empty: "no code") and the ranking behind them, with shares that are not calibrated."""

    codes: Gold
    top: tuple[tuple[Code, float], ...]


Method = Callable[[Material, Sequence[str]], list[Guess]]


def methods(settings: BaselinesParams) -> dict[str, Method]:
    """The methods that are switched on, by name."""
    found: dict[str, tuple[bool, Method]] = {
        "majority": (settings.majority.enabled, majority),
        "longest_phrase": (settings.phrase.enabled, lambda known, texts: phrases(known, texts, settings.phrase, False)),
        "every_phrase": (settings.phrase.enabled, lambda known, texts: phrases(known, texts, settings.phrase, True)),
        "bm25": (settings.bm25.enabled, lambda known, texts: bm25(known, texts, settings.bm25)),
        "svm": (settings.svm.enabled, lambda known, texts: svm(known, texts, settings.svm)),
        "neighbour": (settings.neighbour.enabled, lambda known, texts: neighbour(known, texts, settings.neighbour)),
    }
    return {name: method for name, (enabled, method) in found.items() if enabled}


def material(rows: Sequence[Item], texts: Iterable[str]) -> Material:
    """Training material from training rows and from the base model's texts (`wording`, newline, answer line)."""
    wordings: dict[tuple[str, Code], None] = {}
    for text in texts:
        wording, _, line = text.rpartition("\n")
        codes = parse(line).codes
        if wording and codes:
            wordings[wording, codes[0]] = None
    for item in rows:
        if len(item.phrases) == len(item.gold):  # evidence stands in the order of the codes
            wordings.update(dict.fromkeys(zip(item.phrases, item.gold, strict=True)))
    return Material(rows, list(wordings))


def majority(known: Material, texts: Sequence[str]) -> list[Guess]:
    """The code most rows have, and the next ones as ranking; ties by code."""
    counts = Counter(code for item in known.rows for code in item.gold)
    ranked = sorted(counts.items(), key=lambda part: (-part[1], part[0]))[:TOP]
    total = sum(counts.values())
    top = tuple((code, count / total) for code, count in ranked)
    return [Guess(_first(top), top)] * len(texts)


def phrases(known: Material, texts: Sequence[str], settings: PhraseParams, every: bool) -> list[Guess]:
    """The longest known wording in the text (or all that do not overlap, longest first) says the codes; none: "no code".

    A wording of several codes stands for the one it was seen with most often.
    """
    owners: dict[str, Counter[Code]] = defaultdict(Counter)
    for wording, code in known.wordings:
        if len(key(wording)) >= settings.min_characters:
            owners[key(wording)][code] += 1
    owner = {wording: min(found, key=lambda code: (-found[code], code)) for wording, found in owners.items()}
    index = PhraseIndex(sorted(owner))
    return [_look_up(key(text), index, owner, every) for text in texts]


def _look_up(text: str, index: PhraseIndex, owner: Mapping[str, Code], every: bool) -> Guess:
    found = sorted(dict.fromkeys(index.found(text)), key=lambda wording: (-len(wording), text.index(wording)))
    left, chosen = f" {text} ", {}
    for wording in found:
        if f" {wording} " in left:
            left = left.replace(f" {wording} ", " | ", 1)
            chosen[wording] = len(wording)
    scores: dict[Code, float] = {}
    for wording, length in chosen.items():
        scores.setdefault(owner[wording], length)
    total = sum(scores.values())
    top = tuple((code, score / total) for code, score in list(scores.items())[:TOP]) or ((NO_CODE, 1.0),)
    return Guess(tuple(scores) if every else _first(top), top)


def bm25(known: Material, texts: Sequence[str], settings: BM25Params) -> list[Guess]:
    """Okapi BM25, one document per code: all its wordings. No shared word: "no code"."""
    from sklearn.feature_extraction.text import CountVectorizer

    documents: dict[Code, list[str]] = defaultdict(list)
    for wording, code in known.wordings:
        documents[code].append(wording)
    codes = sorted(documents)
    counter = CountVectorizer(token_pattern=TOKEN)
    counts = counter.fit_transform(["\n".join(documents[code]) for code in codes]).astype(np.float64).tocsr()
    length = np.asarray(counts.sum(axis=1)).ravel()
    rarity = np.bincount(counts.indices, minlength=counts.shape[1])
    weight = np.log(1 + (len(codes) - rarity + 0.5) / (rarity + 0.5))
    norm = settings.k1 * (1 - settings.b + settings.b * length / length.mean())
    rows = np.repeat(np.arange(len(codes)), np.diff(counts.indptr))
    counts.data = weight[counts.indices] * counts.data * (settings.k1 + 1) / (counts.data + norm[rows])
    scores = (counter.transform(texts) @ counts.T).toarray()
    return [_ranked(codes, row, row / (row.sum() or 1.0)) for row in scores]


def svm(known: Material, texts: Sequence[str], settings: SVMParams) -> list[Guess]:
    """TF-IDF and a linear support vector machine over narratives of at most one code, and over the wordings."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    single = [(item.narrative, item.gold[0] if item.gold else NO_CODE) for item in known.rows if len(item.gold) <= 1]
    pairs = [*single, *known.wordings]
    codes = sorted({code for _, code in pairs})
    number = {code: place for place, code in enumerate(codes)}
    vectors = TfidfVectorizer(token_pattern=TOKEN, ngram_range=(1, settings.ngrams), min_df=settings.min_df, sublinear_tf=True)
    one = LinearSVC(C=settings.c, max_iter=settings.max_iter, tol=settings.tolerance, random_state=0)
    model = OneVsRestClassifier(one, n_jobs=2)  # the same machines as one after the other in `LinearSVC`, three times as fast
    features = vectors.fit_transform([text for text, _ in pairs])
    model.fit(features, [number[code] for _, code in pairs])
    scores = np.atleast_2d(model.decision_function(vectors.transform(texts)))
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return [_ranked(codes, row, part) for row, part in zip(scores, share, strict=True)]


def neighbour(known: Material, texts: Sequence[str], settings: NeighbourParams) -> list[Guess]:
    """The codes of the training narratives and wordings nearest in TF-IDF cosine: `k` vote with their similarity, none
    that shares no word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    pairs = [*((item.narrative, item.gold) for item in known.rows), *((text, (code,)) for text, code in known.wordings)]
    vectors = TfidfVectorizer(token_pattern=TOKEN, sublinear_tf=True)
    base = vectors.fit_transform([text for text, _ in pairs]).T.tocsc()
    guesses: list[Guess] = []
    for start in range(0, len(texts), 256):
        near = (vectors.transform(texts[start : start + 256]) @ base).tocsr()
        near.sort_indices()  # equal similarities: the row that stands first
        for first, last in pairwise(near.indptr):
            likeness = near.data[first:last]
            votes: dict[Gold, float] = defaultdict(float)
            for place in _largest(likeness, settings.k):
                votes[pairs[near.indices[first + place]][1]] += float(likeness[place])
            guesses.append(_voted(votes))
    return guesses


def _voted(votes: Mapping[Gold, float]) -> Guess:
    total = sum(votes.values())
    if not total:
        return Guess((), ((NO_CODE, 1.0),))
    best = max(votes, key=lambda codes: votes[codes])
    shares: dict[Code, float] = defaultdict(float)
    for codes, vote in votes.items():
        for code in codes or (NO_CODE,):
            shares[code] += vote / total
    return Guess(best, tuple(sorted(shares.items(), key=lambda part: (-part[1], part[0]))[:TOP]))


def _ranked(codes: Sequence[Code], scores: Floats, shares: Floats) -> Guess:
    if scores.max(initial=0.0) == scores.min(initial=0.0) == 0.0:
        return Guess((), ((NO_CODE, 1.0),))
    top = tuple((codes[place], float(shares[place])) for place in _largest(scores, TOP))
    return Guess(_first(top), top)


def _largest(scores: Floats, k: int) -> list[int]:
    """Places of the `k` largest scores, best first, equal ones in order of place; much faster than sorting them all."""
    k = min(k, len(scores))
    if not k:
        return []
    near = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    found: list[int] = near[np.argsort(-scores[near], kind="stable")][:k].tolist()
    return found


def _first(top: Sequence[tuple[Code, float]]) -> Gold:
    return () if not top or top[0][0] == NO_CODE else (top[0][0],)


def prediction_row(item: Item, name: str, guess: Guess) -> dict[str, Any]:
    """A guess as a row of a prediction file."""
    return {
        "id": item.id,
        "system": name,
        "mode": "baseline",
        "text": None,
        "codes": [{"code_type": code.code_type, "code": code.code} for code in guess.codes],
        "top": [[code.code_type, code.code, share] for code, share in guess.top],
        "confidence": None,  # the shares rank; they are no probabilities
        "stopped": True,
        "new_tokens": 0,
    }
