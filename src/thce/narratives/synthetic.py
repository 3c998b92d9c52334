"""The synthetic narratives: eleven sets from the phrasebook, the titles and the grammar of notes.

Codes come in turn, and so do the phrases of each code, so that training sees every code about equally often. Training,
validation and test differ in their sentences; `test_unseen_phrase`, `test_unseen_multi`, half of `test_visits` and half of
validation also in their phrases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.narratives import confusables, grammar, phrasebook
from thce.narratives.compose import Style
from thce.narratives.conflicts import Conflicts
from thce.narratives.distractors import Distractors
from thce.narratives.grammar import Grammar
from thce.narratives.phrasebook import key
from thce.narratives.splits import SPLITS, Pair, PhraseIndex, PhraseSplit, split_phrases
from thce.narratives.tempting import Tempting, differential
from thce.narratives.wording import Wording, listed, wording
from thce.narratives.writer import NONE_REASONS, Rates, Writer
from thce.seeds import derive
from thce.settings.narratives import TESTS as SETS
from thce.settings.narratives import NarrativesParams

TESTS = tuple(f"test_{name}" for name in SETS)
VISITS = "val_visits"
FILES = ("train", "val", VISITS, *TESTS)
Row = dict[str, Any]

_NONE_WEIGHTS = listed(
    "negated negated negated negated negated ruled_out ruled_out ruled_out ruled_out family_history "
    "family_history family_history "
    "administrative administrative out_of_scope out_of_scope out_of_scope out_of_scope out_of_scope out_of_scope"
)
_TEMPTED = 0.2
"""Share of one-code validation notes that stand beside things that must not be coded, as a whole test set does: a confidence
fitted without such notes is too sure of them."""

_ATTEMPTS = 20
_FAILURES = 500


@dataclass(frozen=True, slots=True)
class Material:
    """What narratives are written from: the codes in scope, their wordings divided, and the grammar."""

    pairs: tuple[Pair, ...]
    phrases: PhraseSplit
    grammar: Grammar
    near: Mapping[Pair, tuple[confusables.Neighbour, ...]]
    conflicts: Conflicts


def wordings(book: CodeBook, phrasebook_folder: Path | str) -> list[Wording]:
    """The title of every code in scope, then its phrases. Raises `UserError` for what `phrasebook.problems` finds."""
    titles = {(entry.code_type, entry.code): entry.title for entry in book.scope}
    spoken = {pair: spoken_title(title) for pair, title in titles.items()}
    owners = Counter(key(text) for text in spoken.values())
    found = [
        wording(*pair, "title", spoken[pair] if owners[key(spoken[pair])] == 1 else title) for pair, title in titles.items()
    ]
    phrases = phrasebook.read(phrasebook_folder, titles)
    faults = phrasebook.problems(phrases, titles, phrasebook.official_terms(book))
    if faults:
        raise UserError(str(phrasebook_folder), f"{len(faults)} faults, first {faults[0]}", "mend them, then rerun")
    for phrase in phrases:
        found.append(wording(phrase.code_type, phrase.code, phrase.kind, phrase.text))
    return found


def spoken_title(title: str, limit: int = 110) -> str:
    """A title as it stands in a narrative: in full, or, beyond `limit` characters, up to the last `;`, `,` or `(`
    before it.

    Unlike the short title of an answer line it never ends on a dangling "without" or "initial encounter for".
    """
    if len(title) <= limit:
        return title
    cut = max(title.rfind(mark, 0, limit) for mark in ";,(")
    return title[:cut].rstrip(" ;,(") if cut > 0 else title


def material(book: CodeBook, phrasebook_folder: Path | str, grammar_folder: Path | str, seed: int) -> Material:
    """Read and divide everything; raises `UserError` for a fault in the files or evidence planted in the grammar."""
    words = wordings(book, phrasebook_folder)
    notes = grammar.read(grammar_folder, seed)
    planted = grammar.problems(notes, (item.key for item in words))
    if planted:
        raise UserError(str(grammar_folder), f"{len(planted)} pieces hold evidence ({'; '.join(planted[:5])})", "reword them")
    pairs = tuple((entry.code_type, entry.code) for entry in book.scope)

    def excludes(code: str) -> tuple[str, ...]:
        return tuple(note.text for note in book.notes("ICD10", code).excludes1)

    return Material(
        pairs,
        split_phrases(seed, pairs, words, notes.fixed_texts()),
        notes,
        confusables.neighbours(book),
        Conflicts(excludes),
    )


def protected_words(near: Mapping[Pair, Sequence[confusables.Neighbour]]) -> frozenset[str]:
    """The words that decide between neighbouring codes."""
    return frozenset(part for group in near.values() for one in group for word in one.here + one.there for part in word.split())


def writers(stuff: Material, params: NarrativesParams) -> dict[str, Writer]:
    """One writer per split."""
    rates = Rates(
        params.distractor_share,
        params.extra_sentences,
        Style(params.abbreviation_rate, params.lower_rate, params.upper_rate, params.typo_rate, params.span_typo_rate),
    )
    distractors = Distractors(stuff.phrases)
    guarded = protected_words(stuff.near)
    return {split: Writer(stuff.grammar, split, distractors, stuff.conflicts, rates, guarded) for split in SPLITS}


def build(stuff: Material, params: NarrativesParams, seed: int) -> dict[str, list[Row]]:
    """All sets; every narrative once. The sets have the sizes asked for, `test_contrast` at most so many."""
    by_split = writers(stuff, params)
    tested = [words.key for words in stuff.phrases.test.values()]
    validated = [words.key for words in stuff.phrases.val.values()]
    seen: set[str] = set()
    fresh = {
        "test": Fresh(seen, PhraseIndex(())),
        "val": Fresh(seen, PhraseIndex(tested)),
        "train": Fresh(seen, PhraseIndex([*tested, *validated])),
    }
    rows: dict[str, list[Row]] = {}
    known = stuff.phrases.train
    tests = {pair: (words,) for pair, words in stuff.phrases.test.items()}
    vals = {pair: (words,) for pair, words in stuff.phrases.val.items()}

    def rng(name: str) -> Random:
        return Random(derive(seed, "narratives", name))

    test, new = by_split["test"], fresh["test"]
    rows["test_known"] = _singles(test, rng("known"), known, params.test_known, new)
    rows["test_unseen_phrase"] = _singles(test, rng("unseen"), tests, params.test_unseen_phrase, new)
    rows["test_contrast"] = _contrasts(test, rng("contrast"), stuff, params.test_contrast, new)
    rows["test_no_code"] = _nones(test, rng("no_code"), params.test_no_code, NONE_REASONS, new)
    rows["test_multi"] = _multis(test.multi, rng("multi"), known, params.test_multi, new)
    for name, total in (("val", params.val), ("train", params.train)):
        multi, none = round(total * params.multi_share), round(total * params.no_code_share)
        single = total - multi - none
        writer, new = by_split[name], fresh[name]
        tempted = round(single * _TEMPTED) if name == "val" else 0
        unseen = single // 2 - tempted // 2 if name == "val" else 0
        own = [
            *_tempted(writer, rng(f"{name} distractors"), stuff, vals, tempted, new),
            *_singles(writer, rng(f"{name} known"), known, single - tempted - unseen, new),
            *_singles(writer, rng(f"{name} unseen"), vals, unseen, new),
            *_multis(writer.multi, rng(f"{name} multi"), known, multi, new),
            *_nones(writer, rng(f"{name} none"), none, _NONE_WEIGHTS, new),
        ]
        rng(f"{name} order").shuffle(own)
        rows[name] = own
    # last, so that what they take leaves the other sets as they are
    rows["test_unseen_multi"] = _multis(
        test.multi, rng("unseen multi"), tests, params.test_unseen_multi, fresh["test"], persons=1
    )
    rows["test_distractors"] = _tempted(test, rng("distractors"), stuff, tests, params.test_distractors, fresh["test"])
    half = params.test_visits // 2
    rows["test_visits"] = [
        *_multis(test.visit, rng("visits known"), known, params.test_visits - half, fresh["test"], persons=1),
        *_multis(test.visit, rng("visits unseen"), tests, half, fresh["test"], persons=1),
    ]
    rng("visits order").shuffle(rows["test_visits"])
    rows[VISITS] = _multis(by_split["val"].visit, rng(VISITS), known, params.val_visits, fresh["val"], persons=1)
    for name in FILES:
        for number, row in enumerate(rows[name]):
            row["id"] = f"{name}-{number:06d}"
    return {name: rows[name] for name in FILES}


def _turns(rng: Random, phrases: Mapping[Pair, Sequence[Wording]]) -> Iterator[Wording]:
    """Codes in turn, each round in a new order; the phrases of a code in turn as well."""
    pairs = sorted(phrases)
    queues = {pair: rng.sample(list(phrases[pair]), len(phrases[pair])) for pair in pairs}
    number = 0
    while pairs:
        for pair in rng.sample(pairs, len(pairs)):
            yield queues[pair][number % len(queues[pair])]
        number += 1


class Fresh:
    """Lets a narrative pass once, in whatever set, and not at all when it holds a phrase hidden from its split: where
    two sentences meet, their words can spell one by accident."""

    def __init__(self, seen: set[str], hidden: PhraseIndex) -> None:
        self._seen = seen
        self._hidden = hidden

    def passes(self, texts: Sequence[str]) -> bool:
        """Whether all texts are new and clean; if so they count as written."""
        keys = {key(text) for text in texts}
        if len(keys) < len(texts) or keys & self._seen or any(self._hidden.found(one) for one in keys):
            return False
        self._seen |= keys
        return True


def _fill(count: int, make: Callable[[], Row | None], fresh: Fresh, name: str) -> list[Row]:
    """`count` rows that pass; gives up when hundreds in a row do not."""
    rows: list[Row] = []
    failures = 0
    while len(rows) < count and failures < _FAILURES:
        row = make()
        if row is not None and fresh.passes([row["narrative"]]):
            rows.append(row)
            failures = 0
        else:
            failures += 1
    if len(rows) < count:
        raise UserError("params.yaml: narratives", f"only {len(rows)} different {name} narratives of {count}", "ask for fewer")
    return rows


def _singles(writer: Writer, rng: Random, phrases: Mapping[Pair, Sequence[Wording]], count: int, fresh: Fresh) -> list[Row]:
    if count and not phrases:
        raise UserError("params.yaml: narratives", f"{count} narratives asked for, but no phrase is held out", "set it to 0")
    turns = _turns(rng, phrases)
    rows: list[Row] = []
    while len(rows) < count:
        words = next(turns)
        for _ in range(_ATTEMPTS):
            row = writer.single(rng, words)
            if fresh.passes([row["narrative"]]):
                rows.append(row)
                break
        else:
            raise UserError(
                "params.yaml: narratives",
                f"no new narrative for `{words.text}` after {len(rows)} of {count}",
                "ask for fewer",
            )
    return rows


def _multis(
    write: Callable[[Random, Wording, Callable[[Random], Wording]], Row | None],
    rng: Random,
    phrases: Mapping[Pair, Sequence[Wording]],
    count: int,
    fresh: Fresh,
    persons: int = 5,
) -> list[Row]:
    """Notes with several codes, each made by `write`; at most `persons` of the phrases of one note name a person or an age,
    which could differ."""
    named = {words.text for group in phrases.values() for words in group if words.person}
    turns = _turns(rng, phrases)
    pairs = sorted(phrases)
    pools = {"": [words for pair in pairs for words in phrases[pair]]}
    for words in pools[""]:
        if words.group in ("newborn", "obstetric", "child"):
            pools.setdefault(words.group, []).append(words)

    def make() -> Row | None:
        first = next(turns)
        own = pools.get(first.group)

        def others(rng: Random) -> Wording:
            pool = own if own and rng.random() < 0.5 else pools[""]
            return pool[int(rng.random() * len(pool))]

        row = write(rng, first, others)
        fits = row is not None and sum(item["phrase"] in named for item in row["evidence"]) <= persons
        return row if fits else None

    return _fill(count, make, fresh, "multi")


def _nones(writer: Writer, rng: Random, count: int, reasons: Sequence[str], fresh: Fresh) -> list[Row]:
    number = -1

    def make() -> Row:
        nonlocal number
        number += 1
        return writer.none(rng, reasons[number % len(reasons)])

    return _fill(count, make, fresh, "no-code")


def _tempted(
    writer: Writer, rng: Random, stuff: Material, held: Mapping[Pair, Sequence[Wording]], count: int, fresh: Fresh
) -> list[Row]:
    """Notes with distractors; training wordings and those of `held` take turns as the one to be coded. A sixth is about signs,
    beside which a disease may be suspected."""
    tempting = Tempting(writer, stuff.phrases, stuff.near)
    parts: list[list[Row]] = []
    for phrases, size in ((stuff.phrases.train, count - count // 2), (held, count // 2)):
        signs = {pair: group for pair, group in phrases.items() if differential(group[0])}
        rows: list[Row] = []
        for turns, share in ((_turns(rng, signs), size // 6), (_turns(rng, phrases), size - size // 6)):
            rows += _fill(share, lambda turns=turns: tempting.write(rng, next(turns)), fresh, "distractor")  # type: ignore[misc]
        rng.shuffle(rows)
        parts.append(rows)
    return [part[number] for number in range(len(parts[0])) for part in parts if number < len(part)]


def _contrasts(writer: Writer, rng: Random, stuff: Material, count: int, fresh: Fresh) -> list[Row]:
    """Groups of neighbours with wordings as alike as they can be; codes not yet used come first."""
    groups = confusables.groups(stuff.near)
    rng.shuffle(groups)
    used: set[Pair] = set()
    rows: list[Row] = []
    number = 0
    for again in (False, True):
        for group in groups:
            if len(rows) + len(group) > count or (bool(used & set(group)) != again):
                continue
            members = alike(rng, [stuff.phrases.train[pair] for pair in group])
            made = writer.contrast(rng, members) if len(members) > 1 else []
            if not made or not fresh.passes([row["narrative"] for row in made]):
                continue
            used |= {words.pair for words in members}
            for row in made:
                row["group"] = f"contrast-{number:03d}"
            rows.extend(made)
            number += 1
    return rows


def alike(rng: Random, choices: Sequence[Sequence[Wording]]) -> list[Wording]:
    """One wording per code that differ as little as they can, so that the deciding word alone is left to read.

    The first code's wording is one of the three that find the closest partners; codes without a wording that shares a
    quarter of its words are left out.
    """

    def closeness(one: frozenset[str], two: frozenset[str]) -> float:
        return len(one & two) / len(one | two)

    words = [[(other, frozenset(other.key.split())) for other in own] for own in choices]

    def partners(first: Wording) -> list[tuple[float, Wording]]:
        mine = frozenset(first.key.split())
        scored = ([(closeness(mine, theirs), other) for other, theirs in own] for own in words[1:])
        return [max(own, key=lambda pair: (pair[0], pair[1].key)) for own in scored]

    ranked = sorted(choices[0], key=lambda first: (-sum(score for score, _ in partners(first)), first.key))[:3]
    first = ranked[int(rng.random() * len(ranked))]
    return [first, *(other for score, other in partners(first) if score >= 0.25)]


def phrase_rows(phrases: PhraseSplit) -> Iterator[Row]:
    """Every wording with its side of the split, sorted by code: what a lexicon may know are the `train` rows alone."""
    for pair in sorted(phrases.train):
        held = [("val", phrases.val.get(pair)), ("test", phrases.test.get(pair))]
        for split, words in [*(("train", words) for words in phrases.train[pair]), *held]:
            if words is not None:
                yield {
                    "code_type": words.code_type,
                    "code": words.code,
                    "phrase": words.text,
                    "kind": words.kind,
                    "split": split,
                }
