"""Many narratives: in this process or in several, with the same results in the same order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from thce.coder.coder import Coder, Prediction
from thce.coder.records import Job
from thce.codes.book import TABLES, CodeBook
from thce.codes.book import open as open_book
from thce.errors import UserError
from thce.files import rounded

CHUNK = 8
"""Batches that are read, coded and written together."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Where model, calibration and tables lie, and how to answer; `think` None: as the coder was calibrated for."""

    model: str
    coder: str
    codes: str
    think: bool | None
    audit: bool


class Worker:
    """A loaded coder that turns jobs into output rows."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.book = open_book(setup.codes)
        self.coder = Coder.load(setup.model, self.book, setup.coder)
        self.think = self.coder.options.think if setup.think is None else setup.think
        self.model_hash = model_hash(setup) if setup.audit else ""

    def rows(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """One row per job, in order; a job that cannot be coded gives a row with `status` error."""
        found: dict[int, dict[str, Any]] = {}
        groups: dict[tuple[Any, Any], list[int]] = {}
        for i, job in enumerate(jobs):
            if job.fault:
                found[i] = error_row(job, job.fault)
            else:
                groups.setdefault((job.code_type, job.day), []).append(i)
        for (code_type, day), members in groups.items():
            try:
                predictions = self.coder.code([jobs[i].narrative for i in members], self.think, code_type, day)
            except UserError as error:
                found |= {i: error_row(jobs[i], str(error)) for i in members}
                continue
            for i, prediction in zip(members, predictions, strict=True):
                found[i] = self._row(jobs[i], prediction)
        return [found[i] for i in range(len(jobs))]

    def _row(self, job: Job, prediction: Prediction) -> dict[str, Any]:
        row = result_row(job, prediction, self.book)
        if self.setup.audit:
            row["audit"] = {
                "input_sha256": hashlib.sha256(job.narrative.encode("utf-8", "surrogatepass")).hexdigest(),
                "model_sha256": self.model_hash,
                "code_sets": {name: self.book.release(name) for name in TABLES},
                "params": {
                    **asdict(self.coder.options),
                    "think": self.think,
                    "code_type": job.code_type,
                    "date": job.day.isoformat() if job.day else None,
                },
                "completion": prediction.text,
            }
        result: dict[str, Any] = rounded(row)
        return result


def result_row(job: Job, prediction: Prediction, book: CodeBook) -> dict[str, Any]:
    """A prediction as one output row; to its `findings` come the claim edits on the codes together."""
    from thce.codes.edits_claim import edits

    lines = [(item.code_type, item.code) for item in prediction.codes]
    found = (*prediction.findings, *(edits(book, lines, day=job.day) if lines else ()))
    return {
        "id": job.id,
        "status": prediction.status,
        "confidence": prediction.confidence,
        "codes": [asdict(item) for item in prediction.codes],
        "reasoning": prediction.reasoning,
        "alternatives": [
            {"code_type": code_type, "code": code, "probability": probability}
            for code_type, code, probability in prediction.alternatives
        ],
        "findings": [finding.to_dict() for finding in found],
    }


def error_row(job: Job, fault: str) -> dict[str, Any]:
    """The row of a job that could not be coded: where it stands and why."""
    return {"id": job.id, "status": "error", "place": job.place, "error": fault}


def model_hash(setup: Setup) -> str:
    """SHA-256 over the files that decide an answer: weights, tokenizer, prompts, prior and calibration."""
    digest = hashlib.sha256()
    for folder in (setup.model, setup.coder):
        for path in sorted(Path(folder).iterdir()):
            if path.suffix in (".safetensors", ".json"):
                digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def run(jobs: Iterator[Job], setup: Setup, workers: int, size: int) -> Iterator[tuple[list[Job], list[dict[str, Any]]]]:
    """Chunks of at most `size` jobs with their rows, in order. Each of several workers has its own model.

    Raises `UserError` if one of them ends unexpectedly.
    """
    if workers == 1:
        worker = Worker(setup)
        while chunk := list(islice(jobs, size)):
            yield chunk, worker.rows(chunk)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(setup,)) as pool:
        waiting: deque[tuple[list[Job], Future[list[dict[str, Any]]]]] = deque()
        try:
            while True:
                while len(waiting) < 2 * workers and (chunk := list(islice(jobs, size))):
                    waiting.append((chunk, pool.submit(_work, chunk)))
                if not waiting:
                    return
                chunk, future = waiting.popleft()
                yield chunk, future.result()
        except BrokenProcessPool:
            raise UserError("--workers", "a worker process ended unexpectedly", "try fewer workers; --resume goes on") from None
        finally:
            for _, future in waiting:
                future.cancel()


_worker: Worker | None = None


def _start(setup: Setup) -> None:
    global _worker
    import torch

    torch.set_num_threads(1)
    _worker = Worker(setup)


def _work(jobs: list[Job]) -> list[dict[str, Any]]:
    assert _worker is not None
    return _worker.rows(jobs)
