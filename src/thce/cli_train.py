"""`thce train`: what a training stage would do and cost. The training itself is `dvc repro`."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from thce.errors import UserError

_EPILOG = """examples
  thce train stage1 --profile default --dry-run
  thce train stage3 --profile smollm2-135m --dry-run --json

A dry run needs no network and no weights: the model has the profile's shape and random weights, the rows are those of
data/prepared where they are, else those of data/examples. Exit code 1: a row fails a check.
"""


def add_parser(subparsers: Any) -> None:
    """Add `thce train`."""
    parser = subparsers.add_parser(
        "train",
        help="what a training stage would do and cost, before it runs",
        description="Check a profile's training stage: parameters, template, mask, lengths; take two steps; print the plan.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", choices=("stage1", "stage2", "stage3"))
    parser.add_argument("--profile", default="default", metavar="NAME", help="configs/NAME.yaml, or a file (default: default)")
    parser.add_argument("--dry-run", action="store_true", help="needed: the training itself is `dvc repro STAGE`")
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all cores)")
    parser.add_argument("--tflops", type=float, metavar="X", help="also the hours at X sustained TFLOP/s, e.g. of a GPU")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    if not args.dry_run:
        raise UserError(
            "thce train", "only plans", f"add --dry-run, or train: thce profile use {args.profile} && dvc repro {args.stage}"
        )
    if args.threads is not None and args.threads < 1:
        raise UserError("--threads", f"must be at least 1, not {args.threads}")
    if args.tflops is not None and not args.tflops > 0:
        raise UserError("--tflops", f"must be above 0, not {args.tflops}")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ[name] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    from thce.planning import plan

    found = plan.make(args.stage, args.profile, args.threads or os.cpu_count() or 1)
    if args.tflops:
        found["hours_at_tflops"] = {"tflops": args.tflops, "hours": round(found["operations"] / args.tflops / 3.6e15, 3)}
    print(json.dumps(found, indent=2) if args.json else "\n".join(_lines(found)))
    return 1 if any(found["checks"].values()) else 0


def _lines(plan: dict[str, Any]) -> list[str]:
    memory, measured, disk = plan["memory_bytes"], plan["measured"], plan["disk_bytes"]
    parts = ", ".join(f"{name.replace('_', ' ')} {_size(value)}" for name, value in memory.items() if name != "sum" and value)
    failed = {name: count for name, count in plan["checks"].items() if count}
    checks = ", ".join(f"{name}: {count}" for name, count in failed.items()) or "all hold: " + ", ".join(plan["checks"])
    lines = [
        f"{plan['stage']} of the profile {plan['profile']} ({plan['source']}), a dry run of {plan['dry_run_seconds']} s",
        f"  parameters       {plan['parameters']:,}",
        f"  tokenizer        {plan['tokenizer']}",
        f"  rows             {plan['rows']:,} x {plan['epochs']:g} epochs; {plan['rows_checked']} looked at, from"
        f" {', '.join(plan['rows_from'])}",
        f"  checks           {'FAILED: ' if failed else ''}{checks}",
        f"  tokens per epoch {plan['tokens_per_epoch']:,}, of which {plan['supervised_tokens_per_epoch']:,} supervised",
        f"  longest row      {plan['longest_row_checked']} tokens, the limit is {plan['max_length']}",
        f"  steps            {plan['steps']:,} of {plan['batch']['rows']} rows, {plan['batch']['per_pass']} per pass,"
        f" {plan['precision']}",
        f"  memory, estimate {_size(memory['sum'])} at the peak: {parts}",
        f"  memory, measured {_size(measured['peak_bytes'])} with {measured['rows_per_step']} rows per pass; the estimate for"
        f" that is {_size(measured['expected_bytes'])} ({measured['off_percent']:+.1f} %)",
        f"  disk             model {_size(disk['model'])}, checkpoints up to {_size(disk['checkpoints'])} while it runs",
        f"  two steps        {' and '.join(f'{value:.2f} s' for value in measured['seconds_per_step'])},"
        f" losses {' and '.join(f'{value:.3f}' for value in measured['losses'])}",
        f"  time, estimate   {_time(plan['seconds'])} here at {measured['tokens_per_second']:,.0f} tokens/s;"
        f" {plan['operations'] / 1e15:,.2f} PFLOP in all",
    ]
    if "hours_at_tflops" in plan:
        told = plan["hours_at_tflops"]
        lines.append(f"                   {_time(told['hours'] * 3600)} at {told['tflops']:g} sustained TFLOP/s")
    return lines + [f"  fault            {fault}" for fault in plan["faults"]]


def _size(value: int) -> str:
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
