"""How a parameter says its range."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def knob(low: float | None = None, high: float | None = None, choices: tuple[str, ...] | None = None) -> Any:
    """A dataclass field with the range or the choices its value must keep to. Defaults live in params.yaml alone."""
    return field(metadata={"range": (low, high), "choices": choices})
