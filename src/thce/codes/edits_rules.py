"""Rules on the diagnoses of a claim. Each takes the claim and yields findings; `RULES` is their order.

Guideline sections are those of the ICD-10-CM Official Guidelines for Coding and Reporting FY2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thce.codes.book import Note
from thce.codes.combinations import combinations, general
from thce.codes.edits_claim import Claim
from thce.codes.edits_references import references
from thce.codes.findings import Finding

SYMPTOM_CHAPTERS = {
    "R00-R09": ("9", "10"),
    "R10-R19": ("11",),
    "R20-R23": ("12",),
    "R25-R29": ("6", "13"),
    "R30-R39": ("14",),
    "R40-R46": ("5", "6"),
    "R47-R49": ("5", "6"),
    "R50-R69": ("1", "6", "10"),
}
"""Block of symptoms -> chapters of the diseases that such symptoms usually belong to (read from the blocks' own titles;
fever, headache and other general symptoms with infections, respiratory and nervous diseases)."""

_MANIFESTATION = re.compile(r"\bin (?:other )?(?:[\w, ]+ )?diseases classified elsewhere")
_OPTIONAL = re.compile(r"if (?:applicable|present|any|known|appropriate|desired)|when applicable|as applicable", re.IGNORECASE)
_UNSPECIFIED = re.compile(r"\bunspecified\b")
_SIDES = ("right", "left")


def duplicates(claim: Claim) -> Iterator[Finding]:
    """I.B.12: a diagnosis is reported once per encounter; the MCE names a repeated principal diagnosis."""
    listed = [line.code for line in claim.lines if line.code_type == "ICD10"]
    for code in claim.diagnoses:
        if listed.count(code) > 1:
            said = f"{code} stands there {listed.count(code)} times; report a diagnosis once"
            yield Finding(
                "duplicate", "error", (code,), said, "Guidelines I.B.12; MCE edit 3 (duplicate of principal diagnosis)"
            )


def first_listed(claim: Claim) -> Iterator[Finding]:
    """What may not come first: external causes, manifestations, and (MCE) codes that are no reason for an admission."""
    if not claim.diagnoses:
        return
    code = claim.diagnoses[0]
    mce = claim.lists.mce
    name = "principal" if claim.setting == "inpatient" else "first-listed"
    grave = "error" if claim.setting == "inpatient" else "warning"
    if "V00" <= code[:3] <= "Y99":
        said = f"{code} is an external cause and never the {name} diagnosis; put the injury or condition first"
        yield Finding("external_cause_first", "error", (code,), said, "Guidelines I.C.20.a.6; MCE edit 2")
        return
    if _MANIFESTATION.search(claim.title(code)) or (mce and code in mce["manifestation"]):
        said = f"{code} is a manifestation and never the {name} diagnosis; put the underlying disease first"
        yield Finding("manifestation_first", "error", (code,), said, "Guidelines I.A.13; MCE edit 6 (manifestation)")
        return
    if mce is None:
        if claim.setting == "inpatient":
            yield _not_run("unacceptable principal diagnosis", "mce")
        return
    source = f"CMS Medicare Code Editor, edit 9 ({claim.lists.release('mce')})"
    if code in mce["needs_secondary"]:
        if len(claim.diagnoses) == 1:
            said = f"{code} is acceptable as {name} diagnosis only with a secondary diagnosis"
            yield Finding("unacceptable_first", grave, (code,), said, source)
    elif code in mce["unacceptable"]:
        said = f"{code} is a circumstance or a cause, not a reason for an admission: unacceptable as principal diagnosis"
        yield Finding("unacceptable_first", grave, (code,), said, source)


def ages(claim: Claim) -> Iterator[Finding]:
    """Diagnoses that the MCE holds impossible at this age."""
    if claim.age is None:
        return
    mce = claim.lists.mce
    if mce is None:
        yield _not_run("age conflicts", "mce")
        return
    grave = "error" if claim.setting == "inpatient" else "warning"
    for name, (low, high) in mce["ages"].items():
        for code in claim.diagnoses:
            if code in mce[name] and not low <= claim.age <= high:
                span = "age 0" if high == 0 else f"ages {low} to {high}"
                said = f"{code} is for {span} ({name}), the patient is {claim.age}"
                source = f"CMS Medicare Code Editor, edit 4 ({claim.lists.release('mce')})"
                yield Finding("age_conflict", grave, (code,), said, source)


def _not_run(what: str, kind: str) -> Finding:
    said = f"not checked: {what}; import the list with `thce codes import --{kind} FILE`"
    return Finding("not_checked", "info", (), said, "CMS Medicare Code Editor")


def excludes1(claim: Claim) -> Iterator[Finding]:
    """I.A.12.a: codes that an Excludes1 note keeps apart, unless the two conditions are unrelated: hence a warning."""
    seen: set[frozenset[str]] = set()
    for code in claim.diagnoses:
        notes = claim.book.notes("ICD10", code).excludes1
        for other in claim.diagnoses:
            pair = frozenset((code, other))
            if code == other or pair in seen:
                continue
            for note in notes:
                named = [ref for ref in references(note.text) if claim.matcher.names(ref, other)]
                if named and not all(claim.matcher.names(ref, code) for ref in named):
                    seen.add(pair)
                    said = (
                        f"{code} and {other} exclude each other (Excludes1 at {note.code}: {note.text}); "
                        "report both only when the two conditions are unrelated"
                    )
                    yield Finding("excludes1", "warning", (code, other), said, "Guidelines I.A.12.a")
                    break


def combination(claim: Claim) -> Iterator[Finding]:
    """I.C.9.a, I.A.15: diagnoses for which one combination code is reported."""
    for found in combinations(claim.diagnoses):
        said = (
            f"{found.what} is {found.code}: report it instead of {found.replaced}, beside {', '.join(found.beside)}, "
            "unless the note says they are not related"
        )
        yield Finding("combination", "warning", (found.replaced, *found.beside), said, found.source)


def specificity(claim: Claim) -> Iterator[Finding]:
    """I.A.9.b: a code that leaves open what another one on the claim says."""
    for code, other in general(claim.book, claim.diagnoses):
        said = f"{code} leaves open what {other} says; leave it out if both are about the same condition"
        yield Finding("general_beside_specific", "warning", (code, other), said, "Guidelines I.A.9.b")


def sequence(claim: Claim) -> Iterator[Finding]:
    """I.A.13, I.B.7, I.A.17: what `code first`, `use additional code` and `code also` notes ask for.

    Notes of the category and below are asked; those of blocks and chapters hold for hundreds of codes and are left
    alone.
    """
    reordered: set[frozenset[str]] = set()
    for at, code in enumerate(claim.diagnoses):
        notes = claim.book.notes("ICD10", code)
        for node, group in _by_node(notes.code_first):
            present = [other for other in claim.diagnoses if other != code and claim.matcher.any_of(group, other)]
            late = [other for other in present if claim.diagnoses.index(other) > at]
            if late and len(late) == len(present):
                reordered.add(frozenset((code, late[0])))
                said = f"put {late[0]} before {code} (code first note at {node}: {_short(group)})"
                yield Finding("code_first_order", "error", (code, late[0]), said, "Guidelines I.A.13")
            elif not present:
                optional = bool(_OPTIONAL.search(" ".join(note.text for note in group)))
                grave = "info" if optional else "warning"
                said = f"{code} asks for another code before it (code first note at {node}: {_short(group)})"
                yield Finding("code_first", grave, (code,), said, "Guidelines I.A.13")
        for node, group in _by_node(notes.use_additional):
            present = [other for other in claim.diagnoses if other != code and claim.matcher.any_of(group, other)]
            early = [other for other in present if claim.diagnoses.index(other) < at]
            if early and frozenset((code, early[0])) in reordered:
                continue
            if early and len(early) == len(present):
                said = f"put {early[0]} after {code} (use additional code note at {node}: {_short(group)})"
                yield Finding("use_additional_order", "warning", (code, early[0]), said, "Guidelines I.B.7")
            elif not present:
                said = f"{code} asks for an additional code where documented (note at {node}: {_short(group)})"
                yield Finding("use_additional", "info", (code,), said, "Guidelines I.B.7")
        for node, group in _by_node(notes.code_also):
            if not any(claim.matcher.any_of(group, other) for other in claim.diagnoses if other != code):
                said = f"{code} may need a further code, in either order (code also note at {node}: {_short(group)})"
                yield Finding("code_also", "info", (code,), said, "Guidelines I.A.17")


def _by_node(notes: tuple[Note, ...]) -> Iterator[tuple[str, list[Note]]]:
    groups: dict[str, list[Note]] = {}
    for note in notes:
        if "-" not in note.code and not note.code.isdigit():
            groups.setdefault(note.code, []).append(note)
    yield from groups.items()


def _short(notes: list[Note], limit: int = 160) -> str:
    text = "; ".join(note.text.lstrip(", ") for note in notes).replace(":; ", ": ")
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + " ..."


def symptoms(claim: Claim) -> Iterator[Finding]:
    """I.B.5: a symptom that belongs to a diagnosis on the claim is not reported beside it."""
    chapters = {code: [entry.code for entry in claim.book.path("ICD10", code)[:1]] for code in claim.diagnoses}
    for code in claim.diagnoses:
        blocks = [entry.code for entry in claim.book.path("ICD10", code) if entry.level == "block"]
        usual = next((SYMPTOM_CHAPTERS[block] for block in blocks if block in SYMPTOM_CHAPTERS), ())
        causes = [other for other in claim.diagnoses if chapters[other] and chapters[other][0] in usual]
        if causes:
            said = f"{code} is a symptom; leave it out if it belongs to {' or '.join(causes)}"
            yield Finding("symptom_with_cause", "warning", (code, *causes), said, "Guidelines I.B.4, I.B.5")


def laterality(claim: Claim) -> Iterator[Finding]:
    """I.B.13: the side is left unspecified where codes for right and left exist."""
    mce = claim.lists.mce or {}
    for code in claim.diagnoses:
        sides = sided(claim, code)
        if sides:
            said = f"{code} leaves the side unspecified; where it is documented use {' or '.join(sides)}"
            yield Finding("unspecified_side", "warning", (code,), said, "Guidelines I.B.13; MCE edit 20 (inpatient)")
        elif claim.setting == "inpatient" and code in mce.get("unspecified", ()):
            said = f"{code} is an unspecified code; a more specific one exists in its subcategory"
            source = f"CMS Medicare Code Editor, edit 20 ({claim.lists.release('mce')})"
            yield Finding("unspecified_side", "warning", (code,), said, source)


def sided(claim: Claim, code: str) -> tuple[str, ...]:
    """The codes of the same category whose titles say right and left where this one says unspecified; empty if none."""
    title = claim.title(code)
    if not _UNSPECIFIED.search(title):
        return ()
    below = claim.book.billable_codes_below("ICD10", code[:3])
    titles = {claim.title(other): other for other in below}
    for match in _UNSPECIFIED.finditer(title):
        found = [titles.get(title[: match.start()] + side + title[match.end() :]) for side in _SIDES]
        if found[0] and found[1]:
            return tuple(str(item) for item in found)
    return ()


def admission(claim: Claim) -> Iterator[Finding]:
    """Appendix I: on inpatient claims every diagnosis needs a POA indicator unless it is exempt."""
    exempt = claim.lists.poa_exempt
    if claim.setting != "inpatient" or exempt is None:
        return
    needed = [code for code in claim.diagnoses if code not in exempt]
    if needed:
        said = f"need a present-on-admission indicator: {', '.join(needed)}"
        yield Finding("poa_needed", "info", tuple(needed), said, "Guidelines appendix I; CMS POA exempt list")


RULES = (duplicates, first_listed, ages, excludes1, combination, specificity, sequence, symptoms, laterality, admission)
