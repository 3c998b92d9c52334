"""Training speed: our trainers against the ancestor's settings and against TRL's defaults, on one model and the same rows.

    python benchmarks/training.py                       # minutes; the profile `default`
    python benchmarks/training.py --profile smoke --rows 24 --pairs 8    # seconds; only shows that it works

Supervised: every variant starts from the same random weights and sees the same rows once, at one learning rate and batch
size; `loss` is the mean per supervised token on held-out rows afterwards, measured in one way for all.

- `thce`       rows of like length together, loss computed at the supervised tokens alone, the profile's optimizer
- `ancestor`   packing, gradient checkpointing, no bucketing, `max_length` just above the longest row
- `trl`        TRL's defaults but for batch size, learning rate and seed

Preference tuning: `thce` computes the reference once, keeps activations, puts pairs of like length together and computes
log-probabilities at the completions alone; `trl` has TRL's defaults. Both get a pass that is not timed.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer import dpo_trainer

from thce import params
from thce.modeling import dpo, fit, logprobs, runtime
from thce.modeling.trainer import PreferenceTrainer, SupervisedTrainer
from thce.planning import material, steps
from thce.settings.modeling import BaseParams, Stage2Params, Stage3Params
from thce.settings.prepare import PrepareParams

SEED = 5


def supervised(model: Any, tokenizer: Any, rows: list[Any], held: list[Any], settings: Stage2Params) -> list[dict[str, Any]]:
    """Tokens per second and the loss afterwards, of each variant."""
    tokens = sum(len(row["input_ids"]) for row in rows)
    longest = max(len(row["input_ids"]) for row in rows)
    order = fit.order([len(row["input_ids"]) for row in rows], settings.batch_size, random.Random(SEED))
    plain = {
        "per_device_train_batch_size": settings.micro_batch,
        "gradient_accumulation_steps": settings.batch_size // settings.micro_batch,
        "learning_rate": settings.learning_rate,
        "num_train_epochs": 1,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": SEED,
    }
    packed = {"packing": True, "gradient_checkpointing": True, "max_length": -(-longest // 8) * 8}
    found = []
    for name, trainer, data, changes in (
        ("thce", SupervisedTrainer, [rows[number] for number in order], None),
        ("ancestor", SFTTrainer, rows, packed),
        ("trl", SFTTrainer, rows, {}),
    ):
        mine = copy.deepcopy(model)
        with tempfile.TemporaryDirectory() as folder:
            if changes is None:
                arguments = steps.arguments(settings, "stage2", len(rows), Path(folder), SEED)
            else:
                arguments = SFTConfig(output_dir=folder, **(plain | changes))
            extra = {"muon_learning_rate": settings.muon_learning_rate} if changes is None else {}
            given = Dataset.from_list(data)
            made = trainer(model=mine, args=arguments, train_dataset=given, processing_class=tokenizer, **extra)
            fit.drop_printer(made)
            begun = time.perf_counter()
            made.train()
            seconds = time.perf_counter() - begun
        found.append(
            {
                "variant": name,
                "tokens": tokens,
                "steps": made.state.global_step,
                "seconds": round(seconds, 2),
                "tokens_per_second": round(tokens / seconds, 1),
                "loss": round(fit.mean_loss(mine, held), 4),
            }
        )
    return found


def preference(model: Any, tokenizer: Any, pairs: list[Any], settings: Stage3Params) -> list[dict[str, Any]]:
    """Pairs per second of each variant, the reference model's share included."""
    lengths = dpo.lengths(tokenizer, pairs)
    order = fit.order(lengths, settings.batch_size, random.Random(SEED))
    plain = {
        "per_device_train_batch_size": settings.micro_batch,
        "gradient_accumulation_steps": settings.batch_size // settings.micro_batch,
        "learning_rate": settings.learning_rate,
        "num_train_epochs": 1,
        "beta": settings.beta,
        "loss_type": list(settings.loss_type),
        "loss_weights": list(settings.loss_weights),
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": SEED,
    }
    found = []
    for name, trainer, data in (("thce", PreferenceTrainer, [pairs[number] for number in order]), ("trl", DPOTrainer, pairs)):
        mine = copy.deepcopy(model)
        with tempfile.TemporaryDirectory() as folder:
            start = {"ref_model": copy.deepcopy(model)} if name == "trl" else {}
            if name == "thce":
                arguments = steps.arguments(settings, "stage3", len(pairs), Path(folder), SEED)
            else:
                arguments = DPOConfig(output_dir=folder, **plain)
            begun, worked = time.perf_counter(), time.process_time()  # the reference is computed while the trainer is made
            rows = Dataset.from_list(data)
            with logprobs.own_head(dpo_trainer) if name == "thce" else nullcontext():
                made = trainer(model=mine, args=arguments, train_dataset=rows, processing_class=tokenizer, **start)
            fit.drop_printer(made)
            made.train()
            seconds, work = time.perf_counter() - begun, time.process_time() - worked
        entry = next(entry for entry in reversed(made.state.log_history) if "train_loss" in entry)
        found.append(
            {
                "variant": name,
                "pairs": len(pairs),
                "steps": made.state.global_step,
                "seconds": round(seconds, 2),
                "pairs_per_second": round(len(pairs) / seconds, 2),
                "processor_seconds": round(work, 2),
                "mean_training_loss": round(float(entry["train_loss"]), 4),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="default")
    parser.add_argument("--rows", type=int, default=480, help="training rows of stage 2 (default: 480)")
    parser.add_argument("--pairs", type=int, default=192, help="preference pairs (default: 192, six steps of the profile)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    runtime.start(args.threads, SEED)
    path = f"configs/{args.profile}.yaml"
    prepare, base = params.load(PrepareParams, path), params.load(BaseParams, path)
    two, three = params.load(Stage2Params, path), params.load(Stage3Params, path)
    tokenizer, which = material.tokenizer_of(base)
    model = material.model_of(base, tokenizer, SEED)
    rows = material.encode(tokenizer, material.read("stage2", 1, prepare).sample, two, SEED)
    pairs = dpo.texts(material.read("stage3", 1, prepare).sample)
    held, rows = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    rows = [rows[number % len(rows)] for number in range(args.rows)]  # few examples are repeated, the same for all
    pairs = [pairs[number % len(pairs)] for number in range(args.pairs)]
    # kernels and imports are paid here
    supervised(model, tokenizer, rows[: two.batch_size], held[:2], two)
    preference(model, tokenizer, pairs[: three.batch_size], three)
    found = {
        "parameters": model.num_parameters(),
        "tokenizer": which,
        "threads": args.threads,
        "supervised": supervised(model, tokenizer, rows, held, two),
        "preference": preference(model, tokenizer, pairs, three),
    }
    if args.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['parameters']:,} parameters, {args.threads} threads")
    for kind in ("supervised", "preference"):
        print(kind)
        for row in found[kind]:
            print("  " + "  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
