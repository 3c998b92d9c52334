"""The `prepare` section of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thce.settings.knob import knob


@dataclass(frozen=True, slots=True)
class PrepareParams:
    """How many examples each stage gets, and the system prompts."""

    section: ClassVar[str] = "prepare"

    stage1_train: int = knob(1)
    """Training narratives of stage 1 (answer only). No narrative serves two stages while there are enough."""
    stage1_val: int = knob(1)
    """Validation examples of stage 1."""
    stage2_train: int = knob(1)
    """Training narratives of stage 2 (with reasoning), chosen first, so that every wording is seen about equally often."""
    stage2_val: int = knob(1)
    """Validation examples of stage 2."""
    stage3_train: int = knob(1)
    """Training narratives of stage 3: prompts for the stage `pairs`, each with one built hard negative."""
    stage3_val: int = knob(1)
    """Held-out preference prompts."""
    max_words: int = knob(20)
    """A narrative with more words stops the stage: nothing is ever cut silently."""
    system_stage1: str = knob()
    """System prompt of stage 1. Short on purpose: a small model pays for every token of it in every row."""
    system_stage2: str = knob()
    """System prompt of stages 2 and 3."""
