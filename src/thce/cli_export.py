"""`thce export`: a trained model as a folder other tools read."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

CARD = Path("metrics/model_card.md")


def add_parser(subparsers: Any) -> None:
    """Add `thce export`."""
    parser = subparsers.add_parser(
        "export",
        help="write a trained model as a standard folder, with ONNX if wanted",
        description="Write a trained model as a Hugging Face folder (weights, tokenizer, model card) and, if wanted, as ONNX.",
        epilog="example\n  thce export models/stage3 --output exported --onnx",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="folder of a trained model, e.g. models/stage3")
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder to write; must not exist")
    parser.add_argument("--onnx", action="store_true", help="also write model.onnx (needs the extra `onnx`)")
    parser.add_argument("--card", metavar="FILE", help=f"model card (default: {CARD} for models/stage3, else a short one)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> int:
    from thce import export
    from thce.modeling import runtime

    runtime.quiet()
    card = Path(args.card) if args.card else None
    if card is None and Path(args.model).resolve() == Path("models/stage3").resolve() and CARD.is_file():
        card = CARD
    written = export.write(Path(args.model), Path(args.output), args.onnx, card)
    if args.json:
        print(json.dumps({"folder": args.output, "files": written}, indent=2))
        return 0
    for name, size in written.items():
        print(f"{size:12,d}  {args.output}/{name}")
    return 0
