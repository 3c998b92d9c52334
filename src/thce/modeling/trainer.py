"""TRL's SFTTrainer with its loss computed where it is needed: at the supervised tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from trl import SFTTrainer


class SupervisedTrainer(SFTTrainer):
    """The trainer of stages `base`, 1 and 2. The loss is TRL's (mean negative log-likelihood of the supervised tokens).

    Without a GPU, TRL 1.16 projects every position onto the vocabulary and masks what is not supervised afterwards. With a
    prompt of fifty tokens and an answer of ten, that is half of a small model's arithmetic. Here those positions are
    dropped first.
    """

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        if not isinstance(model, PreTrainedModel):  # wrapped for several processes: the wrapper must see the whole pass
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        wanted = labels != -100
        whole: Any = model
        with self.accelerator.autocast():  # the model's own forward, which would enter it, is not called
            passed = whole.base_model(inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
            logits = whole.get_output_embeddings()(passed.last_hidden_state[:, :-1][wanted])
        count = wanted.sum() if num_items_in_batch is None else num_items_in_batch
        loss = functional.cross_entropy(logits.float(), labels[wanted], reduction="sum") / torch.as_tensor(count).clamp(min=1)
        return (loss, {"logits": logits}) if return_outputs else loss
