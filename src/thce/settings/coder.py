"""The `coder` section of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thce.settings.knob import knob


@dataclass(frozen=True, slots=True)
class CoderParams:
    """The whole system: model under the code table, lexical prior, fusion, confidence."""

    section: ClassVar[str] = "coder"

    think: bool = knob()
    """Whether the model reasons before it answers; without, it answers two to three times as fast."""
    reason_first: bool = knob()
    """`false`: all sources decide the answer, then the model writes the reasoning for it, among bullets that hold. `true`:
    the model reasons before it answers, as it was trained to; slower, and its reasoning may argue for another code."""
    max_new_tokens: int = knob(16)
    """Longest reasoning in tokens when the model reasons first; a longer one is closed by force."""
    max_codes: int = knob(1, 20)
    """At most this many codes per narrative."""
    top_k: int = knob(1, 50)
    """How many alternatives are given."""
    beam: int = knob(1)
    """Branches of the code tree followed per level when every code is scored."""
    cutoff: float = knob(0, 0.5)
    """Branches less than this times as probable as the best are not followed; their mass is spread over their codes."""
    batch_size: int = knob(1)
    """Narratives decoded at once."""
    fusion: bool = knob()
    """Whether lexical prior and known wordings take part; `false` leaves the calibrated model alone."""
    target_precision: float = knob(0.5, 1)
    """Answers are `coded` above the confidence at which this share of validation answers was right, less one standard
    error; others are `review`.
    """
    calibration_rows: int = knob(50)
    """Validation rows the weights and the confidence are fitted on; the notes of `val_visits` come on top."""
    prior_dim: int = knob(8)
    """Width of the prior's n-gram vectors."""
    prior_epochs: int = knob(1)
    """Passes over the prior's training texts."""
    prior_learning_rate: float = knob(0)
    """Adam's peak learning rate for the prior; it falls to 0 linearly."""
    prior_dropout: float = knob(0, 0.95)
    """Share of a text's n-grams left out at each step, so that no single one decides."""
