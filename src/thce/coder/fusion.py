"""Model and prior as one distribution over codes, and a confidence that means probability of being right.

Fused log-probability = sum of weight x log-probability over the sources, plus a bias for "no code", normalised. Weights
are fitted on validation by maximum likelihood, so they are temperatures too; the confidence of the winner is then
mapped through a curve fitted on rows the weights were not fitted on, one curve for each ground the answer stands on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thce.coder.prior import log_total
from thce.errors import UserError
from thce.files import read_json

SETTINGS = "coder.json"
MODEL, DIRECT, PRIOR, CLAUSES, LOOKUP = "model", "direct", "prior", "clauses", "lookup"
"""Sources: the answer after the reasoning (or without one), the answer without reasoning beside it, the lexical prior of
the whole text, that of its single clauses, the known wordings."""

MODES = ("think", "direct")
"""`think`: the model reasons before it answers (`coder.reason_first`); `direct`: it answers at once."""

NAMED, UNNAMED, EMPTY = "named", "unnamed", "empty"
"""What an answer stands on: a known wording names its code; none does; it is "no code"."""

Floats = NDArray[np.float64]
Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Fusion:
    """What was fitted for one way of answering.

    `weights`: source -> weight, sources without a weight take no part; `none_bias` is added to "no code"; `curve`:
    pairs (fused probability, confidence), rising, empty for none; `threshold`: least confidence of an answer that needs
    no review; `grounds`: a curve for each ground an answer may stand on, where `curve` is not used; `thresholds`: the
    same for `threshold`.
    """

    weights: Mapping[str, float]
    none_bias: float
    curve: Curve
    threshold: float
    grounds: Mapping[str, Curve] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def fuse(self, sources: Mapping[str, Floats]) -> Floats:
        """Normalised log-probabilities; each source is [..., codes] with "no code" last. A missing source counts as
        flat.
        """
        return combine(sources, self.weights, self.none_bias)

    def confidence(self, probability: float, ground: str = "") -> float:
        """The calibrated probability of being right, for an answer that stands on `ground`."""
        curve = self.grounds.get(ground, self.curve)
        if not curve:
            return float(probability)
        at, value = zip(*curve, strict=True)
        return float(np.interp(probability, at, value))

    def least(self, ground: str) -> float:
        """The least confidence from which an answer that stands on `ground` needs no review."""
        return self.thresholds.get(ground, self.threshold)


ALONE = Fusion({MODEL: 1.0}, 0.0, (), 0.0)
"""The model by itself, as it is: nothing fitted, nothing sent to review."""


def ground(winner: int, labels: int, named: bool) -> str:
    """What the answer `winner` of `labels` (the last is "no code") stands on; `named`: a trusted wording names it."""
    return EMPTY if winner == labels - 1 else NAMED if named else UNNAMED


def combine(sources: Mapping[str, Floats], weights: Mapping[str, float], none_bias: float) -> Floats:
    """Weighted sum of log-probabilities, normalised over the last axis."""
    total: Floats = np.zeros(())
    for name in sorted(weights):
        if name in sources and weights[name]:
            total = total + weights[name] * sources[name]
    total = np.array(np.broadcast_to(total, next(iter(sources.values())).shape))
    total[..., -1] += none_bias
    return total - log_total(total)


def highest(scores: Floats, count: int) -> NDArray[np.int64]:
    """The places of the `count` highest scores [codes], the highest first; of equal ones the first."""
    least = np.partition(scores, -count)[-count] if count < len(scores) else -np.inf
    found = np.flatnonzero(scores >= least)
    return found[np.argsort(-scores[found], kind="stable")[:count]]


def load(folder: Path | str) -> dict[str, Any]:
    """`coder.json` as the stage `calibrate` wrote it: `params`, and a `Fusion` for each of `MODES` it has fitted.
    Raises `UserError` where it is missing or incomplete."""
    path = Path(folder) / SETTINGS
    if not path.is_file():
        raise UserError(str(folder), "the coder is not calibrated yet", "run `make repro` (or `dvc repro calibrate`) first")
    stored = read_json(path)
    with complete(path):
        result: dict[str, Any] = {"params": stored["params"]}
        for mode in (mode for mode in MODES if mode in stored):
            part = stored[mode]
            grounds = {name: _curve(points) for name, points in part["grounds"].items()}
            result[mode] = Fusion(
                part["weights"], part["none_bias"], _curve(part["curve"]), part["threshold"], grounds, part["thresholds"]
            )
    return result


@contextmanager
def complete(path: Path) -> Iterator[None]:
    """Around the reading of `coder.json`: a key that is missing, as in a file of an earlier version, is a `UserError`."""
    try:
        yield
    except KeyError as error:
        raise UserError(str(path), f"lacks `{error.args[0]}`", "run `dvc repro calibrate`") from None


def _curve(points: Sequence[Sequence[float]]) -> Curve:
    return tuple((float(at), float(value)) for at, value in points)
