"""One test case as a person wants to see it: the text with its evidence, the answer, its reasoning judged, the gold."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from thce import answers, terminal
from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.evaluation.data import Item, read_items, to_prediction
from thce.files import read_jsonl
from thce.reasoning.verify import PARTS, SUPPORTED, UNSUPPORTED, verify

Row = Mapping[str, Any]


def find_item(name: str, paths: Sequence[Path | str]) -> Item:
    """The test case with this id. Raises `UserError` that names the nearest id when there is none."""
    ids: list[str] = []
    for path in paths:
        for item in read_items(path):
            if item.id == name:
                return item
            ids.append(item.id)
    near = difflib.get_close_matches(name, ids, n=1, cutoff=0.5)
    raise UserError(f"`{name}`", "no test case has this id", f"did you mean `{near[0]}`?" if near else f"one is `{ids[0]}`")


def find_rows(name: str, path: Path | str) -> list[Row]:
    """The answers to one case in a file of predictions, one per system and mode, in the order of the file.

    Raises `UserError` if the file is not there.
    """
    if not Path(path).is_file():
        raise UserError(str(path), "no answers here yet", "`dvc repro` makes them, `--predictions FILE` names others")
    return [row for row in read_jsonl(path) if str(row.get("id")) == name]


def case(item: Item, row: Row, book: CodeBook) -> dict[str, Any]:
    """A test case with one answer, as plain values.

    `evidence` are (start, end) of the wordings the gold rests on; `claims` is the reasoning bullet by bullet as
    `reasoning.verify` judges it, which does not know the gold; `top` are the most probable codes with their probability.
    """
    prediction = to_prediction(row)
    verdict = verify(item.narrative, prediction.text or "", book)
    parsed = answers.parse(prediction.text or "")
    top = [part for part in row.get("top") or () if isinstance(part, list) and len(part) == 3]
    return {
        "id": item.id,
        "test_set": item.test_set,
        "narrative": item.narrative,
        "evidence": list(_places(item)),
        "gold": [_code(code.code_type, code.code, book) for code in item.gold],
        "none_reason": item.none_reason,
        "system": prediction.system,
        "mode": prediction.mode,
        "status": row.get("status"),
        "confidence": prediction.confidence,
        "readable": prediction.answer is not None,
        "text": prediction.text,
        "answer": [_code(code.code_type, code.code, book) for code in prediction.answer or ()],
        "exact": prediction.answer is not None and set(prediction.answer) == set(item.gold),
        "claims": [
            {"kind": claim.kind, "text": claim.text, "status": claim.status, "reason": claim.reason} for claim in verdict.claims
        ],
        "verdict": dict(zip(PARTS, verdict.parts, strict=True)) | {"score": verdict.score, "faithful": verdict.faithful}
        if parsed.reasoning is not None
        else None,
        "top": [_code(code_type, code, book) | {"probability": share} for code_type, code, share in top],
    }


def _code(code_type: str, code: str, book: CodeBook) -> dict[str, Any]:
    entry = book.find(code_type, code) if code_type in answers.CODE_TYPES else None
    return {"code_type": code_type, "code": code, "description": entry.short_title if entry else ""}


def _places(item: Item) -> Iterator[tuple[int, int]]:
    at = 0
    for start, text in sorted((item.narrative.find(text), text) for text in item.spans):
        if start >= at:
            at = start + len(text)
            yield start, at


def lines(found: Mapping[str, Any], colour: bool) -> Iterator[str]:
    """The case for the terminal; evidence is marked by colour, or by brackets without."""

    def paint(text: str, style: str) -> str:
        return terminal.paint(text, style, colour)

    yield f"{paint(found['id'], terminal.BOLD)}  {found['test_set']}, answered by {found['system']} ({found['mode']})"
    yield ""
    yield terminal.marked(found["narrative"], found["evidence"], colour)
    yield ""
    right = paint("right", terminal.GOOD) if found["exact"] else paint("wrong", terminal.BAD)
    yield from _codes("gold", found["gold"], f"no code ({found['none_reason'] or 'none given'})", paint)
    yield from _codes("answer", found["answer"], "no code" if found["readable"] else "cannot be read", paint)
    sure = "" if found["confidence"] is None else f", confidence {found['confidence']:.2f}"
    yield f"        {right}{sure}" + (f", status {found['status']}" if found["status"] else "")
    if not found["readable"] and found["text"]:
        yield from ("", "what was written", *(f"  {line}" for line in terminal.plain(found["text"]).splitlines()[:20]))
    if found["claims"]:
        yield ""
        yield "reasoning, each claim held against text and tables"
        width = max(len(SUPPORTED), *(len(claim["status"]) for claim in found["claims"]))
        for text, same in groupby(found["claims"], key=lambda claim: claim["text"]):
            claim, *again = same
            style = {SUPPORTED: terminal.GOOD, UNSUPPORTED: terminal.BAD}.get(claim["status"], terminal.DIM)
            why = f"   ({claim['reason']})" if claim["reason"] else ""
            times = f"  ({len(again) + 1} times)" if again else ""
            said = terminal.plain(text.removeprefix("- "))
            yield f"  {paint(claim['status'].ljust(width), style)}  {said}{paint(why, terminal.DIM)}{times}"
        broken = [name for name in PARTS if not found["verdict"][name]]
        yield f"  {'holds in every part' if not broken else 'does not hold: ' + ', '.join(broken)}"
    if found["top"]:
        yield ""
        yield "most probable"
        gold = {(code["code_type"], code["code"]) for code in found["gold"]} or {("NONE", "")}
        for code in found["top"]:
            name = f"{code['code_type']:<5} {code['code']:<8}" if code["code"] else "no code       "
            mark = " <- gold" if (code["code_type"], code["code"]) in gold else ""
            yield f"  {code['probability']:.3f}  {name}  {code['description']}".rstrip() + mark


def _codes(word: str, codes: Sequence[Mapping[str, str]], nothing: str, paint: Any) -> Iterator[str]:
    for number, code in enumerate(codes):
        yield f"{word if not number else '':<8}{code['code_type']} {paint(code['code'], terminal.BOLD)}  {code['description']}"
    if not codes:
        yield f"{word:<8}{nothing}"
