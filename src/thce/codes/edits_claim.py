"""Edits on a claim: do these codes stand well together, in this order, for this patient, on this day?

    for finding in edits(book, [("ICD10", "E11.22"), ("ICD10", "N18.31")], age=54):
        print(finding.severity, finding.text, finding.source)

A finding is advice to a coder: it names its rule and where the rule comes from. Only `error` says that the claim is
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from thce.codes.book import TABLES, CodeBook
from thce.codes.checks import check
from thce.codes.edits_lists import EditLists
from thce.codes.edits_references import Matcher, matcher
from thce.codes.findings import Finding
from thce.errors import UserError

SETTINGS = ("outpatient", "inpatient")
SEVERITIES = ("error", "warning", "info")


class Line(NamedTuple):
    """One code of a claim, in its order; `units` and `modifiers` matter for CPT and HCPCS only."""

    code_type: str
    code: str
    units: int = 1
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """What the rules look at. `diagnoses` and `procedures` are the lines whose codes the tables know, in claim
    order."""

    book: CodeBook
    lists: EditLists
    matcher: Matcher
    lines: tuple[Line, ...]
    diagnoses: tuple[str, ...]
    procedures: tuple[Line, ...]
    age: int | None
    setting: str
    day: date | None

    def title(self, code: str) -> str:
        """The official title of a diagnosis, empty for an unknown one."""
        entry = self.book.find("ICD10", code)
        return entry.title if entry else ""


def edits(
    book: CodeBook,
    codes: Iterable[tuple[str, str] | Line],
    age: int | None = None,
    setting: str = "outpatient",
    day: date | None = None,
    lists: EditLists | None = None,
) -> tuple[Finding, ...]:
    """All findings on the codes of one claim, errors first; empty when there is nothing to say.

    `codes` are in claim order: the first ICD-10-CM code is the principal (inpatient) or first-listed (outpatient)
    diagnosis. `age` is in years on the day of service. `lists` are the imported lists, by default those of the folder
    `licensed` beside the book's tables; a rule whose list is not imported does not run.

    Raises `UserError` for an unknown code type or setting, a negative age or fewer than one unit.
    """
    from thce.codes import edits_procedures, edits_rules  # which need the types of this module

    lines = tuple(Line(*item) for item in codes)
    for line in lines:
        if line.code_type not in TABLES:
            raise UserError(repr(line.code_type), "is not a code type", f"use one of {', '.join(TABLES)}")
        if line.units < 1:
            raise UserError(line.code, f"has {line.units} units", "give at least 1")
    if setting not in SETTINGS:
        raise UserError(repr(setting), "is not a setting", f"use one of {', '.join(SETTINGS)}")
    if age is not None and not 0 <= age <= 124:
        raise UserError(f"age {age}", "is not an age in years", "give 0 to 124")
    if lists is None:
        lists = EditLists(book.folder.parent / "licensed")
    found: list[Finding] = []
    known: list[Line] = []
    for line in lines:
        finding, spelled = _validity(book, line, day, lists)
        found += finding
        if spelled:
            known.append(line._replace(code=spelled))
    diagnoses = tuple(dict.fromkeys(line.code for line in known if line.code_type == "ICD10"))
    procedures = tuple(line for line in known if line.code_type != "ICD10")
    claim = Claim(book, lists, matcher(book), tuple(known), diagnoses, procedures, age, setting, day)
    rules: Sequence[Callable[[Claim], Iterable[Finding]]] = (*edits_rules.RULES, *edits_procedures.RULES)
    for rule in rules:
        found += rule(claim)
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _validity(book: CodeBook, line: Line, day: date | None, lists: EditLists) -> tuple[list[Finding], str]:
    """What `check` says against the code, and its table spelling, empty for a code that no rule can work with."""
    result = check(book, line.code, line.code_type, day)
    if result.valid:
        return [], result.normalised
    if result.status == "unlicensed_unknown":
        numbers = lists.fee_schedule
        if numbers is not None and result.normalised in numbers:
            return [], result.normalised
        said = f"{result.normalised} cannot be checked: no licensed CPT table is imported"
        return [Finding("cannot_check", "warning", (result.normalised,), said, "AMA CPT (licensed)")], result.normalised
    rule = "header" if result.status == "valid_header" else "invalid"
    grave = [message for message in result.messages if message.severity == "error"] or list(result.messages)
    said = "; ".join(message.text for message in grave) or result.status
    source = grave[0].source if grave else "official code table of the release"
    if result.header_children and rule == "header":
        said += f": {', '.join(result.header_children[:6])}" + (", ..." if len(result.header_children) > 6 else "")
    elif result.suggestions:
        said += f"; did you mean {', '.join(item.code for item in result.suggestions[:3])}?"
    spelled = result.normalised if book.find(line.code_type, result.normalised) else ""
    return [Finding(rule, "error", (result.normalised,), f"{result.normalised} {said}", source)], spelled
