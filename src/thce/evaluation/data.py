"""Test files and prediction files, read into what scoring needs.

A test file may be a test set, a training or validation file of any stage, or plain narratives; the gold is always in the
file. A prediction file may hold anything: what cannot be read as an answer is a wrong answer, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thce.answers import CODE_TYPES, Code, parse
from thce.errors import UserError
from thce.evaluation.metrics import Answer, Gold
from thce.files import read_jsonl

NO_CODE = Code("NONE", "")
"""How "no code" stands in a ranking."""

FREE = "free"
"""The mode in which the text alone is the answer."""


@dataclass(frozen=True, slots=True)
class Item:
    """One test narrative with its gold. `phrases` are the evidence wordings, `spans` their text in the narrative."""

    id: str
    test_set: str
    narrative: str
    gold: Gold
    phrases: tuple[str, ...]
    spans: tuple[str, ...]
    kind: str
    group: str | None
    none_reason: str | None
    template: str
    tier: str | None
    source: str

    @property
    def cluster(self) -> str:
        """Rows with the same cluster are not independent: a contrast group, or the rows with one and the same phrase."""
        if self.group:
            return self.group
        return self.phrases[0].casefold() if len(self.gold) == 1 and self.phrases else self.id


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer of one system. `ranking` is best first and may hold `NO_CODE`; `stopped` is None where it is not known."""

    id: str
    system: str
    mode: str
    answer: Answer
    text: str | None
    ranking: tuple[Code, ...]
    confidence: float | None
    stopped: bool | None
    new_tokens: int | None

    @property
    def first(self) -> Code | None:
        """The first code, `NO_CODE` for an explicit "no code", None without a readable answer."""
        if self.answer is None:
            return None
        return self.answer[0] if self.answer else NO_CODE


Predictions = Mapping[str, Prediction]
"""Item id -> prediction of one system in one mode."""


def read_items(path: Path | str, test_set: str | None = None) -> list[Item]:
    """The rows of a test file; raises `UserError` with `file:line` for a row without narrative or gold, or an id used twice."""
    name = test_set or Path(path).stem.removeprefix("test_")
    items: list[Item] = []
    seen: set[str] = set()
    for number, row in enumerate(read_jsonl(path), 1):
        item = _item(row, name, f"{path}:{number}", f"{name}-{number:06d}")
        if item.id in seen:
            raise UserError(f"{path}:{number}", f"id `{item.id}` stands twice", "give every row its own id")
        seen.add(item.id)
        items.append(item)
    if not items:
        raise UserError(str(path), "holds no rows")
    return items


def _item(row: Mapping[str, Any], name: str, place: str, number: str) -> Item:
    about = row.get("_metadata", row)
    messages = row.get("messages") or row.get("prompt")
    try:
        users = (turn["content"] for turn in messages or () if turn["role"] == "user")
        narrative = next(users) if messages else row["narrative"]
        gold = _gold(row, about, messages or ())
        rank = {(code.code_type, code.code): number for number, code in enumerate(gold)}
        evidence = sorted(  # the rows of others may name it in the order of the text
            about.get("evidence") or (), key=lambda part: rank.get((part.get("code_type"), part.get("code")), len(rank))
        )
        return Item(
            id=str(about.get("id", number)),
            test_set=name,
            narrative=str(narrative),
            gold=gold,
            phrases=tuple(str(part["phrase"]) for part in evidence),
            spans=tuple(str(part["text"]) for part in evidence),
            kind=str(about.get("kind") or "unknown"),
            group=about.get("group"),
            none_reason=about.get("none_reason"),
            template=str(about.get("template") or ""),
            tier=about.get("tier"),
            source=str(about.get("source") or "unknown"),
        )
    except (KeyError, TypeError, AttributeError, StopIteration):
        raise UserError(
            place, "is no test row", "it needs `messages` (or `narrative`) and `codes`, as docs/EVALUATION.md shows"
        ) from None


def _gold(row: Mapping[str, Any], about: Mapping[str, Any], messages: Sequence[Mapping[str, str]]) -> Gold:
    if "codes" in about:
        return tuple(Code(part["code_type"], part["code"]) for part in about["codes"])
    if about.get("code"):
        return (Code(about["code_type"], about["code"]),)
    written = row.get("chosen") or next(turn["content"] for turn in messages if turn["role"] == "assistant")
    parsed = parse(written)
    if not parsed.well_formed:
        raise KeyError("codes")
    return parsed.codes


def read_predictions(path: Path | str) -> dict[tuple[str, str], dict[str, Prediction]]:
    """(system, mode) -> id -> prediction, in the order of the file. An id twice in one system and mode is a `UserError`."""
    found: dict[tuple[str, str], dict[str, Prediction]] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        prediction = to_prediction(row)
        group = found.setdefault((prediction.system, prediction.mode), {})
        if prediction.id in group:
            problem = f"`{prediction.id}` is answered twice by {prediction.system}, {prediction.mode}"
            raise UserError(f"{path}:{number}", problem, "keep one line per row, system and mode")
        group[prediction.id] = prediction
    return found


def to_prediction(row: Mapping[str, Any]) -> Prediction:
    """A row of a prediction file, whatever it holds.

    In mode `free` (also when nothing but a text is given) the text is parsed and nothing else counts. Otherwise `codes` is
    the answer: a list, empty for "no code"; anything malformed in it makes the whole answer unreadable.
    """
    text = row.get("text") if isinstance(row.get("text"), str) else None
    mode = row.get("mode") if isinstance(row.get("mode"), str) else (FREE if "codes" not in row else "given")
    if mode == FREE:
        parsed = parse(text or "")
        answer: Answer = parsed.codes if parsed.well_formed else None
    else:
        answer = _codes(row.get("codes"))
    top, confidence = row.get("top"), row.get("confidence")
    return Prediction(
        id=str(row.get("id")),
        system=str(row.get("system", "system")),
        mode=str(mode),
        answer=answer,
        text=text,
        ranking=_ranking(top) if isinstance(top, list) else (),
        confidence=float(confidence) if isinstance(confidence, int | float) and _share(confidence) else None,
        stopped=row["stopped"] if isinstance(row.get("stopped"), bool) else None,
        new_tokens=row["new_tokens"] if _number(row.get("new_tokens")) else None,
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _share(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= 1


def _codes(value: Any) -> Answer:
    if not isinstance(value, list):
        return None
    codes = [_code(part.get("code_type"), part.get("code")) if isinstance(part, dict) else None for part in value]
    known = [code for code in codes if code is not None]
    return tuple(dict.fromkeys(known)) if len(known) == len(codes) else None


def _code(code_type: Any, code: Any) -> Code | None:
    return Code(code_type, code) if code_type in CODE_TYPES and isinstance(code, str) and code else None


def _ranking(top: Sequence[Any]) -> tuple[Code, ...]:
    places: list[Code] = []
    for part in top:
        if isinstance(part, list | tuple) and len(part) >= 2 and isinstance(part[0], str) and isinstance(part[1], str):
            places.append(NO_CODE if part[0] == "NONE" else Code(part[0], part[1]))
    return tuple(dict.fromkeys(places))


def matched(items: Iterable[Item], predictions: Predictions, system: str = "system") -> list[Prediction]:
    """The prediction of every item, in the order of the items; a row without one counts as unreadable, so as wrong."""
    return [
        predictions.get(item.id) or Prediction(item.id, system, "missing", None, None, (), None, None, None) for item in items
    ]


def capped(items: Sequence[Item], rows: int) -> list[Item]:
    """The first `rows` items (0: all); a contrast group at the edge is kept whole."""
    if not rows or len(items) <= rows:
        return list(items)
    end = rows
    while end < len(items) and items[end].group is not None and items[end].group == items[end - 1].group:
        end += 1
    return list(items[:end])
