"""The `baselines` and `evaluate` sections of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thce.settings.knob import knob
from thce.settings.narratives import TESTS


@dataclass(frozen=True, slots=True)
class MajorityParams:
    """The code most frequent in training, whatever the text says."""

    enabled: bool = knob()
    """Whether this baseline runs."""


@dataclass(frozen=True, slots=True)
class PhraseParams:
    """Training phrases looked up in the text: `longest_phrase` answers the longest, `every_phrase` all that do not overlap."""

    enabled: bool = knob()
    """Whether these two baselines run."""
    min_characters: int = knob(1)
    """Shorter phrases are not looked up."""


@dataclass(frozen=True, slots=True)
class BM25Params:
    """Okapi BM25 over one document per code: its training phrases and its title."""

    enabled: bool = knob()
    """Whether this baseline runs."""
    k1: float = knob(0, 10)
    """How fast a repeated word stops to count."""
    b: float = knob(0, 1)
    """How much long documents are held back."""


@dataclass(frozen=True, slots=True)
class SVMParams:
    """TF-IDF with a linear support vector machine, one class per code and one for "no code"."""

    enabled: bool = knob()
    """Whether this baseline runs."""
    c: float = knob(0.001, 1000)
    """Inverse strength of the regularisation."""
    ngrams: int = knob(1, 3)
    """Longest run of words that is a feature."""
    min_df: int = knob(1)
    """A feature must occur in this many training narratives."""
    tolerance: float = knob(0.0001, 1)
    """The solver of a class stops when its criterion changes by less."""
    max_iter: int = knob(1)
    """At most this many passes of the solver per class."""


@dataclass(frozen=True, slots=True)
class NeighbourParams:
    """The answer of the most similar training narratives (TF-IDF cosine)."""

    enabled: bool = knob()
    """Whether this baseline runs."""
    k: int = knob(1, 100)
    """How many neighbours vote, weighted by their similarity."""


@dataclass(frozen=True, slots=True)
class BaselinesParams:
    """What the models must beat: simple methods fitted on the same training rows."""

    section: ClassVar[str] = "baselines"

    majority: MajorityParams = knob()
    phrase: PhraseParams = knob()
    bm25: BM25Params = knob()
    svm: SVMParams = knob()
    neighbour: NeighbourParams = knob()


@dataclass(frozen=True, slots=True)
class EvaluateParams:
    """Which test rows each way of answering gets, and how the numbers are made. 0 rows: all of them."""

    section: ClassVar[str] = "evaluate"

    test_sets: tuple[str, ...] = knob(choices=TESTS)
    """Names of the files data/prepared/test_<name>.jsonl."""
    free_rows: int = knob(0)
    """Rows of each test set answered without constraints, per stage (validity, reasoning, stopping); the dearest pass."""
    constrained_rows: int = knob(0)
    """Rows of each test set answered under the code table, per stage."""
    system_rows: int = knob(0)
    """Rows of each test set answered by the whole system (model and retriever, calibrated)."""
    think_rows: int = knob(0)
    """Rows of each test set for which stage 3 also answers without reasoning (what the reasoning is worth)."""
    influence_rows: int = knob(0)
    """Rows of the sets known and unseen_phrase asked again with evidence deleted, with it alone, and with a foreign
    trace; here 0 means none.
    """
    batch_size: int = knob(1)
    """Narratives answered at once."""
    max_new_tokens: int = knob(8)
    """Longest completion in tokens; longer ones are cut and count as not stopped."""
    resamples: int = knob(100)
    """Bootstrap resamples behind every interval and paired test."""
    bins: int = knob(2, 50)
    """Bins of the calibration error."""
    precision: float = knob(0.5, 1)
    """The precision at which coverage is read off."""
    examples: int = knob(0, 20)
    """Examples shown per kind of error; only synthetic narratives are ever shown."""
