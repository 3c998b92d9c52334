"""The plan of one training stage: sizes, steps, memory, time, disk; and the faults found on the way."""

from __future__ import annotations

import math
import random
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from thce import params, profiles
from thce.errors import UserError
from thce.modeling import dpo, runtime
from thce.modeling.runtime import use_bf16
from thce.planning import material, steps
from thce.seeds import derive
from thce.settings.modeling import BaseParams, SFTParams, Stage1Params, Stage2Params, Stage3Params
from thce.settings.narratives import NarrativesParams
from thce.settings.pairs import PairsParams
from thce.settings.prepare import PrepareParams

STAGES: dict[str, type[SFTParams] | type[Stage3Params]] = {
    "stage1": Stage1Params,
    "stage2": Stage2Params,
    "stage3": Stage3Params,
}
WORK = 6e11
"""Floating-point operations of one step of a dry run at most: a few seconds on two cores."""


def make(stage: str, profile: str, threads: int) -> dict[str, Any]:
    """Check the profile's parameters against the trainers, take two steps at its size, and say what the whole would take.

    Raises `UserError` for a profile with faults. Row checks that fail are counted in `checks`.
    """
    begun = time.perf_counter()
    path = Path(profile) if profile.endswith(".yaml") else Path("configs") / f"{profile}.yaml"
    if not path.is_file():
        raise UserError(str(path), "no such profile", "there are: " + ", ".join(_profiles()))
    if faults := profiles.check(path):
        raise UserError(str(path), faults[0].removeprefix(f"{path}: "))
    settings, base = params.load(STAGES[stage], path), params.load(BaseParams, path)
    seed = derive(params.load_scalar("seed", path), "dry run") % 2**32
    runtime.start(threads, seed)

    tokenizer, which = material.tokenizer_of(base)
    model = material.model_of(base, tokenizer, seed)
    told = [material.read(name, count, params.load(PrepareParams, path)) for name, count in _counts(stage, path, settings)]
    groups = told + material.echoes(told[0], settings)
    tokens, supervised, lengths = _tokens(tokenizer, groups, settings, seed)
    total = math.ceil(sum(group.count for group in groups) * settings.epochs)
    count = math.ceil(total / settings.batch_size)
    checks: dict[str, int] = {}
    for group in told:
        for name, failed in material.faults(tokenizer, group.sample).items():
            checks[name] = checks.get(name, 0) + failed
    long = material.longest(lengths, settings, stage)
    checks["length"] = 0 if long is None else sum(length > settings.max_length for length in lengths)
    with TemporaryDirectory() as folder:  # the profile as it stands
        _accepted(settings, stage, total, Path(folder), seed)

    measured = _measure(model, tokenizer, groups[0], settings, stage, seed)
    rate = measured["tokens_per_second"]
    per_token = model.num_parameters() * (8 if stage == "stage3" else 6)  # forward and backward; DPO asks its reference once
    whole = tokens * settings.epochs
    micro = settings.micro_batch * (2 if stage == "stage3" else 1)
    width = math.ceil(max(lengths) / 8) * 8
    learned = supervised / sum(group.count for group in groups)
    bf16 = use_bf16(settings.precision)
    projected = micro * width if stage == "stage3" else int(settings.micro_batch * learned)
    memory = steps.memory(model, micro * width, projected, bf16)
    weights = 4 * model.num_parameters()
    return {
        "stage": stage,
        "profile": profile,
        "source": base.source,
        "parameters": model.num_parameters(),
        "tokenizer": which,
        "rows_from": [group.source for group in groups],
        "rows_checked": sum(len(group.sample) for group in told),
        "checks": checks,
        "faults": [long] if long else [],
        "rows": sum(group.count for group in groups),
        "epochs": settings.epochs,
        "tokens_per_epoch": round(tokens),
        "supervised_tokens_per_epoch": round(supervised),
        "longest_row_checked": max(lengths),
        "max_length": settings.max_length,
        "steps": count,
        "batch": {"rows": settings.batch_size, "per_pass": settings.micro_batch},
        "precision": "bf16" if bf16 else "fp32",
        "memory_bytes": {**memory, "sum": sum(memory.values())},
        "disk_bytes": {"model": weights, "checkpoints": (4 if settings.patience else 3) * 3 * weights},
        "operations": round(whole * per_token),
        "seconds": round(whole / rate),
        "measured": measured,
        "dry_run_seconds": round(time.perf_counter() - begun, 1),
    }


def _profiles() -> list[str]:
    return sorted(one.stem for one in Path("configs").glob("*.yaml") if "stage1" in params.read_yaml(one))


def _counts(stage: str, path: Path, settings: SFTParams | Stage3Params) -> list[tuple[str, int]]:
    """Kinds of rows and how many of each the profile's training has, at most."""
    prepare, limit = params.load(PrepareParams, path), params.load(NarrativesParams, path).train
    if isinstance(settings, Stage3Params):
        pairs = params.load(PairsParams, path)
        return [("stage3", min(pairs.max_pairs, prepare.stage3_train))]
    if isinstance(settings, Stage2Params):
        found = [("stage2", min(prepare.stage2_train, limit))]
        return found + ([("stage1", min(settings.replay, prepare.stage1_train, limit))] if settings.replay else [])
    return [("stage1", min(prepare.stage1_train, limit))]


def _tokens(
    tokenizer: Any, groups: list[material.Rows], settings: SFTParams | Stage3Params, seed: int
) -> tuple[float, float, list[int]]:
    """Tokens and supervised tokens of one pass over all rows, and the lengths of those looked at."""
    tokens = supervised = 0.0
    lengths: list[int] = []
    for group in groups:
        if isinstance(settings, Stage3Params):
            pairs = material.pair_tokens(tokenizer, group.sample)
            tokens += group.count * mean(both for both, _ in pairs)
            supervised = tokens
            lengths += [longer for _, longer in pairs]
            continue
        rows = material.encode(tokenizer, group.sample, settings, seed)
        tokens += group.count * mean(len(row["input_ids"]) for row in rows)
        supervised += group.count * mean(sum(row["completion_mask"]) for row in rows)
        lengths += [len(row["input_ids"]) for row in rows]
    return tokens, supervised, lengths


def _accepted(settings: SFTParams | Stage3Params, stage: str, rows: int, folder: Path, seed: int) -> None:
    """Raises `UserError` where the trainer's own arguments refuse what the profile says."""
    if isinstance(settings, Stage3Params) and len(settings.loss_type) != len(settings.loss_weights):
        raise UserError("stage3.loss_weights", f"{len(settings.loss_weights)} weights for {len(settings.loss_type)} losses")
    try:
        steps.arguments(settings, stage, rows, folder, seed)
    except (TypeError, ValueError) as error:
        raise UserError(stage, f"the trainer refuses it: {str(error).splitlines()[0]}") from None


def _measure(
    model: Any, tokenizer: Any, group: material.Rows, settings: SFTParams | Stage3Params, stage: str, seed: int
) -> dict[str, Any]:
    """Two steps on the longest rows that fit the dry run's time, and how far memory is from what was foretold."""
    pairs = isinstance(settings, Stage3Params)
    if isinstance(settings, Stage3Params):
        rows: list[dict[str, Any]] = list(dpo.texts(group.sample))
        sizes = [both for both, _ in material.pair_tokens(tokenizer, group.sample)]
    else:
        rows = list(material.encode(tokenizer, group.sample, settings, seed))
        sizes = [len(row["input_ids"]) for row in rows]
    affordable = int(WORK / (6 * model.num_parameters() * mean(sizes)))
    half = max(1, min(settings.micro_batch, affordable, len(rows) // 2))
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    chosen = sorted(order[: 2 * half], key=lambda number: sizes[number])
    slice_ = [rows[number] for number in chosen[::2] + chosen[1::2]]  # two halves of like lengths
    unlimited = replace(settings, max_length=10**6)  # a row that is too long is a fault of its own, reported beside this
    try:
        watched, peak = steps.take(model, tokenizer, slice_, unlimited, stage, seed)
    except ValueError as error:  # e.g. a loss TRL does not know
        raise UserError(stage, f"the trainer refuses it: {str(error).splitlines()[0]}") from None
    second = sum(sizes[number] for number in chosen[1::2])
    if pairs:
        lengths = [longer for _, longer in material.pair_tokens(tokenizer, [group.sample[number] for number in chosen])]
        padded, projected = 2 * half * max(lengths), 2 * half * max(lengths)
    else:
        padded = half * math.ceil(max(sizes[number] for number in chosen) / 8) * 8
        projected = max(sum(sum(row["completion_mask"]) for row in part) for part in (slice_[:half], slice_[half:]))
    parts = steps.memory(model, padded, projected, use_bf16(settings.precision))
    expected = sum(value for name, value in parts.items() if name != "weights")  # the weights were there before
    found = max(1, peak.highest - peak.before)
    return {
        "rows_per_step": half,
        "seconds_per_step": [round(value, 3) for value in watched.seconds],
        "losses": [round(value, 4) for value in watched.losses],
        "tokens_per_second": round(second / watched.seconds[-1], 1),
        "peak_bytes": found + parts["weights"],
        "expected_bytes": expected + parts["weights"],
        "off_percent": round(100 * (expected + parts["weights"]) / (found + parts["weights"]) - 100, 1),
    }
