"""Notes in capitals: a model that has read a word in small letters does not know it in capitals."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]{7,}")
"""A word too long to be an abbreviation: `COPD, T2DM` is no note in capitals, `CHRONIC COUGH` is."""


def small(text: str) -> str:
    """A note in capitals in small letters, every place where it was; any other text as it is.

    A text is in capitals where it has no small letter and a word of seven letters or more. One that lowering would make longer
    or shorter (`İ`) stays as it is, so that offsets hold for both.
    """
    if not text.isupper() or not _WORD.search(text):
        return text
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text
