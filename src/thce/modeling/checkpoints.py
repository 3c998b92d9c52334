"""Where a run is picked up after an interruption, and only there.

Checkpoints lie outside the outputs, in `.checkpoints/<stage>/<fingerprint>/`. The fingerprint covers parameters, training
rows, starting weights and this package's training code, so a run never goes on from another run's state. A checkpoint
counts only once its marker is written, which happens after its last file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

MARKER = "complete"

TRY_AGAIN = 75
"""Exit code of a run that was interrupted and can go on (EX_TEMPFAIL of sysexits.h)."""


def folder() -> Path:
    """`.checkpoints` in the repository, or the folder in THCE_CHECKPOINTS (a scratch disk, a shared file system)."""
    return Path(os.environ.get("THCE_CHECKPOINTS", ".checkpoints"))


def fingerprint(settings: Any, rows: list[dict[str, list[int]]], start: Path | None) -> str:
    """Twenty hex digits over all that determines a run."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for row in rows:
        for name in sorted(row):
            digest.update(json.dumps(row[name]).encode())
    sources = sorted(Path(__file__).parent.glob("*.py"))
    weights = sorted(start.glob("*.safetensors")) + sorted(start.glob("*.json")) if start else []
    for path in sources + weights:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:20]


def place(stage: str, mark: str) -> Path:
    """The run's folder."""
    return folder() / stage / mark


def open_run(stage: str, mark: str) -> tuple[Path, str | None]:
    """The run's folder and the checkpoint to go on from (None: from the start). Other runs of the stage are removed."""
    run = place(stage, mark)
    home = run.parent
    if home.is_dir():
        for other in home.iterdir():
            if other.name != mark:
                shutil.rmtree(other, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    whole = []
    for path in run.glob("checkpoint-*"):
        if (path / MARKER).is_file():
            whole.append(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
    newest = max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return run, str(newest) if newest else None


def close_run(run: Path) -> None:
    """The outputs are written: the checkpoints have served."""
    shutil.rmtree(run, ignore_errors=True)


class Mark(TrainerCallback):
    """Writes the marker into each checkpoint once the trainer has finished it."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if distributed.is_initialized():
            distributed.barrier()  # every process has written its part
        if state.is_world_process_zero:
            assert args.output_dir is not None
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / MARKER).touch()


class Stop(TrainerCallback):
    """On request the present step is finished, a checkpoint written, and the training left."""

    def __init__(self) -> None:
        self.asked = False
        self.left_at: int | None = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if distributed.is_initialized():  # the signal reaches the processes at different steps; they must leave together
            asked = torch.tensor(int(self.asked), device=args.device)
            distributed.all_reduce(asked, op=distributed.ReduceOp.MAX)
            self.asked = bool(asked)
        if self.asked:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.asked and state.global_step < state.max_steps:
            control.should_training_stop = True
            self.left_at = state.global_step


@contextmanager
def leave_on_sigterm(stage: str) -> Iterator[Stop]:
    """Around a training: SIGTERM (a machine that is taken away) ends it with a checkpoint and exit code 75. A training that
    was at its last step goes on to its outputs."""
    stop = Stop()

    def ask(number: int, frame: Any) -> None:
        stop.asked = True

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
    if stop.left_at is not None:
        print(
            f"{stage}: stopped by SIGTERM after step {stop.left_at}, a checkpoint is written; "
            "run the same command again to go on from it",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(TRY_AGAIN)
