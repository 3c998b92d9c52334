"""Five steps of every training stage at tiny size: what tests/test_golden.py holds against tests/golden/*.json.

A change that is meant to alter training rewrites the files, and the commit says why:

    python tests/golden.py
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "golden"
STAGES = ("base", "stage1", "stage2", "stage3", "stage3_sigmoid")
SHARED: dict[str, Any] = {
    "precision": "fp32",
    "epochs": 1.0,
    "batch_size": 4,
    "warmup": 0.2,
    "max_grad_norm": 1.0,
    "max_length": 1024,
    "save_steps": 100,
    "patience": 0,
    "report_to": (),
}
ROWS = 20
ECHO = 4  # narratives repeated; as many examples are left out, so that five steps see them all


def trajectories(home: Path, micro: int) -> Mapping[str, Any]:
    """Losses, gradient norms and counts of five steps of each stage, each from the model of the one before, with `micro` rows
    per pass."""
    sys.path.insert(0, str(ROOT / "src"))
    from training_settings import DPO

    from thce import files
    from thce.modeling import base, chat, dpo, fit, headstart, runtime, sft, tokenizer
    from thce.settings.modeling import BaseParams, Stage1Params, Stage2Params

    os.environ["THCE_CHECKPOINTS"] = str(home / "checkpoints")
    runtime.start(1, 7)
    rows = {n: list(islice(files.read_jsonl(ROOT / f"data/examples/sample_stage_{n}.jsonl"), ROWS)) for n in (1, 2, 3)}
    talks = {n: [row["messages"] for row in rows[n]] for n in (1, 2)}
    shape = BaseParams(
        source="scratch",
        revision=None,
        vocabulary=400,
        code_tokens=True,
        hidden=48,
        layers=2,
        heads=3,
        intermediate=64,
        context=1024,
        epochs=1.0,
        batch_size=8,
        learning_rate=0.01,
        drop=0.2,
        chop=0.1,
    )
    texts = [chat.prompt_text(talk[:-1]) + talk[-1]["content"] for talk in talks[1] + talks[2]]
    codes = sorted({item["code"] for row in rows[1] for item in row["_metadata"]["codes"]})
    tok = tokenizer.train(texts, shape.vocabulary, codes)
    model = base.scratch(shape, tok, 7)
    loud = tokenizer.spoken(tok, codes)
    examples = [
        headstart.example(tok, *(message["content"] for message in talk), asked)
        for stage, asked in ((1, None), (2, frozenset(loud)))
        for talk in talks[stage]
    ]
    layer, points, _ = headstart.teach(tok, examples, shape, 7)
    headstart.install(model, layer, [*loud, *headstart.openings(examples)])
    fit.save(model, tok, home / "base", None)
    found = {"base": {"losses": [point["loss"] for point in points], "parameters": model.num_parameters()}}

    sft_settings = SHARED | {"micro_batch": micro, "learning_rate": 0.003, "weight_decay": 0.05}
    # without Muon, whose products are in bfloat16: not the same on any machine
    sft_settings |= {
        "muon_learning_rate": None,
        "adam_epsilon": 1e-5,
        "decay": 0.4,
        "descriptions": 0.5,
        "chop": 0.1,
        "echo": ECHO,
    }
    settings = {1: Stage1Params(**sft_settings), 2: Stage2Params(**sft_settings, replay=0)}
    for number, parent in ((1, "base"), (2, "stage1")):
        name = f"stage{number}"
        curve, metrics = sft.train_stage(
            name, home / parent, home / name, talks[number][ECHO:], talks[number][:4], settings[number], 7 + number
        )
        found[name] = summary(curve) | {key: metrics[key] for key in ("tokens", "supervised_tokens", "val_loss")}
    for part, share in (("train", rows[3]), ("val", rows[3][:4])):
        files.write_jsonl(home / f"{part}.jsonl", share)
    for name, losses in (("stage3", ("sigmoid", "sft")), ("stage3_sigmoid", ("sigmoid",))):
        weights = (1.0,) * len(losses)
        preference = replace(
            DPO, **SHARED, micro_batch=micro, learning_rate=1e-4, beta=0.1, loss_type=losses, loss_weights=weights
        )
        curve, metrics = dpo.train_stage(home / "stage2", home / name, home, preference, 11)
        found[name] = summary(curve) | {"margins": [point["margin"] for point in curve]}
        found[name]["longest_pair"] = metrics["longest_pair"]
    return found


def summary(curve: list[dict[str, float]]) -> dict[str, Any]:
    return {"losses": [point["loss"] for point in curve], "grad_norms": [point["grad_norm"] for point in curve]}


def write() -> None:
    with tempfile.TemporaryDirectory() as home:
        for stage, found in trajectories(Path(home), 4).items():
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{stage}.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            print(f"tests/golden/{stage}.json")


if __name__ == "__main__":
    write()
