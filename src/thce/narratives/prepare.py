"""From narratives to what the stages train on: division, base-model text, contamination check, quality report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from statistics import median
from typing import Any

from thce.codes.book import CodeBook, Entry
from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex
from thce.seeds import derive

Row = Mapping[str, Any]
Record = Mapping[str, Any]

STAGES = ("stage1", "stage2", "stage3")


def divide(rows: Sequence[Row], sizes: Sequence[int], seed: int, evenly: bool = False) -> list[list[Row]]:
    """Deal shuffled rows to the stages, each row once while there are enough.

    They get them in turn; `evenly`, the second stage chooses first, by `even`. A stage that asks for more than is left gets
    rows that another has, so it gets at most all of them.
    """
    order = list(rows)
    Random(derive(seed, "prepare", "order")).shuffle(order)
    answers, traces, pairs = (min(size, len(order)) for size in sizes)
    chosen = even(order, traces) if evenly else (order + order)[answers : answers + traces]
    taken = {id(row) for row in chosen}
    rest = [row for row in order if id(row) not in taken]
    if evenly:  # rows with a new wording were taken wherever they stood first: what is left is in no chance order any more
        Random(derive(seed, "prepare", "rest")).shuffle(rest)
    ring = rest + chosen
    return [ring[:answers], chosen, [ring[(answers + number) % len(ring)] for number in range(pairs)]]


def even(rows: Sequence[Row], size: int) -> list[Row]:
    """`size` of the rows, in their order, that name every wording about equally often: what a model is to know of a wording it
    learns where it sees it, and of rows drawn blindly a fifth of the wordings would see none.

    Rows of one code and rows of none or several keep their shares; the latter are the first of their kind.
    """
    single = [row for row in rows if len(row["evidence"]) == 1]
    wanted = round(size * len(single) / len(rows))
    chosen = [row for row in rows if len(row["evidence"]) != 1][: size - wanted]
    seen = Counter(_wording(item) for row in chosen for item in row["evidence"])
    limit = 0
    while wanted:
        left = []
        for row in single:
            name = _wording(row["evidence"][0])
            if wanted and seen[name] <= limit:
                seen[name] += 1
                wanted -= 1
                chosen.append(row)
            else:
                left.append(row)
        single = left
        limit += 1
    taken = {id(row) for row in chosen}
    return [row for row in rows if id(row) in taken]


def _wording(item: Mapping[str, Any]) -> tuple[str, str, str]:
    return item["code_type"], item["code"], key(item["phrase"])


def pretraining(book: CodeBook, rows: Sequence[Row], held_out: PhraseIndex) -> tuple[list[str], int]:
    """Texts for the base model, sorted, and how many were dropped because they hold a phrase kept for validation or
    test.

    `wording` newline answer line, for every official title, inclusion term and training phrase of a code in scope;
    `item` newline `item above`, for every step of the hierarchy over the codes in scope.
    """
    texts: set[str] = set()
    for entry in book.scope:
        told = f"{entry.code_type}: {entry.code} ({entry.short_title})"
        for wording in (entry.title, *book.terms(entry.code_type, entry.code)):
            texts.add(f"{wording}\n{told}")
        path = [item for item in book.path(entry.code_type, entry.code) if _has_own_title(item)]
        for below, above in zip(path[1:], path, strict=False):
            texts.add(f"{label(below)}\n{label(above)}")
    for row in rows:
        for item in row["evidence"]:
            owner = book.find(item["code_type"], item["code"])
            if owner is not None:
                texts.add(f"{item['phrase']}\n{owner.code_type}: {owner.code} ({owner.short_title})")
    kept = sorted(text for text in texts if not held_out.found(key(text)))
    return kept, len(texts) - len(kept)


def _has_own_title(entry: Entry) -> bool:
    first, _, last = entry.code.partition("-")
    return entry.level != "block" or first != last  # a block of one category repeats its title


def label(entry: Entry) -> str:
    """An item as a trace names it: `J20 Acute bronchitis`, `chapter 10 Diseases of the respiratory system
    (J00-J99)`, `Surgery`.
    """
    if entry.code_type == "CPT" and entry.level == "section":
        return entry.short_title
    return f"{'chapter ' if entry.level == 'chapter' else ''}{entry.code} {entry.short_title}"


def held_out_keys(phrases: Sequence[Row]) -> dict[str, set[str]]:
    """Keys of the phrases kept for `val` and for `test`, from the rows of data/narratives/phrases.jsonl."""
    found: dict[str, set[str]] = {"val": set(), "test": set()}
    for row in phrases:
        if row["split"] in found:
            found[row["split"]].add(key(row["phrase"]))
    return found


def contamination(
    training: Sequence[Row],
    val: Sequence[Row],
    tests: Sequence[Row],
    texts: Sequence[str],
    held: Mapping[str, set[str]],
) -> Iterator[str]:
    """What of the tests stands in training: the same narrative, the same sentence template, a held-out phrase;
    one line each.
    """
    seen = {key(row["narrative"]): row["id"] for row in (*tests, *val)}
    templates = {piece for row in tests for piece in row["template"].split("+")}
    hidden = PhraseIndex([*sorted(held["test"]), *sorted(held["val"])])
    for row in training:
        narrative = key(row["narrative"])
        if narrative in seen:
            yield f"{row['id']} repeats {seen[narrative]}"
        shared = sorted(templates.intersection(row["template"].split("+")))
        if shared:
            yield f"{row['id']} uses {shared[0]}, a sentence of the tests"
        for phrase in hidden.found(narrative):
            yield f"{row['id']} holds the held-out phrase `{phrase}`"
    for number, text in enumerate(texts, 1):
        for phrase in hidden.found(key(text)):
            yield f"pretrain line {number} holds the held-out phrase `{phrase}`"


def report(stages: Mapping[str, Mapping[str, Sequence[Record]]], tests: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """The quality of what was written: sizes, codes, repetitions and lengths, per stage and set."""
    result: dict[str, Any] = {"stages": {}, "tests": {}}
    for stage, sets in stages.items():
        result["stages"][stage] = {name: summary(records) for name, records in sets.items()}
    for name, records in tests.items():
        result["tests"][name] = summary(records) | {
            "tiers": counts(record["_metadata"]["tier"] or "none" for record in records)
        }
    used = [{record["_metadata"]["id"] for record in sets["train"]} for sets in stages.values()]
    result["rows_in_two_stages"] = sum(count > 1 for count in Counter(one for ids in used for one in ids).values())
    return result


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """One set: records, per code type the records and how often each code occurs, duplicates, lengths in words."""
    by_type: dict[str, int] = {"ICD10": 0, "CPT": 0, "HCPCS": 0, "none": 0}
    per_code: Counter[str] = Counter()
    several = 0
    for record in records:
        codes = record["_metadata"]["codes"]
        several += len(codes) > 1
        by_type["none"] += not codes
        for item in codes:
            by_type[item["code_type"]] += 1
            per_code[f"{item['code_type']} {item['code']}"] += 1
    prompts = [_messages(record)[1]["content"] for record in records]
    often = sorted(per_code.values())
    return {
        "records": len(records),
        "codes_by_type": by_type,
        "several_codes": several,
        "distinct_codes": len(per_code),
        "records_per_code": {"min": often[0], "median": median(often), "max": often[-1]} if often else None,
        "duplicates": len(prompts) - len(set(map(key, prompts))),
        "narrative_words": percentiles([len(text.split()) for text in prompts]),
        "completion_words": percentiles([len(text.split()) for record in records for text in _completions(record)]),
    }


def counts(values: Iterator[str] | Sequence[str]) -> dict[str, int]:
    """How often each value occurs, sorted by value."""
    return dict(sorted(Counter(values).items()))


def percentiles(lengths: Sequence[int]) -> dict[str, int] | None:
    """Nearest-rank percentiles of whole numbers; None of none."""
    ranked = sorted(lengths)
    if not ranked:
        return None
    last = len(ranked) - 1
    return {name: ranked[round(share * last)] for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))}


def _messages(record: Record) -> list[dict[str, str]]:
    found: list[dict[str, str]] = record["prompt"] if "prompt" in record else record["messages"]
    return found


def _completions(record: Record) -> list[str]:
    if "prompt" in record:
        return [record["chosen"], record["rejected"]]
    return [message["content"] for message in record["messages"][2:]]
