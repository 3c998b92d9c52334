"""What the commands share: types of options (what they refuse is said in one line), the frame of a command, progress."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from datetime import date
from typing import Any

from thce.errors import UserError


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise ArgumentTypeError("must be at least 1")
    return value


def natural(text: str) -> int:
    """A whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise ArgumentTypeError("must be at least 0")
    return value


def seconds(text: str) -> float:
    """A time above 0 and below twelve days."""
    value = float(text)
    if not 0 < value < 1e6:
        raise ArgumentTypeError("must be above 0")
    return value


def day(text: str | None, place: str = "--date") -> date | None:
    """An ISO day; None for none. Raises `UserError` with the place for what is no day."""
    try:
        return date.fromisoformat(text) if text else None
    except (ValueError, TypeError):
        raise UserError(place, f"`{text}` is not a day", "write YYYY-MM-DD") from None


def command(
    commands: Any, name: str, does: str, examples: str, run: Callable[[Namespace], int], json: str = "for programs"
) -> ArgumentParser:
    """A command with `--json`, which `run` carries out; `does` is its line in the list of commands, `examples` its epilog."""
    parser: ArgumentParser = commands.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:] + ".",
        epilog=examples,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help=json)
    parser.set_defaults(run=run)
    return parser


def replies() -> Callable[[int, int], None]:
    """Tells how many replies of a server are there: a bar with rate and remaining time on a terminal, a line for every
    hundredth elsewhere."""
    bar: Any = None

    def told(done: int, of: int) -> None:
        nonlocal bar
        if not sys.stderr.isatty():
            if done == of or done % 100 == 0:
                print(f"{done}/{of} replies", file=sys.stderr, flush=True)
            return
        if bar is None:
            from tqdm import tqdm

            bar = tqdm(total=of, unit=" replies", file=sys.stderr)
        bar.update(done - bar.n)
        if done == of:
            bar.close()

    return told
