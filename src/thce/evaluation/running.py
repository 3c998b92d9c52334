"""Models over test items. It and `influence` alone need torch here; everything else works on the rows they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from thce.coder.coder import Coder, Options
from thce.coder.trie import NO_CODE
from thce.codes.book import CodeBook
from thce.evaluation.data import FREE, Item

TOP = 10


def model_alone(folder: str, book: CodeBook, options: Options, device: torch.device | None = None) -> Coder:
    """The coder of a trained folder without prior and calibration."""
    return Coder.load(folder, book, options=replace(options, top_k=TOP), device=device)


def whole_system(folder: str, coder_folder: str | None, book: CodeBook, device: torch.device | None = None) -> Coder:
    """The coder as `thce code` uses it, with a longer list of alternatives."""
    coder = Coder.load(folder, book, coder_folder, device=device)
    coder.options = replace(coder.options, top_k=TOP)
    return coder


def free(coder: Coder, items: Sequence[Item], system: str, think: bool, max_new_tokens: int) -> list[dict[str, Any]]:
    """What a model writes by itself, greedily, until it stops or `max_new_tokens` are written."""
    prompts = [coder.prompt(item.narrative, think) for item in items]
    drawn = coder.decoder.free(prompts, max_new_tokens)
    return [
        _row(item, system, FREE, text=one.text, stopped=one.stopped, new_tokens=one.new_tokens)
        for item, (one,) in zip(items, drawn, strict=True)
    ]


def constrained(coder: Coder, items: Sequence[Item], system: str, mode: str, think: bool) -> list[dict[str, Any]]:
    """Answers under the code table, with the most probable codes and the confidence."""
    found = coder.code([item.narrative for item in items], think=think)
    return [
        _row(
            item,
            system,
            mode,
            text=one.text,
            codes=[{"code_type": part.code_type, "code": part.code} for part in one.codes],
            top=[list(part) for part in one.alternatives],
            confidence=one.confidence,
            status=one.status,
            stopped=True,
            new_tokens=one.new_tokens,
        )
        for item, one in zip(items, found, strict=True)
    ]


def retriever(coder: Coder, items: Sequence[Item], system: str) -> list[dict[str, Any]]:
    """The lexical prior by itself: its most probable code, or "no code". Always one answer."""
    codes = coder.codes()
    scores = np.exp(coder.reader.log_probs([item.narrative for item in items], codes))
    labels = [*((entry.code_type, entry.code) for entry in codes.entries), NO_CODE]
    rows: list[dict[str, Any]] = []
    for item, share in zip(items, scores, strict=True):
        top = [[*labels[place], float(share[place])] for place in np.argsort(-share, kind="stable")[:TOP].tolist()]
        best = top[0]
        given = [] if best[0] == NO_CODE[0] else [{"code_type": best[0], "code": best[1]}]
        rows.append(_row(item, system, "retriever", codes=given, top=top, confidence=best[2], stopped=True, new_tokens=0))
    return rows


def _row(item: Item, system: str, mode: str, **found: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"text": None, "codes": [], "top": [], "confidence": None}
    return {"id": item.id, "system": system, "mode": mode} | empty | found
