"""The `codes` section of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thce.settings.knob import knob


@dataclass(frozen=True, slots=True)
class CodesParams:
    """The code tables."""

    section: ClassVar[str] = "codes"

    cpt: str = knob(choices=("off", "demo", "licensed"))
    """`demo`: 200 CPT numbers with our own labels are in scope; `off`: no CPT at all;
    `licensed`: the user's own imported CPT table stands behind the same 200 (our labels stay; no AMA text is trained on)."""
