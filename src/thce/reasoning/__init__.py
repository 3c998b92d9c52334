"""Reasoning that a program can check: build a grounded trace, verify any trace, make hard negatives."""

from __future__ import annotations

from thce.reasoning.build import answer, completion, grade, trace
from thce.reasoning.verify import PARTS, Claim, Verdict, verify

__all__ = ["PARTS", "Claim", "Verdict", "answer", "completion", "grade", "trace", "verify"]
