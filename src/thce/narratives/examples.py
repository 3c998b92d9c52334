"""Rows of narratives as training and test examples, in the three formats on disk.

python -m thce.narratives.examples        # writes the samples of data/examples/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from thce import codes, reasoning
from thce.capitals import small
from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.files import write_jsonl
from thce.halves import in_halves
from thce.narratives import synthetic
from thce.narratives.phrasebook import key
from thce.narratives.splits import Pair, PhraseIndex
from thce.reasoning.negatives import one_negative
from thce.reasoning.words import roots
from thce.settings.narratives import NarrativesParams

Row = Mapping[str, Any]
Lexicon = Mapping[str, tuple[str, Pair]]
"""Key of a training phrase -> the phrase and the code it justifies."""

TIERS = ("easy", "partial", "novel")
"""How many content words of an evidence phrase stand in the official title: all, some, none."""


def tier(phrase: str, title: str) -> str:
    """How far a phrase is from the official title, one of `TIERS`."""
    said = roots(phrase)
    shared = said & roots(title)
    if not shared:
        return "novel"
    return "easy" if shared == said else "partial"


def row_tier(row: Row, book: CodeBook) -> str | None:
    """The tier of the hardest piece of evidence; None for a text without a code."""
    tiers = [
        tier(item["phrase"], entry.title)
        for item in row["evidence"]
        if (entry := book.find(item["code_type"], item["code"])) is not None
    ]
    return max(tiers, key=TIERS.index) if tiers else None


def prompt(row: Row, system: str) -> list[dict[str, str]]:
    """The messages a model answers."""
    return [{"role": "system", "content": system}, {"role": "user", "content": row["narrative"]}]


def metadata(row: Row) -> dict[str, Any]:
    """What every record carries: the first code in fields of its own (None without a code), all codes, evidence
    and origin.
    """
    first = row["codes"][0] if row["codes"] else {"code_type": None, "code": None}
    return {
        "id": row["id"],
        "code_type": first["code_type"],
        "code": first["code"],
        "codes": [{"code_type": item["code_type"], "code": item["code"]} for item in row["codes"]],
        "code_valid": True,
        "source": row["source"],
        "kind": row["kind"],
        "none_reason": row["none_reason"],
        "evidence": [
            {name: item[name] for name in ("code_type", "code", "start", "end", "text", "phrase", "kind")}
            for item in row["evidence"]
        ],
    }


def check(row: Row, book: CodeBook, max_words: int) -> None:
    """Raise `UserError` for a row that no example can be made of: empty, too long, or with a code that cannot
    be billed.
    """
    place = str(row.get("id", "row without id"))
    missing = [name for name in ("id", "narrative", "codes", "evidence", "source", "kind", "template") if name not in row]
    if missing:
        raise UserError(place, f"lacks {', '.join(missing)}", "see the fields of data/narratives/")
    if not str(row["narrative"]).strip():
        raise UserError(place, "narrative is empty")
    words = len(row["narrative"].split())
    if words > max_words:
        raise UserError(
            place, f"narrative has {words} words, more than prepare.max_words ({max_words})", "raise it or drop the row"
        )
    for item in row["codes"]:
        entry = book.find(item["code_type"], item["code"])
        if entry is None or not entry.billable:
            raise UserError(
                place, f"{item['code_type']} {item['code']} is not a billable code of the tables", "correct the code"
            )


def stage1(row: Row, book: CodeBook, system: str) -> dict[str, Any]:
    """A record of stage 1: the answer alone."""
    message = {"role": "assistant", "content": reasoning.answer(row, book)}
    return {"messages": [*prompt(row, system), message], "_metadata": metadata(row)}


def stage2(row: Row, book: CodeBook, system: str, seed: int) -> dict[str, Any] | None:
    """A record of stage 2: a built trace, then the answer; None when the verifier does not accept the trace."""
    text = faithful(row, book, seed)
    if text is None:
        return None
    extra = {"reasoning_present": True, "reasoning_quality": "high"}
    message = {"role": "assistant", "content": text}
    return {"messages": [*prompt(row, system), message], "_metadata": metadata(row) | extra}


def traced(rows: Sequence[Row], book: CodeBook, system: str, seed: int) -> list[dict[str, Any] | None]:
    """`stage2` of every row."""
    return [stage2(row, book, system, seed) for row in rows]


def stage3(row: Row, book: CodeBook, system: str, seed: int, lexicon: Lexicon, index: PhraseIndex) -> dict[str, Any] | None:
    """A preference record: the built trace against one hard negative; None when either cannot be made."""
    text = faithful(row, book, seed)
    read = as_quoted(row)
    rejected = one_negative(read, book, seed, located(read["narrative"], index, lexicon)) if text else None
    if text is None or rejected is None:
        return None
    extra = {"rejected_kind": rejected.kind, "origin": "built"}
    return {
        "prompt": prompt(row, system),
        "chosen": text,
        "rejected": rejected.text,
        "_metadata": metadata(row) | extra,
    }


def faithful(row: Row, book: CodeBook, seed: int) -> str | None:
    """The built completion, if the verifier accepts it: a text may deny what a source claims as evidence."""
    try:
        text = reasoning.completion(as_quoted(row), book, seed)
    except UserError:
        return None
    return text if reasoning.verify(row["narrative"], text, book).faithful else None


def as_quoted(row: Row) -> Row:
    """The row as a trace quotes it: a narrative in capitals, and its evidence, in small letters."""
    text = small(row["narrative"])
    if text == row["narrative"]:
        return row
    return {**row, "narrative": text, "evidence": [{**one, "text": text[one["start"] : one["end"]]} for one in row["evidence"]]}


def test(row: Row, book: CodeBook, system: str) -> dict[str, Any]:
    """A test record: the prompt, and the gold in `_metadata` where no stage trains on it."""
    extra = {"group": row.get("group"), "template": row["template"], "tier": row_tier(row, book)}
    return {"messages": prompt(row, system), "_metadata": metadata(row) | extra}


def lexicon_of(rows: Sequence[Row]) -> dict[str, tuple[str, Pair]]:
    """Every phrase that is evidence in the rows, with its code; the first code wins where two share a phrase."""
    found: dict[str, tuple[str, Pair]] = {}
    for row in rows:
        for item in row["evidence"]:
            found.setdefault(key(item["phrase"]), (item["phrase"], (item["code_type"], item["code"])))
    return found


def located(narrative: str, index: PhraseIndex, lexicon: Lexicon) -> list[tuple[str, Pair]]:
    """Training phrases in a narrative as they are written there, with their codes."""
    lower = narrative.lower()
    found: list[tuple[str, Pair]] = []
    for phrase_key in index.found(key(narrative)):
        phrase, pair = lexicon[phrase_key]
        at = lower.find(phrase.lower())
        if at >= 0 and len(lower) == len(narrative):
            found.append((narrative[at : at + len(phrase)], pair))
    return found


def reasoning_report(stages: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], book: CodeBook) -> dict[str, Any]:
    """The written traces, read back and verified: the verified share, and the kinds of claims and of hard negatives."""
    completions = [
        (record["messages"][1]["content"], record["messages"][2]["content"])
        for records in stages["stage2"].values()
        for record in records
    ]
    pairs = [record for records in stages["stage3"].values() for record in records]
    completions += [(record["prompt"][1]["content"], record["chosen"]) for record in pairs]
    read = in_halves(partial(_verified, book=book), completions)
    kinds = Counter(kind for _, claims in read for kind in claims)
    return {
        "traces": len(read),
        "verified": sum(faithful for faithful, _ in read) / len(read) if read else None,
        "claims": dict(sorted(kinds.items())),
        "negatives": dict(sorted(Counter(record["_metadata"]["rejected_kind"] for record in pairs).items())),
    }


def _verified(completions: Sequence[tuple[str, str]], book: CodeBook) -> list[tuple[bool, list[str]]]:
    """Of (narrative, completion) whether it holds, and the kinds of its claims."""
    verdicts = (reasoning.verify(narrative, text, book) for narrative, text in completions)
    return [(verdict.faithful, [claim.kind for claim in verdict.claims]) for verdict in verdicts]


_QUOTAS = {"ICD10": 20, "CPT": 11, "HCPCS": 9, "multi": 5, "none": 5}
_SYSTEM = ("Give the billing codes.", "Think, then give the billing codes.")
_SEED = 17
_FEW = NarrativesParams(
    train=600,
    multi_share=0.1,
    no_code_share=0.1,
    val=20,
    test_known=400,
    test_unseen_phrase=1,
    test_contrast=4,
    test_no_code=20,
    test_multi=20,
    test_unseen_multi=1,
    test_distractors=1,
    test_visits=1,
    val_visits=1,
    distractor_share=0.3,
    extra_sentences=0.6,
    abbreviation_rate=0.25,
    lower_rate=0.08,
    upper_rate=0.04,
    typo_rate=0.06,
    span_typo_rate=0.02,
)


def samples(book: CodeBook, phrasebook: Path | str, grammar: Path | str) -> dict[str, list[dict[str, Any]]]:
    """The committed samples by file name: 50 records of each stage and of a test set, over all code types."""
    rows = synthetic.build(synthetic.material(book, phrasebook, grammar, _SEED), _FEW, _SEED)
    lexicon = lexicon_of(rows["train"])
    index = PhraseIndex(lexicon)
    chosen = _mixed(rows["train"])
    tested = _mixed([*rows["test_known"], *rows["test_no_code"], *rows["test_multi"]])
    two = [stage2(row, book, _SYSTEM[1], _SEED) for row in chosen]
    three = [stage3(row, book, _SYSTEM[1], _SEED, lexicon, index) for row in chosen]
    return {
        "sample_stage_1.jsonl": [stage1(row, book, _SYSTEM[0]) for row in chosen],
        "sample_stage_2.jsonl": [record for record in two if record],
        "sample_stage_3.jsonl": [record for record in three if record],
        "sample_test.jsonl": [test(row, book, _SYSTEM[1]) for row in tested],
    }


def _mixed(rows: Sequence[Row]) -> list[Row]:
    """The first rows of each kind, up to its quota, in the order of the rows."""
    left = dict(_QUOTAS)
    found: list[Row] = []
    for row in rows:
        codes_of = row["codes"]
        name = "none" if not codes_of else "multi" if len(codes_of) > 1 else codes_of[0]["code_type"]
        if left[name]:
            left[name] -= 1
            found.append(row)
    return found


def main() -> None:
    """Write data/examples/ from the committed phrasebook and grammar."""
    for name, records in samples(codes.open("data/codes"), "data/phrasebook", "data/grammar").items():
        write_jsonl(Path("data/examples") / name, records)


if __name__ == "__main__":
    main()
