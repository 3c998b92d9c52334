"""`thce params` and `thce profile`: read, check and replace params.yaml."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the two commands."""
    raw = argparse.RawDescriptionHelpFormatter
    top = subparsers.add_parser(
        "params",
        help="check or explain parameters",
        formatter_class=raw,
        epilog="example\n  thce params explain stage1.learning_rate",
    )
    actions = top.add_subparsers(metavar="ACTION", required=True)
    one = actions.add_parser(
        "check",
        help="every fault of a params file, one line each",
        formatter_class=raw,
        epilog="example\n  thce params check configs/smoke.yaml",
    )
    one.add_argument("file", nargs="?", default="params.yaml", metavar="FILE", help="default: params.yaml")
    one.add_argument("--json", action="store_true", help="for programs")
    one.set_defaults(run=_check)
    two = actions.add_parser(
        "explain",
        help="what a key means",
        formatter_class=raw,
        epilog="example\n  thce params explain stage3.beta --json",
    )
    two.add_argument("key", metavar="KEY", help="such as stage1.learning_rate")
    two.add_argument("--json", action="store_true", help="for programs")
    two.set_defaults(run=_explain)
    profile = subparsers.add_parser(
        "profile",
        help="put a profile in place as params.yaml",
        formatter_class=raw,
        epilog="example\n  thce profile use smoke",
    )
    ways = profile.add_subparsers(metavar="ACTION", required=True)
    three = ways.add_parser(
        "use",
        help="write params.yaml from configs/NAME.yaml",
        formatter_class=raw,
        epilog="example\n  thce profile use default",
    )
    three.add_argument("name", metavar="NAME", help="default, smoke, smollm2-135m, or a file of your own in configs/")
    three.set_defaults(run=_use)


def _check(options: argparse.Namespace) -> int:
    from thce import profiles

    faults = profiles.check(options.file)
    if options.json:
        print(json.dumps(faults, indent=2))
        return 1 if faults else 0
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{options.file}: fine")
    return 1 if faults else 0


def _explain(options: argparse.Namespace) -> int:
    from thce import profiles

    found = profiles.explain(options.key)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"{found['key']} = {found['value']}  ({found['type']}" + (f", {found['range']}" if found["range"] else "") + ")")
    print(f"  {found['meaning']}")
    return 0


def _use(options: argparse.Namespace) -> int:
    from thce import profiles

    print(f"{profiles.use(options.name)} is now configs/{options.name}.yaml; run `dvc repro`")
    return 0
