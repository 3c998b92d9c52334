"""Log-probabilities of completion tokens for TRL's trainers, computed where they are needed.

TRL 1.16 asks a model for the log-probability of each label and for figures it logs. Without a GPU its own head (a Triton
kernel elsewhere) projects every position onto the vocabulary, prompt and padding included, computes the projection a second
time in the backward pass, and goes over every logit more than twenty times. Here the supervised positions alone are projected,
once; their logits are kept until the backward pass, as in any training.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from trl.trainer.utils import FusedCausalLMOutput

from thce.modeling.loss import IGNORED


def add_head(model: Any, temperature: float = 1.0, outputs: tuple[str, ...] = ("log_probs",), **_: Any) -> None:
    """In place of TRL's `add_fused_lm_head`: `model(..., labels=labels, fused_lm_head=True)` gives per-token figures, [batch,
    length - 1], 0 where the label is -100. Of the figures `log_probs` alone has a gradient."""
    before = model.forward

    @functools.wraps(type(model).forward)
    def forward(self: Any, *arguments: Any, fused_lm_head: bool = False, labels: Tensor | None = None, **named: Any) -> Any:
        if not fused_lm_head or labels is None:
            return before(*arguments, **named, **({} if labels is None else {"labels": labels}))
        hidden = self.base_model(*arguments, **(named | {"use_cache": False})).last_hidden_state[:, :-1]
        labels = labels[:, 1:]
        mask = labels != IGNORED
        logits = self.get_output_embeddings()(hidden[mask]).float() / temperature
        found = figures(logits, labels[mask], outputs)
        # scattering keeps the result tied to the model even where no label counts
        spread = {name: value.new_zeros(mask.shape).masked_scatter(mask, value) for name, value in found.items()}
        return FusedCausalLMOutput(loss=-found["log_probs"].sum() / mask.sum().clamp(min=1), label_mask=mask, **spread)

    model.forward = types.MethodType(forward, model)


def figures(logits: Tensor, labels: Tensor, outputs: tuple[str, ...]) -> dict[str, Tensor]:
    """Of logits [n, vocabulary] and labels [n]: `log_probs`, and what else of `entropy` (nats), `mean_logits` and `is_top1` is
    among `outputs`, each [n]."""
    spread = logits.log_softmax(dim=-1)
    found = {"log_probs": spread.gather(-1, labels[:, None]).squeeze(-1)}
    with torch.no_grad():
        if "entropy" in outputs:
            found["entropy"] = -torch.linalg.vecdot(spread.exp(), spread)
        if "mean_logits" in outputs:
            found["mean_logits"] = logits.mean(dim=-1)
        if "is_top1" in outputs:
            found["is_top1"] = logits.argmax(dim=-1) == labels
    return found


@contextmanager
def own_head(module: Any) -> Iterator[None]:
    """While a trainer of TRL's `module` is made, its models get this head; with a GPU TRL's own."""
    before = module.add_fused_lm_head
    if not torch.cuda.is_available():
        module.add_fused_lm_head = add_head
    try:
        yield
    finally:
        module.add_fused_lm_head = before
