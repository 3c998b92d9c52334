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
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

MARKER = "complete"


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


def open_run(stage: str, mark: str) -> tuple[Path, str | None]:
    """The run's folder and the checkpoint to go on from (None: from the start). Other runs of the stage are removed."""
    home = folder() / stage
    run = home / mark
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
        if state.is_world_process_zero:
            assert args.output_dir is not None
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / MARKER).touch()
