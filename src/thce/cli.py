"""`thce`: the tools for people. The pipeline itself is `dvc repro`; nothing here is used by dvc.yaml."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from thce.errors import UserError

# command -> the module that holds it; a command imports its own module only, so that it starts at once
COMMANDS = {
    "code": "thce.cli_code",
    "review": "thce.cli_view",
    "report": "thce.cli_view",
    "show": "thce.cli_view",
    "codes": "thce.cli_codes",
    "data": "thce.cli_data",
    "train": "thce.cli_train",
    "export": "thce.cli_export",
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
    "completion": "thce.cli_view",
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


class Version(argparse.Action):
    """`--version`: the installed version, looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"thce {version('thce')}")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """A parser whose faults are `UserError`s: one line that names the command and the mend."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print; it is only said differently where argparse names Python's types."""
        message = re.sub(r"invalid (?:int|_?positive|natural) value: '(.*)'", r"must be a whole number, not `\1`", message)
        message = re.sub(r"invalid \w+ value: '(.*)'", r"must be a number, not `\1`", message)
        raise UserError(self.prog, message, f"`{self.prog} --help` has examples")


def parser(modules: Sequence[str]) -> Parser:
    """The parser with the commands of the given modules."""
    top = Parser(
        prog="thce",
        description="Clinical narratives in, billing codes out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=Version, help="print the version")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in dict.fromkeys(modules):
        importlib.import_module(name).add_parser(subparsers)
    return top


def leaves(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command below a parser that has no further commands; its name is `prog`."""
    inner = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield top
    for action in inner:
        for child in action.choices.values():
            yield from leaves(child)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line. Raises `UserError` for whatever is wrong, SystemExit after `--help`."""
    first = arguments[0]
    if first.startswith("-") and first not in ("-h", "--help", "--version"):
        raise UserError("thce", f"does not know `{first}`", "an option stands behind its command; `thce` lists the commands")
    if first not in COMMANDS and not first.startswith("-"):
        near = difflib.get_close_matches(first, COMMANDS, n=1)
        raise UserError("thce", f"`{first}` is no command", f"did you mean `thce {near[0]}`?" if near else "`thce` lists them")
    top = parser([COMMANDS[first]] if first in COMMANDS else list(COMMANDS.values()))
    options, unknown = top.parse_known_args(arguments)
    if unknown:
        words = " ".join(["thce", *arguments])
        used = max((leaf for leaf in leaves(top) if words.startswith(leaf.prog)), key=lambda leaf: len(leaf.prog), default=top)
        known = [name for action in used._actions for name in action.option_strings]
        near = difflib.get_close_matches(unknown[0].partition("=")[0], known, n=1)
        mend = f"did you mean `{near[0]}`?" if near else f"`{used.prog} --help` has examples"
        raise UserError(used.prog, f"does not know `{unknown[0]}`", mend)
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 fine, 1 something invalid was found, 2 wrong use."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to stop
    try:
        if not arguments:
            from thce import glance, terminal

            print("\n".join(glance.lines(glance.look(), terminal.colours(sys.stdout))))
            return 0
        options = parse(arguments)
        return int(options.run(options))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
