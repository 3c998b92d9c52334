"""`thce relock`, `thce doctor` and `thce experiments`: the project around the pipeline."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

RELOCK = """examples
  thce relock                    after a comment, a docstring or a new line break
  thce relock stage1 stage2      these stages alone
  thce relock --dry-run --json   what it would do

Compares the syntax tree of every changed module with the version dvc.lock names (found in Git). A real change is refused with
its file and line, and nothing is written: `dvc repro` then.
exit code  0 relocked or nothing to do, 1 refused, 2 wrong use"""

DOCTOR = """examples
  thce doctor                    is this machine and this checkout fit for a run?
  thce doctor --json
  thce doctor --mend             after a crash: take away what is damaged; then `dvc repro`

--mend removes objects of DVC's cache that are not what their name says, checkpoints that were cut short and a broken list of
running commands, and puts a broken dvc.lock back as committed. It deletes nothing that is whole. `make recover` is this and
`dvc repro`.
exit code  0 fit (warnings are not faults), 1 something must be put right, 2 wrong use"""

EXPERIMENTS = """examples
  thce experiments                                         parameters that differ, exact answers of the system
  thce experiments --metric 'val_loss\\.\\w+|train_loss'     other numbers: a pattern for their whole name
  thce experiments --sort known

A short `dvc exp show`, which has every number; `dvc exp diff`, `apply`, `branch` and `remove` take the names shown here."""


def add_parser(subparsers: Any) -> None:
    """Add the three commands."""
    raw = argparse.RawDescriptionHelpFormatter
    relock = subparsers.add_parser(
        "relock", help="bring dvc.lock up to date after an edit of comments or layout", formatter_class=raw, epilog=RELOCK
    )
    relock.add_argument("stage", nargs="*", help="only these stages (default: all that are stale)")
    relock.add_argument("--dry-run", action="store_true", help="say what would be done")
    relock.add_argument("--json", action="store_true", help="for programs")
    relock.set_defaults(run=_relock)
    doctor = subparsers.add_parser(
        "doctor", help="whether all is fit for a run, and what to do if not", formatter_class=raw, epilog=DOCTOR
    )
    doctor.add_argument("--mend", action="store_true", help="take away what a crash has damaged")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.set_defaults(run=_doctor)
    shown = subparsers.add_parser(
        "experiments", help="a short table of the experiments", formatter_class=raw, epilog=EXPERIMENTS
    )
    shown.add_argument("--metric", metavar="PATTERN", help="names of other metrics, as a regular expression")
    shown.add_argument("--sort", metavar="COLUMN", help="best experiment last, by a metric shown")
    shown.add_argument("--json", action="store_true", help="for programs")
    shown.set_defaults(run=_experiments)


def _relock(options: argparse.Namespace) -> int:
    from thce import relock

    found = relock.plan(options.stage)
    if not found.refused and not options.dry_run:
        relock.commit(found)
    if options.json:
        print(json.dumps({"relocked": found.stages, "refused": found.refused}, indent=2))
    elif found.refused:
        for reason, stages in found.refused.items():
            print(f"{reason}; stages: {', '.join(stages)}", file=sys.stderr)
        print("refused: `dvc repro` runs what changed" + _alone(found.stages), file=sys.stderr)
    elif found.stages:
        modules = sorted({path for paths in found.stages.values() for path in paths})
        print(f"{'would relock' if options.dry_run else 'relocked'} {', '.join(found.stages)}")
        print(f"only form changed in {', '.join(modules)}")
    else:
        print("nothing to relock: no stage is stale for its code")
    return 1 if found.refused else 0


def _alone(stages: dict[str, list[str]]) -> str:
    return f"; `thce relock {' '.join(stages)}` would do for the others" if stages else ""


def _doctor(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from thce import doctor, doctor_pipeline

    doctor.in_project()
    mended = doctor_pipeline.mend() if options.mend else []
    checks = doctor.examine()
    if options.json:
        print(json.dumps({"mended": mended, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for line in mended:
            print(f"mended     {line}")
        for check in checks:
            print(f"{check.state:4}  {check.name:9}  {check.found}")
            if check.mend:
                print(f"{'':17}{check.mend}")
    return 1 if any(check.state == "fail" for check in checks) else 0


def _experiments(options: argparse.Namespace) -> int:
    import re

    from thce import experiments
    from thce.errors import UserError

    pattern = options.metric or experiments.METRICS
    try:
        re.compile(pattern)
    except re.error as error:
        raise UserError("--metric", f"is no regular expression ({error})") from None
    rows = experiments.rows(experiments.show(), pattern)
    names = {name for row in rows for name in row["metrics"]}
    if options.sort and options.sort not in names:
        raise UserError("--sort", f"no column `{options.sort}`", f"there are: {', '.join(sorted(names)) or 'none'}")
    if options.sort:
        rows.sort(key=lambda row: (options.sort in row["metrics"], row["metrics"].get(options.sort) or 0))
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    lines = experiments.table(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0
