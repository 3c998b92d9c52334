"""`thce`: the tools for people. The pipeline itself is `dvc repro`; nothing here is used by dvc.yaml."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from thce.errors import UserError

# command -> the module that holds it; a command imports its own module only, so that it starts at once
COMMANDS = {
    "code": "thce.cli_code",
    "codes": "thce.cli_codes",
    "data": "thce.cli_data",
    "evaluate": "thce.cli_evaluate",
    "metrics": "thce.cli_evaluation",
    "baseline": "thce.cli_evaluation",
    "analyze": "thce.cli_evaluation",
    "compare": "thce.cli_evaluation",
    "params": "thce.cli_params",
    "profile": "thce.cli_params",
    "relock": "thce.cli_project",
    "doctor": "thce.cli_project",
    "experiments": "thce.cli_project",
}

EPILOG = """the pipeline
  make repro                          set up and run everything (dvc repro)
  dvc exp run -S stage2.epochs=2      change a parameter, re-run what depends on it
  dvc metrics diff                    what it changed

example
  thce code "Patient presents with acute bronchitis with cough and fever."

Research software: not for unsupervised billing. No narrative leaves this machine unless `evaluate --base-url` is told to
send it.
"""


def parser(modules: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with the commands of the given modules."""
    top = argparse.ArgumentParser(
        prog="thce",
        description="Clinical narratives in, billing codes out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in dict.fromkeys(modules):
        importlib.import_module(name).add_parser(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 fine, 1 something invalid was found, 2 wrong use."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        parser(list(COMMANDS.values())).print_help()
        return 0
    first = arguments[0]
    chosen = [COMMANDS[first]] if first in COMMANDS else list(COMMANDS.values())
    try:
        options = parser(chosen).parse_args(arguments)
        return int(options.run(options))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
