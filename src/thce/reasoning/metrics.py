"""Faithfulness over many verdicts: the rate, its parts, and what fails most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from thce.reasoning.verify import PARTS, UNSUPPORTED, Verdict


def faithfulness(verdicts: Sequence[Verdict], correct: Sequence[bool] | None = None) -> dict[str, Any]:
    """Shares between 0 and 1 over `n` verdicts; None where `n` is 0.

    `faithful`: all parts hold; one rate per part of `PARTS`; `score`: mean score; `claims`: bullets judged, and
    `claims_supported` the share of them that is not contradicted; `unsupported`: kind of claim -> how many failed. With
    `correct` (per verdict, whether the answer was right) also `faithful_and_correct` and `faithful_but_wrong`.
    Raises ValueError if verdicts and marks differ in number.
    """
    count = len(verdicts)
    claims = [claim for verdict in verdicts for claim in verdict.claims]
    failed = Counter(claim.kind for claim in claims if claim.status == UNSUPPORTED)
    result: dict[str, Any] = {
        "n": count,
        "faithful": _share(sum(verdict.faithful for verdict in verdicts), count),
        "score": _share(sum(verdict.score for verdict in verdicts), count),
        "claims": len(claims),
        "claims_supported": _share(len(claims) - sum(failed.values()), len(claims)),
        "unsupported": dict(sorted(failed.items())),
    }
    for number, part in enumerate(PARTS):
        result[part] = _share(sum(verdict.parts[number] for verdict in verdicts), count)
    if correct is not None:
        if len(correct) != count:
            raise ValueError(f"{count} verdicts but {len(correct)} marks")
        both = sum(verdict.faithful and right for verdict, right in zip(verdicts, correct, strict=True))
        result["faithful_and_correct"] = _share(both, count)
        result["faithful_but_wrong"] = _share(sum(verdict.faithful for verdict in verdicts) - both, count)
    return result


def reasons(verdicts: Sequence[Verdict], limit: int = 10) -> list[dict[str, Any]]:
    """The commonest (kind, reason) pairs of unsupported claims, with how often; codes in a reason are not told
    apart.
    """
    found = Counter(
        (claim.kind, " ".join("…" if any(map(str.isdigit, word)) else word for word in claim.reason.split()))
        for verdict in verdicts
        for claim in verdict.claims
        if claim.status == UNSUPPORTED
    )
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [{"kind": kind, "reason": reason, "count": count} for (kind, reason), count in ranked]


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
