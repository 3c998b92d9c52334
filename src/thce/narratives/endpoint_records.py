"""Replies into records, strictly: what is not exactly as asked for is rejected with its reason, and nothing is
mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from thce.answers import format_answer, format_completion
from thce.codes.book import CodeBook
from thce.files import write_jsonl
from thce.narratives import preprocess_identifiers
from thce.narratives.endpoint import Endpoint, Journal, Reply, journal, request_key, run
from thce.narratives.endpoint_tasks import MAX_WORDS, TYPICAL_REPLY, Task, prompt_tokens
from thce.narratives.phrasebook import key
from thce.narratives.sources import resolve
from thce.narratives.splits import PhraseIndex
from thce.reasoning import PARTS, grade, verify
from thce.reasoning.words import denial, is_evidence

_KEYS = {
    1: ("narrative", "evidence"),
    2: ("narrative", "evidence", "reasoning"),
    3: ("narrative", "evidence", "reasoning", "rejected"),
}
_FENCE = re.compile(r"```(?:json)?\n(.*)\n```", re.DOTALL)
_CONTROL = re.compile(r"</?think>|<\|[a-z_]+\|>")
_LONGEST_EVIDENCE = 200


class Rejected(Exception):
    """Why a reply became no record."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What records are made with and held against: the day codes must be in force, the system prompt of the stage, and
    phrases held out for the tests."""

    book: CodeBook
    system: str
    day: date | None = None
    held_out: PhraseIndex | None = None


def record(task: Task, reply: Reply, rules: Rules, model: str) -> dict[str, Any]:
    """The record of one reply in the format of its stage; raises `Rejected`."""
    if reply.finish_reason == "length":
        raise Rejected("the reply was cut off at the token limit")
    fields = _fields(reply.content, _KEYS[task.stage])
    narrative = fields["narrative"].strip()
    pair, problem = resolve(rules.book, task.code_type, task.code, rules.day)
    entry = rules.book.find(task.code_type, task.code)
    if pair is None or entry is None:
        raise Rejected(f"the code {task.code} {problem}")
    _check_text(narrative, task, rules)
    start = _check_evidence(narrative, fields["evidence"])
    answer = format_answer([(entry.code_type, entry.code, entry.short_title)])
    place = {"code_type": entry.code_type, "code": entry.code}
    span = {"start": start, "end": start + len(fields["evidence"]), "text": fields["evidence"]}
    about = {
        "id": f"generated-stage{task.stage}-{task.number:06d}",
        **place,
        "code_valid": True,
        "source": "endpoint",
        "codes": [place],
        "evidence": [place | span | {"phrase": fields["evidence"], "kind": "generated"}],
        "kind": task.kind,
        "label": "generated",
        "generator": model,
    }
    prompt = [{"role": "system", "content": rules.system}, {"role": "user", "content": narrative}]
    if task.stage == 1:
        return {"messages": [*prompt, {"role": "assistant", "content": answer}], "_metadata": about}
    completion = format_completion(fields["reasoning"].strip(), answer)
    verdict = verify(narrative, completion, rules.book)
    if not verdict.faithful:
        failed = [part for part, holds in zip(PARTS, verdict.parts, strict=True) if not holds]
        raise Rejected(f"the reasoning fails in {', '.join(failed)}")
    about |= {"reasoning_present": True, "reasoning_quality": grade(verdict)}
    if task.stage == 2:
        return {"messages": [*prompt, {"role": "assistant", "content": completion}], "_metadata": about}
    return {
        "prompt": prompt,
        "chosen": completion,
        "rejected": _rejected_side(task, narrative, fields, rules),
        "_metadata": about,
    }


def _fields(content: str, keys: Sequence[str]) -> dict[str, str]:
    """The JSON object a reply consists of, with exactly the keys asked for; one code fence around it is allowed."""
    text = content.strip()
    fenced = _FENCE.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text, object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError):
        raise Rejected("the reply is not one JSON object") from None
    if not isinstance(value, dict):
        raise Rejected("the reply is not one JSON object")
    if set(value) != set(keys):
        raise Rejected(f"the keys are {', '.join(sorted(map(str, value)))[:100] or 'none'}, not {', '.join(keys)}")
    for name, item in value.items():
        if not isinstance(item, str) or not item.strip():
            raise Rejected(f"`{name}` is not text")
        try:
            item.encode()
        except UnicodeEncodeError:
            raise Rejected(f"`{name}` is not valid Unicode") from None
        if _CONTROL.search(item):
            raise Rejected(f"`{name}` holds a control token")
        if name in ("reasoning", "rejected") and not all(line.startswith("- ") for line in item.strip().split("\n")):
            raise Rejected(f"`{name}` has a line that does not begin with a dash")
    return value


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key twice")
    return value


def _check_text(narrative: str, task: Task, rules: Rules) -> None:
    if len(narrative.split()) > MAX_WORDS:
        raise Rejected(f"the narrative has more than {MAX_WORDS} words")
    for code in (task.code, task.code.replace(".", "")):
        if re.search(rf"(?<![\w.]){re.escape(code)}(?![\w])", narrative, re.IGNORECASE):
            raise Rejected("the narrative names the code")
    found = preprocess_identifiers.find(narrative)
    if found:
        raise Rejected(f"the narrative holds an identifier ({found[0].kind})")
    held = rules.held_out.found(key(narrative)) if rules.held_out else []
    if held:
        raise Rejected("the narrative holds a phrase that is held out for the tests")


def _check_evidence(narrative: str, evidence: str) -> int:
    """Where the evidence begins."""
    start = narrative.find(evidence)
    if start < 0:
        raise Rejected("the evidence does not stand in the narrative")
    if len(evidence) > _LONGEST_EVIDENCE or "\n" in evidence or not is_evidence(evidence):
        raise Rejected("the evidence is too long, spans lines or says nothing")
    if denial(narrative, start, start + len(evidence)):
        raise Rejected("the narrative denies the evidence")
    return start


def _rejected_side(task: Task, narrative: str, fields: Mapping[str, str], rules: Rules) -> str:
    wrong = rules.book.find(task.code_type, task.other)
    assert wrong is not None
    text = format_completion(fields["rejected"].strip(), format_answer([(wrong.code_type, wrong.code, wrong.short_title)]))
    if verify(narrative, text, rules.book).faithful:
        raise Rejected(f"the note supports {task.other} as well")
    return text


def generate(
    found: Sequence[Task],
    to: Endpoint,
    rules: Rules,
    output: Path,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Ask, validate and write: records to `output`, rejects beside it with their replies; returns the counts.

    The journal `<output>.journal.jsonl` stays, so that the same call costs nothing and a larger count only the
    difference.
    """
    with journal(journal_path(output)) as book:
        failed = run(found, to, book, progress)
        records: list[dict[str, Any]] = []
        rejects: list[dict[str, Any]] = []
        seen: set[str] = set()
        tokens = {"prompt_tokens": 0, "completion_tokens": 0}
        for task in found:
            reply = book.replies.get(request_key(to.body(task)))
            if reply is None:
                continue
            tokens["prompt_tokens"] += reply.prompt_tokens or 0
            tokens["completion_tokens"] += reply.completion_tokens or 0
            try:
                made = record(task, reply, rules, to.model)
                turns = made.get("messages") or made["prompt"]
                text = key(turns[1]["content"])
                if text in seen:
                    raise Rejected("the narrative came before")
                seen.add(text)
                records.append(made)
            except Rejected as error:
                rejects.append(
                    {
                        "number": task.number,
                        "code_type": task.code_type,
                        "code": task.code,
                        "reason": str(error),
                        "reply": reply.content,
                    }
                )
    write_jsonl(output, records)
    write_jsonl(output.with_name(f"{output.stem}.rejects.jsonl"), rejects)
    reasons: dict[str, int] = {}
    for reject in rejects:
        reasons[reject["reason"]] = reasons.get(reject["reason"], 0) + 1
    return {
        "asked": len(found),
        "accepted": len(records),
        "rejected": len(rejects),
        "failed": {str(number): failed[number] for number in sorted(failed)},
        "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        **tokens,
    }


def journal_path(output: Path) -> Path:
    """Where the replies for an output file are kept."""
    return output.with_name(f"{output.name}.journal.jsonl")


def estimate(
    found: Sequence[Task], to: Endpoint, output: Path, price_in: float | None, price_out: float | None
) -> dict[str, Any]:
    """What a run would cost, without sending anything. Prices are per million tokens, in any currency.

    Replies already in the journal cost nothing more; their token counts, where the server gave them, correct the guess.
    """
    path = journal_path(output)
    replies = Journal(path).replies if path.exists() else {}
    answered = [(task, reply) for task in found if (reply := replies.get(request_key(to.body(task))))]
    counted = [(task, reply) for task, reply in answered if reply.prompt_tokens and reply.completion_tokens]
    guessed_in = sum(prompt_tokens(task) for task, _ in counted)
    scale = sum(reply.prompt_tokens or 0 for _, reply in counted) / guessed_in if guessed_in else 1.0
    usual = (
        sum(reply.completion_tokens or 0 for _, reply in counted) / len(counted) if counted else TYPICAL_REPLY[found[0].stage]
    )
    done = {task.number for task, _ in answered}
    missing = [task for task in found if task.number not in done]
    tokens_in = round(scale * sum(prompt_tokens(task) for task in missing))
    tokens_out = round(usual * len(missing))
    result: dict[str, Any] = {
        "requests": len(missing),
        "answered_before": len(answered),
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "completion_tokens_at_most": to.max_tokens * len(missing),
        "measured": bool(counted),
    }
    if price_in is not None and price_out is not None:
        result["cost"] = round((tokens_in * price_in + tokens_out * price_out) / 1e6, 4)
        result["cost_at_most"] = round((tokens_in * price_in + to.max_tokens * len(missing) * price_out) / 1e6, 4)
    return result
