"""The `narratives` section of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thce.settings.knob import knob

TESTS = ("known", "unseen_phrase", "contrast", "no_code", "multi", "unseen_multi", "distractors", "visits")
"""The test sets; each has its number of narratives below."""


@dataclass(frozen=True, slots=True)
class NarrativesParams:
    """How many narratives are written, and what they are made of. Shares and rates lie between 0 and 1."""

    section: ClassVar[str] = "narratives"

    train: int = knob(100)
    """Training narratives in all (single, multi and no-code together)."""
    multi_share: float = knob(0, 0.5)
    """Share of training and validation narratives with two to five codes."""
    no_code_share: float = knob(0, 0.5)
    """Share of training and validation narratives that support no code; what is left has one code."""
    val: int = knob(20)
    """Validation narratives in all; of those with one code, half use a phrase held out for validation, and a fifth stand beside
    conditions that must not be coded."""
    val_visits: int = knob(1)
    """Further validation narratives with two to five codes, each told in a sentence of its own; the coder learns from them
    when a note holds a further code."""
    test_known: int = knob(1)
    """Test narratives with a training phrase in a sentence never trained on."""
    test_unseen_phrase: int = knob(1)
    """Test narratives with a held-out phrase in a sentence never trained on."""
    test_contrast: int = knob(1)
    """Test narratives in groups of two to four sibling codes that share one sentence."""
    test_no_code: int = knob(1)
    """Test narratives that support no code."""
    test_multi: int = knob(1)
    """Test narratives with two to five codes."""
    test_unseen_multi: int = knob(1)
    """Test narratives with two to five codes, each told in a held-out phrase."""
    test_distractors: int = knob(1)
    """Test narratives with one code beside one to three conditions that must not be coded (half of them held-out phrases)."""
    test_visits: int = knob(1)
    """Test narratives with two to five codes, each told in a sentence of its own; half of them in held-out phrases."""
    distractor_share: float = knob(0, 1)
    """Share of one-code narratives that also mention a denied, ruled-out, suspected or family condition."""
    extra_sentences: float = knob(0, 3)
    """Mean number of further sentences (vitals, course, plan ...) beside the one that bears the code."""
    abbreviation_rate: float = knob(0, 1)
    """Share of narratives in which the fixed words are abbreviated (patient -> pt, with -> w/)."""
    lower_rate: float = knob(0, 1)
    """Share of narratives written all in lower case."""
    upper_rate: float = knob(0, 1)
    """Share of narratives written all in capitals."""
    typo_rate: float = knob(0, 1)
    """Share of narratives with a typing slip outside the evidence."""
    span_typo_rate: float = knob(0, 1)
    """Share of training narratives with a typing slip inside the evidence (never in a word that decides between codes)."""
