"""TRL's trainers: the supervised loss computed where it is needed, and no step taken on a loss that is not a number."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import PreTrainedModel
from trl import DPOTrainer, SFTTrainer

from thce.errors import UserError
from thce.modeling.loss import IGNORED, cross_entropy, places
from thce.modeling.muon import muon


def diverged(stage: str, what: str) -> UserError:
    """The error of a run that came to a value that is not a number."""
    return UserError(
        f"params.yaml: {stage}.learning_rate",
        f"{what}, nothing was written",
        f"lower it or {stage}.max_grad_norm; if {stage}.precision is bf16, try fp32",
    )


class Finite:
    """Stops a run at the first loss that is not a number. By default the library logs the last good mean and goes on."""

    stage = "training"
    """Section of params.yaml the error points to."""

    def training_step(self, *arguments: Any, **named: Any) -> Tensor:
        loss: Tensor = super().training_step(*arguments, **named)  # type: ignore[misc]
        value = float(loss)
        if not math.isfinite(value):
            raise diverged(self.stage, f"the loss is {value} at step {self.state.global_step + 1}")  # type: ignore[attr-defined]
        return loss


class PreferenceTrainer(Finite, DPOTrainer):
    """The trainer of stage 3."""


class SupervisedTrainer(Finite, SFTTrainer):
    """The trainer of stages `base`, 1 and 2. The loss is TRL's (mean negative log-likelihood of the supervised tokens).

    Without a GPU, TRL 1.16 projects every position onto the vocabulary and masks what is not supervised afterwards. With a
    prompt of fifty tokens and an answer of ten, that is half of a small model's arithmetic. Here those positions are
    dropped first, and the loss is `thce.modeling.loss`. With `muon_learning_rate` the matrices inside the layers learn with
    Muon.
    """

    def __init__(self, *arguments: Any, muon_learning_rate: float | None = None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.muon_learning_rate = muon_learning_rate

    def create_optimizer(self, model: nn.Module | None = None) -> Optimizer:
        """The library's, or Muon and AdamW where a rate for Muon is given; `UserError` where FSDP shares the matrices out."""
        if self.muon_learning_rate is None or self.optimizer is not None:
            made: Optimizer = super().create_optimizer(model)
            return made
        if self.is_fsdp_enabled:
            raise UserError(
                f"params.yaml: {self.stage}.muon_learning_rate",
                "Muon needs whole matrices, and FSDP deals them out in parts",
                "set it to null",
            )
        whole: Any = self.model if model is None else model
        _, adam = self.get_optimizer_cls_and_kwargs(self.args, whole)
        decayed = set(self.get_decay_parameter_names(whole))
        self.optimizer = muon(
            whole, self.muon_learning_rate, self.args.weight_decay, others=adam.pop("lr"), decayed=decayed, **adam
        )
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        # wrapped for several processes: the wrapper must see the whole pass
        if self.accelerator.num_processes > 1 or not isinstance(model, PreTrainedModel):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:].flatten()
        asked, wanted = places(labels)
        whole: Any = model
        with self.accelerator.autocast():  # the model's own forward, which would enter it, is not called
            passed = whole.base_model(inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
            logits = whole.get_output_embeddings()(passed.last_hidden_state[:, :-1].flatten(0, 1)[asked])
        count = (labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        loss = cross_entropy(logits, wanted) / torch.as_tensor(count).clamp(min=1)
        return (loss, {"logits": logits}) if return_outputs else loss
