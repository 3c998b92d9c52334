"""The `pairs` section of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thce.settings.knob import knob


@dataclass(frozen=True, slots=True)
class PairsParams:
    """Preference pairs: the stage-2 model's own samples first, built negatives beside them."""

    section: ClassVar[str] = "pairs"

    prompts: int = knob(1)
    """Training prompts the stage-2 model is sampled on."""
    samples: int = knob(1)
    """Samples per prompt."""
    temperature: float = knob(0.1, 3)
    """Sampling temperature."""
    max_new_tokens: int = knob(8)
    """Longest sample in tokens."""
    batch_size: int = knob(1)
    """Completions sampled at once."""
    built_share: float = knob(0, 1)
    """Share of all pairs whose rejected side is a built hard negative."""
    max_per_code: int = knob(1)
    """At most this many pairs per code; those of texts without a code are not counted."""
    max_pairs: int = knob(1)
    """At most this many training pairs in all."""
    val_pairs: int = knob(1)
    """Held-out pairs, to measure the implicit reward."""
