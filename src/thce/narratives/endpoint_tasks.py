"""What a large model is asked for: one note for one code per request, in turn over all codes in scope.

A prompt holds code, title and inclusion terms, and nothing from any patient or from the phrasebook: phrases held out
for the tests must not come back as training text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thce.codes.book import CodeBook, Entry
from thce.errors import UserError
from thce.narratives.confusables import neighbours
from thce.reasoning import trace
from thce.seeds import derive

STAGES = (1, 2, 3)
KINDS = {
    "ed": "an emergency department triage note",
    "clinic": "an outpatient clinic note",
    "discharge": "the hospital course or diagnosis line of a discharge summary",
    "consult": "a consultant's reply",
    "problem_list": "an entry of a problem list",
    "phone": "a telephone note",
    "message": "a message the patient wrote, in lay words",
    "order": "an order or prescription",
    "claim": "a line of a claim or price list",
}
_FOR_SERVICES = ("clinic", "discharge", "order", "claim", "phone")
_STYLES = (
    "Use the abbreviations that physicians use.",
    "Write full sentences.",
    "Write in telegram style, without articles.",
    "Mention one other condition that is denied or runs in the family.",
    "Add vital signs or an unremarkable finding.",
    "Describe the condition by its findings, without its textbook name, as long as the code stays certain.",
    "Use everyday words instead of textbook terms.",
)
SYSTEM = (
    "You write short clinical notes that train a medical coding model. The notes are invented: no real person, no "
    "name, no "
    "date of day and month, no telephone number, no record number. You answer with one JSON object and nothing else."
)
MAX_WORDS = 80
_PER_TOKEN = 4.0
"""Characters of English text per token, for estimates before any reply has been counted."""
TYPICAL_REPLY = {1: 90, 2: 190, 3: 280}
"""Tokens of a usual reply per stage, for the same estimates."""


@dataclass(frozen=True, slots=True)
class Task:
    """One request: the code its note must support, for stage 3 the code of the rejected side, and the prompt."""

    number: int
    stage: int
    code_type: str
    code: str
    other: str
    kind: str
    messages: tuple[dict[str, str], ...]
    seed: int


def tasks(stage: int, count: int, seed: int, book: CodeBook) -> Iterator[Task]:
    """The first `count` tasks of a stage; a larger count begins with the same ones.

    Codes come in an order fixed by the seed, each once per round; for stage 3 only codes with a near neighbour.
    Any other stage than 1, 2 and 3 is an error (`UserError`).
    """
    if stage not in STAGES:
        raise UserError("--stage", f"`{stage}` is unknown", "use 1, 2 or 3")
    near = neighbours(book, limit=1) if stage == 3 else {}
    entries = [entry for entry in book.scope if stage != 3 or near[entry.code_type, entry.code]]
    entries.sort(key=lambda entry: derive(seed, "generate", entry.code_type, entry.code))
    for number in range(count):
        entry = entries[number % len(entries)]
        round_number = number // len(entries)
        draw = derive(seed, "generate", stage, round_number, entry.code_type, entry.code)
        kinds = tuple(KINDS) if entry.code_type == "ICD10" else _FOR_SERVICES
        kind = kinds[draw % len(kinds)]
        style = _STYLES[draw // 97 % len(_STYLES)]
        other = near[entry.code_type, entry.code][0].code if stage == 3 else ""
        prompt = _prompt(stage, entry, other, kind, style, book, seed)
        messages = ({"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt})
        yield Task(number, stage, entry.code_type, entry.code, other, kind, messages, draw % 2**31)


def _prompt(stage: int, entry: Entry, other: str, kind: str, style: str, book: CodeBook, seed: int) -> str:
    terms = book.terms(entry.code_type, entry.code)[:6]
    lines = [
        f"Code: {entry.code_type} {entry.code} ({entry.title})",
        *([f"The code includes: {'; '.join(terms)}"] if terms else []),
        f"Write {KINDS[kind]} of at most {MAX_WORDS} words that supports this code and no other. {style}",
        "Do not write the code itself or its official title word for word.",
        'Keys of the JSON object: "narrative": the note; "evidence": the words of the note that support the code, '
        "copied exactly",
    ]
    if stage >= 2:
        lines[-1] += '; "reasoning": the lines that lead from the evidence to the code, each beginning with "- "'
        lines += [
            "The reasoning has this form; put your evidence in place of the quoted words, keep the placement, and "
            "leave out what your note does not support:",
            _example(entry, book, seed),
        ]
    if stage == 3:
        wrong = book.find(entry.code_type, other)
        assert wrong is not None
        lines += [
            f'One more key: "rejected": reasoning in the same form that goes wrong and ends in {other} '
            f"({wrong.short_title}), as a hasty coder would write it:",
            _example(wrong, book, seed),
        ]
    return "\n".join(lines)


def _example(entry: Entry, book: CodeBook, seed: int) -> str:
    """A true trace for a note that names the title: it shows form and placement."""
    start = len("Assessment: ")
    place = {"code_type": entry.code_type, "code": entry.code}
    span: dict[str, Any] = place | {"start": start, "end": start + len(entry.title), "text": entry.title}
    row = {"id": "example", "narrative": f"Assessment: {entry.title}.", "codes": [place], "evidence": [span]}
    return trace(row, book, seed)


def prompt_tokens(task: Task) -> int:
    """About how many tokens the prompt of a task has."""
    return round(sum(len(turn["content"]) for turn in task.messages) / _PER_TOKEN) + 4 * len(task.messages)
