"""Text for a terminal: colours where a person reads, plain where a program does, and no character that commands it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO

BOLD, DIM, MARK, GOOD, BAD, END = "\x1b[1m", "\x1b[2m", "\x1b[30;43m", "\x1b[32m", "\x1b[31m", "\x1b[0m"


def colours(stream: TextIO) -> bool:
    """Whether to colour: a terminal, `NO_COLOR` unset or empty (no-color.org), `TERM` not `dumb`."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def plain(text: str) -> str:
    """Without control characters, so that a note cannot command the terminal."""
    return "".join(character if character.isprintable() or character in "\n\t" else "�" for character in text)


def paint(text: str, style: str, colour: bool) -> str:
    """The text, plain, in one of the styles above if colours are on."""
    return f"{style}{plain(text)}{END}" if colour and text else plain(text)


def marked(text: str, spans: Iterable[tuple[int, int]], colour: bool) -> str:
    """The text with its spans (start, end) in colour, or in brackets; of spans that overlap the first is taken."""
    parts: list[str] = []
    at = 0
    for start, end in sorted(set(spans)):
        if start >= at:
            inner = text[start:end]
            parts += [plain(text[at:start]), paint(inner, MARK, True) if colour else f"[{plain(inner)}]"]
            at = end
    return "".join(parts) + plain(text[at:])
