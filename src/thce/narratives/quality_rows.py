"""Read rows of any of the project's data formats, with every fault named by its line.

Formats: narrative rows, messages with an answer (stages 1 and 2), messages without one (tests; the gold stands in
`_metadata`), and preference pairs (stage 3).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from thce import answers
from thce.answers import CODE_TYPES
from thce.errors import UserError

Pair = tuple[str, str]
Say = Callable[[str, str], None]
"""Told of a fault of the row at hand: rule, message."""

FORMATS = ("narrative", "messages", "test", "pairs")


@dataclass(slots=True)
class Example:
    """One row, whatever its format. `codes` is None where the row does not tell; `descriptions` run beside
    `answered`."""

    file: str
    line: int
    format: str
    id: str = ""
    narrative: str = ""
    codes: tuple[Pair, ...] | None = None
    answered: tuple[Pair, ...] = ()
    descriptions: tuple[str, ...] = ()
    evidence: list[dict[str, Any]] = field(default_factory=list)
    template: str = ""
    group: str | None = None
    none_reason: str | None = None
    completion: str | None = None
    rejected: str | None = None
    stage: int | None = None


def examples(path: str, say: Callable[[int, str, str], None]) -> Iterator[Example]:
    """The rows that can be read; `say(line, rule, message)` hears of all that is wrong with their shape.
    Raises `UserError` where the file is missing or cannot be read."""
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed by the `with` below, opened here for its own errors
    except FileNotFoundError:
        raise UserError(path, "no such file", "check the path, or run `dvc repro` to make it") from None
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})") from None
    ids: dict[str, int] = {}
    formats: dict[str, int] = {}
    with stream:
        for number, raw in enumerate(stream, 1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                row = json.loads(text) if text.strip() else None
            except UnicodeDecodeError:
                say(number, "schema", "is not UTF-8")
                continue
            except (json.JSONDecodeError, RecursionError) as error:
                say(
                    number,
                    "schema",
                    f"is not valid JSON ({error.msg if isinstance(error, json.JSONDecodeError) else 'too deep'})",
                )
                continue
            if row is None:
                continue
            example = read(row, path, number, partial(say, number))
            if example is None:
                continue
            if formats.setdefault(example.format, number) == number and len(formats) > 1:
                say(number, "schema", f"is in the format `{example.format}`, the rows before in `{next(iter(formats))}`")
            if example.id and ids.setdefault(example.id, number) != number:
                say(number, "schema", f"repeats the id of line {ids[example.id]}")
            yield example


def read(row: Any, path: str, number: int, say: Say) -> Example | None:
    """One row as an example, or None when too much of it is missing to go on."""
    if not isinstance(row, dict):
        say("schema", f"is a {type(row).__name__}, not an object")
        return None
    if "narrative" in row:
        return _narrative(row, path, number, say)
    if "messages" in row:
        return _messages(row, path, number, say)
    if "prompt" in row or "chosen" in row:
        return _pair(row, path, number, say)
    say("schema", "has none of `narrative`, `messages`, `prompt`")
    return None


def _narrative(row: dict[str, Any], path: str, number: int, say: Say) -> Example | None:
    for key in ("id", "template", "kind", "source"):
        if not isinstance(row.get(key), str):
            say("schema", f"`{key}` must be text")
    for key in ("group", "none_reason"):
        if not isinstance(row.get(key), str | None):
            say("schema", f"`{key}` must be text or null")
    if not _text(row.get("narrative"), "narrative", say):
        return None
    example = Example(path, number, "narrative", narrative=row["narrative"], codes=_codes(row.get("codes"), "codes", say))
    _about(example, row, say)
    if example.codes and example.none_reason:
        say("schema", "has codes and a `none_reason`")
    if example.codes == () and not example.none_reason:
        say("schema", "has neither codes nor a `none_reason`")
    return example


def _messages(row: dict[str, Any], path: str, number: int, say: Say) -> Example | None:
    roles = _turns(row["messages"], "messages", say)
    if roles is None:
        return None
    if roles not in (["system", "user", "assistant"], ["system", "user"]):
        say("schema", f"messages have the roles {', '.join(roles)}; system, user[, assistant] are needed")
        return None
    is_test = len(roles) == 2
    example = Example(path, number, "test" if is_test else "messages", narrative=row["messages"][1]["content"])
    about = _metadata(row, say)
    if is_test and about is not None and "codes" not in about:
        say("schema", "`_metadata.codes` is missing: a test row has its gold there")
    if not is_test:
        example.completion = row["messages"][2]["content"]
        _answer(example, example.completion, say)
        reasoning = (about or {}).get("reasoning_present")
        example.stage = 2 if reasoning else 1
        if reasoning and answers.parse(example.completion).reasoning is None:
            say("reasoning", "`_metadata.reasoning_present` is true, but the answer has no reasoning")
        if not reasoning and answers.parse(example.completion).reasoning is not None:
            say("schema", "has reasoning, but `_metadata.reasoning_present` is not true")
    _gold(example, about, say)
    return example


def _pair(row: dict[str, Any], path: str, number: int, say: Say) -> Example | None:
    roles = _turns(row.get("prompt"), "prompt", say)
    if roles is None or not _text(row.get("chosen"), "chosen", say) or not _text(row.get("rejected"), "rejected", say):
        return None
    if roles != ["system", "user"]:
        say("schema", f"prompt has the roles {', '.join(roles)}; system, user are needed")
        return None
    example = Example(path, number, "pairs", narrative=row["prompt"][1]["content"], stage=3)
    example.completion, example.rejected = row["chosen"], row["rejected"]
    _answer(example, row["chosen"], say)
    if row["chosen"].strip() == row["rejected"].strip():
        say("pair", "chosen and rejected are the same")
    _gold(example, row.get("_metadata"), say)
    return example


def _answer(example: Example, text: str, say: Say) -> None:
    parsed = answers.parse(text)
    if not parsed.well_formed:
        say("answer", "cannot be read as answer lines")
        return
    example.answered = tuple((code.code_type, code.code) for code in parsed.codes)
    example.descriptions = parsed.descriptions
    example.codes = example.answered


def _metadata(row: dict[str, Any], say: Say) -> dict[str, Any] | None:
    about = row.get("_metadata")
    if not isinstance(about, dict):
        say("schema", "`_metadata` must be an object")
        return None
    return about


def _gold(example: Example, about: Any, say: Say) -> None:
    """Codes, evidence and origin as `_metadata` tells them, compared with the answer."""
    if not isinstance(about, dict):
        return
    _about(example, about, say)
    gold = _codes(about["codes"], "_metadata.codes", say) if "codes" in about else None
    if gold is None and "code" in about and "code_type" in about:
        gold = ((str(about["code_type"]), str(about["code"])),) if about["code"] else ()
    if gold is None:
        return
    if example.completion is not None and example.codes is not None and gold != example.codes:
        say("metadata", f"says {_names(gold)}, the answer {_names(example.codes)}")
    example.codes = gold if example.codes is None else example.codes


def _about(example: Example, about: dict[str, Any], say: Say) -> None:
    example.id = str(about.get("id") or "")
    example.template = str(about.get("template") or "")
    example.group = about.get("group") if isinstance(about.get("group"), str) else None
    example.none_reason = about.get("none_reason") if isinstance(about.get("none_reason"), str) else None
    evidence = about.get("evidence") or []
    if not isinstance(evidence, list):
        say("schema", "`evidence` must be a list")
        return
    for at, item in enumerate(evidence):
        wanted = {"code_type": str, "code": str, "start": int, "end": int, "text": str}
        wrong = [key for key, kind in wanted.items() if not isinstance(item, dict) or not isinstance(item.get(key), kind)]
        if wrong:
            say("schema", f"`evidence[{at}].{wrong[0]}` is missing or of the wrong type")
        else:
            example.evidence.append(item)


def _codes(value: Any, place: str, say: Say) -> tuple[Pair, ...] | None:
    if not isinstance(value, list):
        say("schema", f"`{place}` must be a list")
        return None
    found: list[Pair] = []
    for at, item in enumerate(value):
        if not isinstance(item, dict) or not isinstance(item.get("code"), str) or item.get("code_type") not in CODE_TYPES:
            say("schema", f"`{place}[{at}]` must have `code_type` ({', '.join(CODE_TYPES)}) and `code`")
            return None
        found.append((item["code_type"], item["code"]))
    if len(set(found)) != len(found):
        say("schema", f"`{place}` has a code twice")
    return tuple(found)


def _turns(value: Any, place: str, say: Say) -> list[str] | None:
    if not isinstance(value, list) or not value:
        say("schema", f"`{place}` must be a list of turns")
        return None
    for at, turn in enumerate(value):
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str) or not isinstance(turn.get("content"), str):
            say("schema", f"`{place}[{at}]` must have `role` and `content`")
            return None
        if turn["role"] != "system" and not turn["content"].strip():
            say("schema", f"`{place}[{at}].content` is empty")
            return None
    return [turn["role"] for turn in value]


def _text(value: Any, place: str, say: Say) -> bool:
    if isinstance(value, str) and value.strip():
        return True
    say("schema", f"`{place}` must be text that is not empty")
    return False


def _names(codes: tuple[Pair, ...]) -> str:
    return ", ".join(code for _, code in codes) or "none"
