"""The loss of supervised training, over the places that count and no others, in shapes that come again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100
STRIDE = 128
"""Places are filled up to a multiple of this. On a processor every new number of rows costs a kernel for each of the products
that has it: with the number of supervised tokens as it falls, those of the output are made anew at nearly every step."""


def places(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Where `labels` [n] count, and the labels there; both [m], m a multiple of `STRIDE`, filled up with a place that is
    ignored."""
    found = (labels != IGNORED).nonzero()[:, 0]
    count = len(found)
    found = functional.pad(found, (0, -count % STRIDE))
    wanted = labels[found]
    wanted[count:] = IGNORED
    return found, wanted


class CrossEntropy(torch.autograd.Function):
    """Sum of the negative log-likelihoods, in nats, of labels [n] under logits [n, vocabulary]; 0 where a label is -100.

    The same as torch's, in float32 whatever the logits' precision, but the gradient is made of the exponentials the loss
    needed, in their place: half of the time, and of the memory, where the vocabulary is wide and the model small.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        counts = labels != IGNORED
        chosen = labels.clamp(min=0)[:, None]
        shares = logits.to(torch.float32, copy=True)
        highest = shares.amax(1, keepdim=True)
        given = shares.gather(1, chosen)
        total = shares.sub_(highest).exp_().sum(1, keepdim=True)
        ctx.save_for_backward(shares, total, chosen, counts)
        ctx.precision = logits.dtype
        return ((total.log() + highest - given)[:, 0] * counts).sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        shares, total, chosen, counts = ctx.saved_tensors
        size = counts[:, None] * grads[0]
        shares.mul_(size / total).scatter_add_(1, chosen, -size)
        return shares.to(ctx.precision), None


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """`CrossEntropy` of logits [n, vocabulary] and labels [n]; its gradient can be taken once."""
    loss: Tensor = CrossEntropy.apply(logits, labels)  # type: ignore[no-untyped-call]
    return loss
