"""The sections of params.yaml that train models: `base`, `stage1`, `stage2`, `stage3`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thce.settings.knob import knob


@dataclass(frozen=True, slots=True)
class BaseParams:
    """Where the model comes from, and for `scratch` its shape and first training."""

    section: ClassVar[str] = "base"

    source: str = knob()
    """`scratch`: tokenizer and model are made here; else a model on the hub or a local folder."""
    revision: str | None = knob()
    """Commit of the hub model; needed with a hub name, so that the run can be repeated."""
    vocabulary: int = knob(300, 65536)
    """Entries of the byte-level BPE vocabulary (scratch)."""
    code_tokens: bool = knob()
    """Whether each code in scope, each of their categories, and of the reasoning each block, each neighbour that is turned
    down and each beginning of bullets is one token, on top of `vocabulary`; else codes are spelled digit by digit
    (scratch)."""
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
    epochs: float = knob(0)
    """Passes over training wordings and narratives in which the first attention layer is taught alone (scratch, needs
    `code_tokens`, two heads or more); 0 leaves every weight random."""
    batch_size: int = knob(1)
    """Texts per optimizer step of that."""
    learning_rate: float = knob(0)
    """Peak learning rate of the token vectors in that; the layer's matrices learn at a fifth of it."""
    drop: float = knob(0, 1)
    """Share of a text's tokens hidden from the layer at each step, so that no single one decides."""
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
    """Rows per forward pass and process (with several processes at most); `batch_size` is reached by accumulating gradients."""
    learning_rate: float = knob(0)
    """Peak learning rate; the main dial."""
    muon_learning_rate: float | None = knob(0)
    """Peak learning rate of the matrices inside the layers, which then learn with Muon; `learning_rate` is that of the token
    vectors, the output and the norms. null: AdamW for all, as FSDP needs it."""
    adam_epsilon: float = knob(1e-12)
    """AdamW's epsilon. Gradients much smaller than it move a weight less than the learning rate: with the library's 1e-8 the
    output vector of a rare word piece, pushed away a little at every step, drifts until the piece cannot be copied any more."""
    warmup: float = knob(0, 1)
    """Share of the steps over which the learning rate rises."""
    decay: float = knob(0, 1)
    """Share of the steps, the last ones, over which the learning rate falls to 0 in a straight line; in between it stays."""
    weight_decay: float = knob(0)
    """Weight decay."""
    max_grad_norm: float = knob(0)
    """Gradients are scaled down to this norm."""
    descriptions: float = knob(0, 1)
    """Share of rows whose description in brackets is learned too. The code decides everything and is one token; the
    description, many tokens, follows from it and is appended when decoding under the code table."""
    chop: float = knob(0, 1)
    """Probability that a word of the narrative is tokenized in two pieces (subword regularisation), here and where the answer
    quotes it. Pieces that are rare otherwise are then quoted too, and so learned."""
    echo: int = knob(0)
    """Narratives that the model also learns to repeat, so that it can quote: answers alone make it forget how to copy."""
    max_length: int = knob(16)
    """Longest row in tokens. A longer row stops the stage: nothing is ever cut silently."""
    save_steps: int = knob(1)
    """Steps between checkpoints (outside the outputs; used only to go on after an interruption)."""
    patience: int = knob(0)
    """Checkpoints in a row without a better validation loss after which training stops and goes back to the best one; 0 trains
    to the end."""
    report_to: tuple[str, ...] = knob()
    """Experiment trackers that get every step: `wandb`, `mlflow`, `tensorboard`, each an extra of the package. Empty: none, and
    nothing leaves the machine."""


@dataclass(frozen=True, slots=True)
class Stage1Params(SFTParams):
    """Stage 1: answer only."""

    section: ClassVar[str] = "stage1"


@dataclass(frozen=True, slots=True)
class Stage2Params(SFTParams):
    """Stage 2: reasoning, then the answer."""

    section: ClassVar[str] = "stage2"

    replay: int = knob(0)
    """Stage-1 examples (answers without reasoning) mixed in, so that the model keeps both ways of answering."""


@dataclass(frozen=True, slots=True)
class Stage3Params:
    """Stage 3: direct preference optimisation with TRL's DPOTrainer."""

    section: ClassVar[str] = "stage3"

    precision: str = knob(choices=("auto", "bf16", "fp32"))
    """Arithmetic of the matrix products. `auto`: bfloat16 where the processor has it, else float32."""
    epochs: float = knob(0)
    """Passes over the pairs."""
    batch_size: int = knob(1)
    """Pairs per optimizer step, over all processes."""
    micro_batch: int = knob(1)
    """Pairs per forward pass and process (with several processes at most)."""
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
    origins: tuple[str, ...] = knob(choices=("own", "completed", "mended", "built", "uncoded"))
    """Which pairs are trained on: `own` (both sides sampled), `completed` (built trace against a sample that names codes, but
    fewer), `mended` (built trace against another sample), `built` (against a built negative), `uncoded` (the same of a text
    without a code). With `completed` the model names several codes more often, also where there is one, and less of its
    reasoning holds; without `uncoded` it codes texts that have no code."""
    max_grad_norm: float = knob(0)
    """Gradients are scaled down to this norm."""
    max_length: int = knob(16)
    """Longest prompt with completion, in tokens; a longer one stops the stage."""
    save_steps: int = knob(1)
    """Steps between checkpoints."""
    patience: int = knob(0)
    """Checkpoints in a row without a better validation loss after which training stops and goes back to the best one; 0 trains
    to the end."""
    rlvr_steps: int = knob(0)
    """Steps of reinforcement learning (TRL's GRPOTrainer) after preference tuning: a completion is rewarded with 1 where it is
    right, true in every part and finished, else with 0. 0: none. One process only."""
    rlvr_prompts: int = knob(1)
    """Training prompts per step of that."""
    rlvr_samples: int = knob(2)
    """Completions per prompt, rewarded against each other."""
    rlvr_learning_rate: float = knob(0)
    """Its learning rate, the same at every step."""
    rlvr_temperature: float = knob(0.1, 3)
    """Its sampling temperature."""
    rlvr_max_new_tokens: int = knob(8)
    """Longest completion in tokens; a longer one is cut and not rewarded."""
    report_to: tuple[str, ...] = knob()
    """Experiment trackers that get every step: `wandb`, `mlflow`, `tensorboard`, each an extra of the package. Empty: none, and
    nothing leaves the machine."""
