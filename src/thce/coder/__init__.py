"""Narrative in, codes out: constrained decoding, a lexical prior, calibrated confidence, and evidence.

coder = thce.coder.Coder.load("models/stage3", thce.codes.open(), "models/coder")
coder.code(["Patient reports a productive cough and fever, consistent with acute bronchitis."])
"""

from __future__ import annotations

from typing import Any

__all__ = ["CodedItem", "Coder", "Evidence", "Options", "Prediction"]


def __getattr__(name: str) -> Any:
    """The public names, from the module that needs torch only when one is asked for."""
    if name not in __all__:
        raise AttributeError(name)
    from thce.coder import coder

    return getattr(coder, name)
