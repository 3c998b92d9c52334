"""Muon for the matrices inside the layers and AdamW for everything else, as one optimizer.

Muon makes every update of a matrix orthogonal, so that it moves in all directions alike; token vectors, the output and the
norms are not matrices in that sense (Jordan et al. 2024, "Muon: an optimizer for hidden layers"). The steps are scaled as
AdamW's are (Liu et al. 2025, "Muon is scalable for LLM training"), so learning rates of the same size suit both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedModel


class Stacked(Muon):
    """torch's Muon with AdamW's scale, all matrices of one shape made orthogonal together: for small ones, whose products are
    over before the next is called for, that takes a quarter of the time."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step of all matrices that have a gradient."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[Parameter]] = {}
            for one in group["params"]:
                if one.grad is not None:
                    alike.setdefault((min(one.shape), max(one.shape)), []).append(one)
            for (_, longer), some in alike.items():
                size = group["lr"] * 0.2 * math.sqrt(longer)
                for one, update in zip(some, _orthogonal([self._wanted(one, group) for one in some], group), strict=True):
                    one.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-size)
        return loss

    def _wanted(self, one: Parameter, group: dict[str, Any]) -> Tensor:
        """The gradient after momentum."""
        assert one.grad is not None
        state = self.state[one]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(one)
        mean: Tensor = state["momentum_buffer"].lerp_(one.grad, 1 - group["momentum"])
        return one.grad.lerp(mean, group["momentum"]) if group["nesterov"] else mean


def _orthogonal(wanted: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
    """Near each matrix the orthogonal one, by Newton-Schulz in bfloat16; those that stand upright are laid on their side."""
    upright = [one.shape[0] > one.shape[1] for one in wanted]
    stack = torch.stack([one.mT if turn else one for one, turn in zip(wanted, upright, strict=True)]).bfloat16()
    stack = stack / stack.norm(dim=(1, 2), keepdim=True).clamp(min=group["eps"])
    first, second, third = group["ns_coefficients"]
    for _ in range(group["ns_steps"]):
        square = stack @ stack.mT
        stack = torch.baddbmm(stack, torch.baddbmm(square, square, square, beta=second, alpha=third), stack, beta=first)
    return [one.mT if turn else one for one, turn in zip(stack, upright, strict=True)]


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
        Stacked(inner, lr=learning_rate, weight_decay=weight_decay),
        AdamW([group for group in groups if group["params"]], lr=others, **adam),
    )
