"""Muon for the matrices inside the layers and AdamW for everything else, as one optimizer.

Muon makes every update of a matrix orthogonal, so that it moves in all directions alike; token vectors, the output and the
norms are not matrices in that sense (Jordan et al. 2024, "Muon: an optimizer for hidden layers"). The steps are scaled as
AdamW's are (Liu et al. 2025, "Muon is scalable for LLM training"), so learning rates of the same size suit both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.nn import Parameter
from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedModel


class Joint(Optimizer):
    """Several optimizers that step together; their parameter groups are the groups of this one, so a scheduler sets them."""

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._join()

    def _join(self) -> None:
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step of each."""
        loss = None if closure is None else closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of all, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._join()


def matrices(model: PreTrainedModel) -> list[Parameter]:
    """The trained matrices of a model without the token vectors and the output."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    outside = {id(parameter) for end in ends if end is not None for parameter in end.parameters()}
    return [one for one in model.parameters() if one.ndim == 2 and one.requires_grad and id(one) not in outside]


def muon(
    model: PreTrainedModel, learning_rate: float, weight_decay: float, others: float, decayed: set[str], **adam: Any
) -> Joint:
    """Muon at `learning_rate` for `matrices(model)`, AdamW at the rate `others` and with the arguments `adam` for the rest.
    Weights fall by `weight_decay`; of the rest only those whose names are in `decayed`."""
    inner = matrices(model)
    known = {id(one) for one in inner}
    rest = [(name, one) for name, one in model.named_parameters() if one.requires_grad and id(one) not in known]
    groups = [
        {"params": [one for name, one in rest if name in decayed], "weight_decay": weight_decay},
        {"params": [one for name, one in rest if name not in decayed], "weight_decay": 0.0},
    ]
    return Joint(
        Muon(inner, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        AdamW([group for group in groups if group["params"]], lr=others, **adam),
    )
