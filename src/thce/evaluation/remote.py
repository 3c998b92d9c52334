"""A model behind an OpenAI-compatible server over test items: what it writes is read as strictly as what ours write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.evaluation.data import FREE, Item
from thce.modeling.chat import as_read
from thce.narratives.endpoint import Endpoint, Journal, journal, request_key, run
from thce.narratives.endpoint_tasks import Task

LOCAL = ("localhost", "127.0.0.1", "::1")


def instructions(book: CodeBook) -> str:
    """A system prompt for a model that was not trained on our answer format: the task, the code sets, the format."""
    sets = ", ".join(f"{name} {release}" for name, release in sorted(book.release_names.items()))
    return (
        "You are a medical coder. Answer a clinical narrative with the billing codes it supports, most important first, "
        f"and with nothing else. Code sets: {sets} (ICD10 stands for ICD-10-CM, HCPCS for HCPCS Level II). Write one line "
        "per code, in one of these forms:\nICD10: CODE (description)\nCPT: CODE (description)\nHCPCS: CODE (description)\n"
        "If the narrative supports no code, write exactly:\nNONE: (no code supported by the text)\n"
        "You may reason first, once, between <think> and </think>."
    )


def may_ask(to: Endpoint, send: bool) -> None:
    """Raise `UserError` before narratives go to another machine without the user's word."""
    host = urlsplit(to.base_url).hostname
    if host not in LOCAL and not send:
        problem = f"would send every narrative to {host}"
        raise UserError("--base-url", problem, "add --send-narratives if you may do that")


def free(
    items: Sequence[Item],
    to: Endpoint,
    system: str,
    seed: int,
    keep: Path | None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Prediction rows in mode `free`, and item id -> why there is none.

    Replies are kept in the journal `keep`, if one is named: asked again, the same rows cost nothing. Equal narratives
    are one request. Raises `UserError` when the server refuses all requests.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="thce-replies-") as folder:
            return free(items, to, system, seed, Path(folder) / "replies.jsonl", progress)
    first: dict[str, int] = {}
    for number, item in enumerate(items):
        first.setdefault(item.narrative, number)
    tasks = {number: _task(number, narrative, system, seed) for narrative, number in first.items()}
    with journal(keep) as book:
        failed = run(list(tasks.values()), to, book, progress)
        asked = [(item, tasks[first[item.narrative]]) for item in items]
        rows = [row for item, task in asked if (row := _row(item, task, to, book)) is not None]
    return rows, {item.id: failed[task.number] for item, task in asked if task.number in failed}


def _task(number: int, narrative: str, system: str, seed: int) -> Task:
    messages = ({"role": "system", "content": system}, {"role": "user", "content": as_read(narrative)})
    return Task(number, 0, "", "", "", "test", messages, seed)


def _row(item: Item, task: Task, to: Endpoint, book: Journal) -> dict[str, Any] | None:
    reply = book.replies.get(request_key(to.body(task)))
    if reply is None:
        return None
    return {
        "id": item.id,
        "system": to.model,
        "mode": FREE,
        "text": reply.content,
        "codes": [],
        "top": [],
        "confidence": None,
        "stopped": reply.finish_reason != "length",
        "new_tokens": reply.completion_tokens,
    }
