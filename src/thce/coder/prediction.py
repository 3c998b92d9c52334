"""What the coder says of a narrative, and how the pieces of a long one become one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thce.coder.evidence import Evidence
from thce.coder.prior import Pair
from thce.coder.trie import NO_CODE
from thce.codes.findings import Finding

CODED, REVIEW, NONE = "coded", "review", "none"


@dataclass(frozen=True, slots=True)
class CodedItem:
    """One code of a narrative; `confidence` is the calibrated probability that it is right."""

    code_type: str
    code: str
    description: str
    confidence: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the coder says of one narrative.

    `status`: `coded`, `none` (no code is supported), or `review` (a person should look; `codes` are then suggestions).
    `confidence` is that of the least sure code, or of "no code". `alternatives` are (code type, code, probability), most
    probable first; code type `NONE` stands for no code. `findings` are about what the note says beyond the code set. `text` is
    the completion, reasoning included; `new_tokens` its length.
    """

    status: str
    codes: tuple[CodedItem, ...]
    confidence: float
    reasoning: str | None
    alternatives: tuple[tuple[str, str, float], ...]
    findings: tuple[Finding, ...]
    text: str
    new_tokens: int


def merge(parts: Sequence[Prediction], top_k: int) -> Prediction:
    """The predictions for the windows of one narrative as one: every code once, the surest first. A window that needs review
    makes the whole need it; where others have codes, one without counts for nothing but its findings."""
    if len(parts) == 1:
        return parts[0]
    best: dict[Pair, CodedItem] = {}
    for item in (item for part in parts for item in part.codes):
        pair = (item.code_type, item.code)
        known = best.get(pair)
        if known is None:
            best[pair] = item
        else:
            spans = tuple(sorted({*known.evidence, *item.evidence}, key=lambda span: (span.start, span.end)))
            best[pair] = CodedItem(*pair, item.description, max(known.confidence, item.confidence), spans)
    items = tuple(sorted(best.values(), key=lambda item: -item.confidence))
    confidence = min(item.confidence for item in items) if items else min(part.confidence for part in parts)
    top: dict[Pair, float] = {}
    for code_type, code, probability in (entry for part in parts for entry in part.alternatives):
        if not items or code_type != NO_CODE[0]:
            top[code_type, code] = max(top.get((code_type, code), 0.0), probability)
    ranked = sorted(top, key=lambda pair: -top[pair])[:top_k]
    traces = [part.reasoning for part in parts if part.reasoning is not None]
    asked = [part.status for part in parts if part.codes or not items]
    return Prediction(
        REVIEW if REVIEW in asked or (items and any(part.findings for part in parts)) else CODED if items else NONE,
        items,
        confidence,
        "\n".join(traces) if traces else None,
        tuple((*pair, top[pair]) for pair in ranked),
        tuple({(finding.rule_id, finding.codes): finding for part in parts for finding in part.findings}.values()),
        "\n\n".join(part.text for part in parts),
        sum(part.new_tokens for part in parts),
    )
