"""The sections of params.yaml as frozen dataclasses.

A docstring under a field says what it means, in which unit and range; `thce params explain` prints it. `knob` adds a range
or a list of choices that the loader enforces. Defaults live in params.yaml and configs/ alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def knob(low: float | None = None, high: float | None = None, choices: tuple[str, ...] | None = None) -> Any:
    """A dataclass field with the range or the choices its value must keep to."""
    return field(metadata={"range": (low, high), "choices": choices})


@dataclass(frozen=True, slots=True)
class CodesParams:
    """The code tables."""

    cpt: str = knob(choices=("off", "demo"))
    """`demo`: 200 CPT numbers with our own labels are in scope; `off`: no CPT at all."""


@dataclass(frozen=True, slots=True)
class NarrativesParams:
    """How many narratives are written, and what they are made of. Shares and rates lie between 0 and 1."""

    train: int = knob(100)
    """Training narratives in all (single, multi and no-code together)."""
    multi_share: float = knob(0, 0.5)
    """Share of training and validation narratives with two to five codes."""
    no_code_share: float = knob(0, 0.5)
    """Share of training and validation narratives that support no code; what is left has one code."""
    val: int = knob(20)
    """Validation narratives in all; of those with one code, half use a phrase held out for validation."""
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


@dataclass(frozen=True, slots=True)
class PrepareParams:
    """How many examples each stage gets, and the system prompts. Replaced by the real fields below."""

    stage1_train: int = knob(1)
    """Training examples of stage 1 (answer only)."""
    stage1_val: int = knob(1)
    """Validation examples of stage 1."""
    stage2_train: int = knob(1)
    """Training examples of stage 2 (with reasoning)."""
    stage2_val: int = knob(1)
    """Validation examples of stage 2."""
    stage3_train: int = knob(1)
    """Prompts for preference pairs."""
    stage3_val: int = knob(1)
    """Prompts for held-out preference pairs."""
    system_stage1: str = knob()
    """System prompt of stage 1. Short on purpose: a small model pays for every token of it in every row."""
    system_stage2: str = knob()
    """System prompt of stages 2 and 3."""


@dataclass(frozen=True, slots=True)
class BaseParams:
    """Where the model comes from, and for `scratch` its shape and first training."""

    source: str = knob()
    """`scratch`: tokenizer and model are made here; else a model on the hub or a local folder."""
    revision: str | None = knob()
    """Commit of the hub model; needed with a hub name, so that the run can be repeated."""
    vocabulary: int = knob(300, 65536)
    """Entries of the byte-level BPE vocabulary (scratch)."""
    hidden: int = knob(16)
    """Width of the model (scratch)."""
    layers: int = knob(1)
    """Number of layers (scratch)."""
    heads: int = knob(1)
    """Attention heads; must divide `hidden` (scratch)."""
    intermediate: int = knob(16)
    """Width of the feed-forward layer (scratch)."""
    context: int = knob(64)
    """Longest sequence in tokens (scratch)."""
    precision: str = knob(choices=("auto", "bf16", "fp32"))
    """Arithmetic of the matrix products in training. `auto`: bfloat16 where the processor has it, else float32."""
    epochs: float = knob(0)
    """Passes over code titles, terms and training phrases before stage 1 (scratch); 0 leaves the weights random."""
    batch_size: int = knob(1)
    """Rows per optimizer step."""
    learning_rate: float = knob(0)
    """Peak learning rate."""
    warmup: float = knob(0, 1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = knob(0)
    """AdamW weight decay."""
    chop: float = knob(0, 1)
    """Probability that a word of the text is tokenized in two pieces."""


@dataclass(frozen=True, slots=True)
class SFTParams:
    """Supervised fine-tuning with TRL's SFTTrainer."""

    precision: str = knob(choices=("auto", "bf16", "fp32"))
    """Arithmetic of the matrix products. `auto`: bfloat16 where the processor has it, else float32."""
    epochs: float = knob(0)
    """Passes over the stage's examples."""
    batch_size: int = knob(1)
    """Rows per optimizer step, over all processes."""
    micro_batch: int = knob(1)
    """Rows per forward pass and process; `batch_size` is reached by accumulating gradients."""
    learning_rate: float = knob(0)
    """Peak learning rate; the main dial."""
    warmup: float = knob(0, 1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = knob(0)
    """AdamW weight decay."""
    max_grad_norm: float = knob(0)
    """Gradients are scaled down to this norm."""
    chop: float = knob(0, 1)
    """Probability that a word of the narrative is tokenized in two pieces (subword regularisation)."""
    max_length: int = knob(16)
    """Longest row in tokens. A longer row stops the stage: nothing is ever cut silently."""
    save_steps: int = knob(1)
    """Steps between checkpoints (outside the outputs; used only to go on after an interruption)."""


@dataclass(frozen=True, slots=True)
class Stage1Params(SFTParams):
    """Stage 1: answer only."""


@dataclass(frozen=True, slots=True)
class Stage2Params(SFTParams):
    """Stage 2: reasoning, then the answer."""


@dataclass(frozen=True, slots=True)
class PairsParams:
    """Preference pairs: the stage-2 model's own samples first, built negatives beside them."""

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
    """At most this many pairs per code."""
    max_pairs: int = knob(1)
    """At most this many training pairs in all."""
    val_pairs: int = knob(1)
    """Held-out pairs, to measure the implicit reward."""


@dataclass(frozen=True, slots=True)
class Stage3Params:
    """Stage 3: direct preference optimisation with TRL's DPOTrainer."""

    precision: str = knob(choices=("auto", "bf16", "fp32"))
    """Arithmetic of the matrix products. `auto`: bfloat16 where the processor has it, else float32."""
    epochs: float = knob(0)
    """Passes over the pairs."""
    batch_size: int = knob(1)
    """Pairs per optimizer step, over all processes."""
    micro_batch: int = knob(1)
    """Pairs per forward pass and process."""
    learning_rate: float = knob(0)
    """Peak learning rate."""
    warmup: float = knob(0, 1)
    """Share of the steps over which the learning rate rises."""
    beta: float = knob(0)
    """How strongly the policy is held to the stage-2 model; smaller lets it move further."""
    loss_type: tuple[str, ...] = knob()
    """Losses of TRL's DPOTrainer that are added, e.g. `sigmoid` (DPO) and `sft` (likelihood of the chosen side)."""
    loss_weights: tuple[float, ...] = knob()
    """One weight per loss."""
    max_grad_norm: float = knob(0)
    """Gradients are scaled down to this norm."""
    max_length: int = knob(16)
    """Longest prompt with completion, in tokens; a longer one stops the stage."""
    save_steps: int = knob(1)
    """Steps between checkpoints."""


SECTIONS: dict[str, type[Any]] = {
    "codes": CodesParams,
    "narratives": NarrativesParams,
    "prepare": PrepareParams,
    "base": BaseParams,
    "stage1": Stage1Params,
    "stage2": Stage2Params,
    "pairs": PairsParams,
    "stage3": Stage3Params,
}
