"""How torch runs: a fixed number of threads, deterministic kernels, and the precision the processor is good at."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings

import datasets
import torch
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from thce.errors import UserError


def start(threads: int, seed: int) -> None:
    """Prepare the process for a run whose bytes can be repeated.

    The number of threads is a parameter, not the number of cores: sums split over other threads have other last bits.
    Uninitialised memory is not filled (deterministic mode's default): no operation here reads it, and filling it more than
    doubles the time of a small model.
    """
    quiet()
    keep_memory()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    set_seed(seed % 2**32)


def keep_memory() -> None:
    """Let glibc keep freed memory for the next step: giving tens of megabytes back and asking for them again, thousands of
    times, takes an eighth of a small model's training. Elsewhere than on Linux nothing happens."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def device() -> torch.device:
    """The first CUDA device where there is one, else the CPU."""
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def main_process() -> bool:
    """Whether this process writes: the only one, or the first of those a launcher started."""
    return int(os.environ.get("RANK", "0")) == 0


def use_bf16(precision: str) -> bool:
    """Whether to compute in bfloat16. `auto` says yes where the hardware has it: elsewhere it is emulated and slower.
    Any other word than `auto`, `bf16` and `fp32` is an error (`UserError`)."""
    if precision not in ("auto", "bf16", "fp32"):
        raise UserError("precision", f"`{precision}` is unknown", "use auto, bf16 or fp32")
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def quiet() -> None:
    """Only warnings that matter reach the log; bars belong to a terminal."""
    transformers_logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    datasets.disable_progress_bars()
    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()
        os.environ["TQDM_DISABLE"] = "1"
