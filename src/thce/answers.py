"""The answer format: how codes are written, and how any text a model produces is read back.

    <think>
    - ...
    </think>
    ICD10: J20.9 (Acute bronchitis, unspecified)

Reading is strict on purpose: only what follows the last `</think>` counts, every line there must be an answer line, and
what cannot be read is wrong. A code inside the reasoning is never an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

CODE_TYPES = ("ICD10", "CPT", "HCPCS")
THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"
NONE_ANSWER = "NONE: (no code supported by the text)"

_LINE = re.compile(r"(ICD10|CPT|HCPCS): ([A-Z0-9][A-Z0-9.]{2,8}) \((.{1,400})\)")
_LIMIT = 100_000  # characters of a completion that are looked at; a longer one is not an answer


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A code with the set it belongs to, e.g. `Code("ICD10", "J20.9")`."""

    code_type: str
    code: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a completion says.

    `reasoning` is the text between the first `<think>` and the last `</think>` (None without a closed pair); `codes` and
    `descriptions` run in parallel; `none` marks an explicit "no code"; `well_formed` means that the part after the reasoning
    is answer lines and nothing else, without a code twice.
    """

    reasoning: str | None
    codes: tuple[Code, ...]
    descriptions: tuple[str, ...]
    none: bool
    well_formed: bool


def format_answer(codes: Sequence[tuple[str, str, str]]) -> str:
    """Answer lines for (code type, code, description) triples, most important first; without codes the explicit NONE line."""
    if not codes:
        return NONE_ANSWER
    return "\n".join(f"{code_type}: {code} ({description})" for code_type, code, description in codes)


def format_completion(reasoning: str | None, answer: str) -> str:
    """The assistant's whole text: the answer alone, or reasoning between think tags before it."""
    if reasoning is None:
        return answer
    return f"{THINK_OPEN}\n{reasoning}\n{THINK_CLOSE}\n{answer}"


def parse(text: str) -> Parsed:
    """Read a completion; never raises, and never finds a code where the format is broken."""
    nothing = Parsed(None, (), (), False, False)
    if len(text) > _LIMIT:
        return nothing
    head, closed, tail = text.rpartition(THINK_CLOSE)
    reasoning: str | None = None
    if closed:
        before, opened, inner = head.partition(THINK_OPEN)
        if not opened or before.strip():
            return nothing
        reasoning = inner.strip()
    elif THINK_OPEN in text:
        return nothing
    body = tail.strip()
    if body == NONE_ANSWER:
        return Parsed(reasoning, (), (), True, True)
    codes: list[Code] = []
    descriptions: list[str] = []
    for line in body.split("\n"):
        match = _LINE.fullmatch(line.rstrip())
        if not match:
            return Parsed(reasoning, (), (), False, False)
        codes.append(Code(match[1], match[2]))
        descriptions.append(match[3])
    if len(set(codes)) != len(codes):
        return Parsed(reasoning, (), (), False, False)
    return Parsed(reasoning, tuple(codes), tuple(descriptions), False, True)
