"""Collect: read the sources of one configuration, and draw the sets of each stage from them.

Every source becomes `<name>.jsonl` with what was left out beside it in `<name>.rejects.jsonl`; every set `<set>.jsonl`.
A row's side (train, val, test) is its source's, or a hash of its family: then all notes of a patient or template are on
one side, whatever else is added later. No row serves two sets.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from thce import codes
from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.files import read_jsonl, rounded, write_json, write_jsonl
from thce.narratives import sources
from thce.narratives.phrasebook import key
from thce.narratives.sources import SIDES, SourceConfig
from thce.narratives.sources_config import build, configure
from thce.narratives.splits import PhraseIndex
from thce.params import read_yaml
from thce.seeds import derive


@dataclass(frozen=True, slots=True, kw_only=True)
class SetConfig:
    """One set: `count` rows of one side, in the given mix of sources."""

    split: str
    count: int
    mix: dict[str, float]
    """Source -> share; the shares add up to 1. A source with too few rows gives all it has, and no row is repeated."""
    max_per_code: int | None = None
    """At most this many rows with the same principal code."""
    evidence: bool = False
    """Only rows with evidence for every code: reasoning has to quote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectConfig:
    """A collection file."""

    seed: int
    val: float
    """Share of families on the validation side."""
    test: float
    """Share of families on the test side."""
    sources: tuple[SourceConfig, ...]
    codes: str = "data/codes"
    held_out: str | None = None
    """data/narratives/phrases.jsonl: rows with a phrase that is held out from their side are left out."""
    sets: dict[str, SetConfig] = field(default_factory=dict)


class _Candidate(NamedTuple):
    """A row of a pool: its rank in the draw and where its line begins in the source's file."""

    rank: int
    offset: int
    side: str
    code: str
    has_evidence: bool


def read_config(path: Path | str) -> CollectConfig:
    """A collection file, every key checked; raises `UserError` that names the key."""
    value = read_yaml(path)
    place = str(path)
    unknown = [name for name in value if name not in ("seed", "val", "test", "codes", "held_out", "sources", "sets")]
    if unknown:
        raise UserError(f"{place}: {unknown[0]}", "unknown key", "use seed, val, test, codes, held_out, sources, sets")
    for name in ("seed", "val", "test"):
        if isinstance(value.get(name), bool) or not isinstance(value.get(name), int if name == "seed" else int | float):
            raise UserError(f"{place}: {name}", f"must be a number, not `{value.get(name)}`")
    if min(value["val"], value["test"]) < 0 or value["val"] + value["test"] >= 1:
        raise UserError(f"{place}: val, test", "must be shares that leave something for training")
    items = value.get("sources")
    if not isinstance(items, list) or not items:
        raise UserError(f"{place}: sources", "must be a list of sources", "see configs/collect_example.yaml")
    found = tuple(configure(item, f"{place}: sources[{number}]") for number, item in enumerate(items))
    names = [source.name for source in found]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(f"{place}: sources", f"two are named `{repeated[0]}`", "give each a name of its own")
    sets = _sets(value.get("sets") or {}, names, place)
    for name in ("codes", "held_out"):
        if not isinstance(value.get(name), str | None):
            raise UserError(f"{place}: {name}", f"must be a path, not `{value[name]}`")
    return CollectConfig(
        seed=value["seed"],
        val=float(value["val"]),
        test=float(value["test"]),
        sources=found,
        codes=value.get("codes") or "data/codes",
        held_out=value.get("held_out"),
        sets=sets,
    )


def _sets(value: Any, names: list[str], place: str) -> dict[str, SetConfig]:
    if not isinstance(value, Mapping):
        raise UserError(f"{place}: sets", "must be a section of sets")
    sets = {str(name): build(SetConfig, item, f"{place}: sets.{name}") for name, item in value.items()}
    for name, item in sets.items():
        if name in names:
            raise UserError(f"{place}: sets.{name}", "has the name of a source", "both would be written to one file")
        if item.split not in SIDES:
            raise UserError(f"{place}: sets.{name}.split", f"`{item.split}` is unknown", f"use {', '.join(SIDES)}")
        for source in item.mix:
            if source not in names:
                raise UserError(f"{place}: sets.{name}.mix.{source}", "is not a source", f"use {', '.join(names)}")
        if any(share < 0 for share in item.mix.values()) or abs(sum(item.mix.values()) - 1) > 1e-6:
            raise UserError(f"{place}: sets.{name}.mix", "the shares do not add up to 1")
    return sets


def held_out(path: Path | str) -> dict[str, PhraseIndex]:
    """Side -> the phrases that may not stand there, from `data/narratives/phrases.jsonl`.

    Phrases held out for test stand in test alone, those held out for validation not in training.
    """
    rows = [(row["split"], key(row["phrase"])) for row in read_jsonl(path)]
    return {
        "train": PhraseIndex(phrase for split, phrase in rows if split != "train"),
        "val": PhraseIndex(phrase for split, phrase in rows if split == "test"),
    }


def collect(config: CollectConfig, out: Path | str, book: CodeBook | None = None) -> dict[str, Any]:
    """Write all files into `out` and return what `collect.json` there holds: counts per source and set, and every
    reason."""
    out = Path(out)
    book = book or codes.open(config.codes)
    report: dict[str, Any] = {"sources": {}, "sets": {}}
    pools: dict[str, list[_Candidate]] = {}
    phrases = held_out(config.held_out) if config.held_out else {}
    for source in config.sources:
        report["sources"][source.name], pools[source.name] = _read(source, config, book, phrases, out)
    taken: dict[str, set[int]] = {name: set() for name in pools}
    for name, item in config.sets.items():
        chosen, report["sets"][name] = _draw(item, pools, taken)
        write_jsonl(out / f"{name}.jsonl", _lines(out, chosen))
    write_json(out / "collect.json", report)
    return report


def _read(
    source: SourceConfig, config: CollectConfig, book: CodeBook, phrases: Mapping[str, PhraseIndex], out: Path
) -> tuple[dict[str, Any], list[_Candidate]]:
    """Stream one source into its file; what is kept in memory is one small tuple per row."""
    reasons: Counter[str] = Counter()
    sides: Counter[str] = Counter()
    pool: list[_Candidate] = []
    out.mkdir(parents=True, exist_ok=True)
    part = out / f"{source.name}.rejects.jsonl.part"
    with part.open("w", encoding="utf-8", newline="\n") as rejects:

        def reject(place: str, what: str, reason: str) -> None:
            reasons[f"{what.split(' ')[0]} {reason}"] += 1
            rejects.write(json.dumps({"place": place, "what": what, "reason": reason}) + "\n")

        def stream() -> Iterator[dict[str, Any]]:
            offset = 0
            for row in sources.rows(source, book, config.seed, reject):
                side = source.side or _side(row["template"], config)
                if side in phrases and phrases[side].found(key(row["narrative"])):
                    reject(row["id"], "row", "holds a phrase held out for validation or test")
                    continue
                sides[side] += 1
                first = row["codes"][0] if row["codes"] else {"code_type": "", "code": ""}
                complete = len({(item["code_type"], item["code"]) for item in row["evidence"]}) == len(row["codes"])
                rank = derive(config.seed, "draw", row["id"])
                pool.append(_Candidate(rank, offset, side, f"{first['code_type']} {first['code']}", complete))
                offset += len(json.dumps(rounded(row), ensure_ascii=False, allow_nan=False).encode()) + 1
                yield row

        kept = write_jsonl(out / f"{source.name}.jsonl", stream())
    part.rename(out / f"{source.name}.rejects.jsonl")
    return {"kept": kept, "sides": dict(sorted(sides.items())), "left_out": dict(sorted(reasons.items()))}, pool


def _side(family: str, config: CollectConfig) -> str:
    place = derive(config.seed, "side", family) / 2**63
    return "test" if place < config.test else "val" if place < config.test + config.val else "train"


def _draw(
    item: SetConfig, pools: Mapping[str, list[_Candidate]], taken: Mapping[str, set[int]]
) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """(source, offset) of the rows of one set in the order of their ranks, and how many each source gave."""
    per_code: Counter[str] = Counter()
    chosen: list[tuple[int, str, int]] = []
    given: dict[str, dict[str, int]] = {}
    for name, wanted in _shares(item).items():
        ranked = [
            candidate for candidate in pools[name] if candidate.side == item.split and candidate.offset not in taken[name]
        ]
        heapq.heapify(ranked)
        got = 0
        while ranked and got < wanted:
            candidate = heapq.heappop(ranked)
            if item.evidence and not candidate.has_evidence:
                continue
            if item.max_per_code is not None and per_code[candidate.code] >= item.max_per_code:
                continue
            per_code[candidate.code] += 1
            taken[name].add(candidate.offset)
            chosen.append((candidate.rank, name, candidate.offset))
            got += 1
        given[name] = {"wanted": wanted, "got": got}
    chosen.sort()
    return [(name, offset) for _, name, offset in chosen], {"rows": len(chosen), "sources": given}


def _shares(item: SetConfig) -> dict[str, int]:
    """Rows per source: the count in the proportions of the mix, what is left by rounding to the largest remainders."""
    exact = {name: item.count * share for name, share in item.mix.items()}
    whole = {name: int(value) for name, value in exact.items()}
    left = item.count - sum(whole.values())
    for name in sorted(exact, key=lambda name: (whole[name] - exact[name], name))[:left]:
        whole[name] += 1
    return whole


def _lines(out: Path, chosen: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    streams = {name: (out / f"{name}.jsonl").open("rb") for name in sorted({name for name, _ in chosen})}
    try:
        for name, offset in chosen:
            streams[name].seek(offset)
            yield json.loads(streams[name].readline())
    finally:
        for stream in streams.values():
            stream.close()
