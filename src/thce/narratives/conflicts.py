"""Which codes must not meet in one note, as a pair of codes or as a code and a distractor.

Two diagnoses in one note can call for a third code (hypertension with chronic kidney disease), or exclude each other,
or one can be a symptom that belongs to the other. Written notes with such pairs would carry wrong labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from thce.narratives.wording import Wording

_SYMPTOMS: dict[str, str] = {
    "R0": "IJABDF",
    "R1": "KNABO",
    "R2": "GLMEI",
    "R3": "NC",
    "R4": "FGIE",
    "R5": "ABCDEFGIJKLN",
    "R6": "ABCDEIKN",
    "R7": "DEKN",
    "R9": "IJ",
}
"""Symptom and finding codes -> chapters whose diseases they usually belong to (Guidelines I.B.5: integral signs are not
coded beside the disease)."""

_MERGED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    # Guidelines I.C.9.a: hypertension with heart failure or chronic kidney disease is one combination code
    (
        ("I10", "I11", "I12", "I13", "I16"),
        ("I10", "I11", "I12", "I13", "I16", "I50", "I51", "N18", "I25.5", "I42", "R03", "N17"),
    ),
    # Guidelines I.A.15 "with": diabetes and these are linked unless the note says otherwise
    (("E10", "E11"), ("E10", "E11", "E16", "R73", "N18", "G62", "I73", "I70", "H25", "H40", "L97", "R20", "Z83.3")),
    (("N18", "I12", "I13"), ("D63", "E11", "N17", "N25", "Z99.2", "D64", "D62")),
    (("J43", "J44", "J45"), ("J43", "J44", "J45", "J18", "J20", "J96", "J98", "J06", "J10")),
    (("J0", "J1", "J2", "J3"), ("J0", "J1", "J2", "J3", "J9", "J6")),
    (("A41", "R65"), ("A", "B", "J", "N", "R", "L03")),
    (("A08", "B34", "K52"), ("A", "B", "K52", "R")),
    (("F1", "Z72.0", "Z87.891"), ("F1", "Z72.0", "Z87.891")),
    (("F31", "F32", "F33", "F41", "F43", "F20", "F29"), ("F",)),
    (("F02", "F03", "G30"), ("F", "G30", "G9")),
    (("I48", "I49", "I47", "I44", "I45"), ("I4", "R00")),
    (("I21", "I25"), ("I2", "Z95.5", "Z95.1")),
    (("I5",), ("I5", "I11", "I13", "I42", "J90", "R60")),
    (("K2", "K3"), ("K2", "K3")),
    (("K57", "K62", "K63", "K64", "D12"), ("K5", "K6", "D12", "K92")),
    (("K7",), ("K7", "R18", "R74")),
    (("D5", "D6"), ("D5", "D6", "O99")),
    (("E4", "E66", "Z68", "R63", "R62"), ("E4", "E66", "Z68", "R63", "R62")),
    (("E86", "E87"), ("E86", "E87")),
    (("G89", "M79"), ("G89", "M", "R52", "R10")),
    (("M4", "M5"), ("M4", "M5", "S16", "S39")),
    (("S",), ("S", "M")),
    (("N1", "N2", "N3"), ("N1", "N2", "N3", "R3", "B96")),
    (("N39", "N30"), ("R3", "B96", "Z87.44")),
    (("C", "D"), ("C", "Z85", "Z80")),
    (("H",), ("H",)),
    (("L", "B0", "B3"), ("L", "R21", "B0", "B3")),
    (("Z79",), ("Z79",)),
    (("Z8",), ("Z85", "Z86", "Z87", "Z80")),
    (("Z53", "Z28"), ("Z53", "Z28", "Z23")),
    (("Z0", "Z1", "Z2", "Z3"), ("Z0", "Z1", "Z2", "Z3", "Z7")),
    # "without abnormal findings" beside a finding
    (("Z00.00", "Z00.129", "Z01.419"), tuple("ABCDEFGHIJKLMNOPRSTUZ")),
    (
        ("U07", "Z20.822", "Z11.52", "Z86.16", "Z28.310"),
        ("U07", "Z20.822", "Z11.52", "Z86.16", "Z28.310", "J", "R0", "R5"),
    ),
)
"""Prefixes that do not meet: codes that merge, exclude each other or make the sequence of a note ambiguous."""

_BUNDLED = (
    # panels and their parts (one panel is billed, not its members)
    (("8004", "8005", "8007"), ("8004", "8005", "8007", "82565", "82947", "84520", "84443", "8502", "82040")),
    (("8502", "85018"), ("8502", "85018")),
    (("8100",), ("8100",)),
    (
        (
            "9921",
            "9920",
            "9928",
            "9922",
            "9923",
            "9939",
            "9930",
            "9929",
            "G0463",
            "T1015",
            "G0438",
            "G0439",
            "920",
            "907",
        ),
        ("992", "993", "920", "907", "G0463", "T1015", "G043"),
    ),
    (("9300", "93010"), ("930",)),
    (("908", "H0", "H2"), ("908", "907", "H0", "H2")),
    (("A04", "A01", "T2003", "S0215"), ("A0", "T2003", "S0215")),
    (("G0008", "G0009", "9046", "9047"), ("G0008", "G0009", "9046", "9047", "9637")),
    (("9636", "9637"), ("9636", "9637", "9047")),
    (("E01",), ("E01", "K000")),
    (("4338", "4351"), ("4338", "4351")),
)
_CODES = re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?")


def related_symptom(symptom: str, disease: str) -> bool:
    """Whether a symptom code may well be a sign of the disease (both ICD-10-CM)."""
    return disease[0] in _SYMPTOMS.get(symptom[:2], "")


def _pair_in(table: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...], one: str, two: str) -> bool:
    return any(
        (one.startswith(left) and two.startswith(right)) or (two.startswith(left) and one.startswith(right))
        for left, right in table
    )


class Conflicts:
    """Tells whether two wordings may stand in one note as coded problems.

    `excludes` gives the texts of the Excludes1 notes that apply to a code ("not coded here"): codes named there never
    meet.
    """

    def __init__(self, excludes: Callable[[str], tuple[str, ...]]) -> None:
        self._excludes = excludes
        self._named: dict[str, tuple[str, ...]] = {}

    def meet(self, one: Wording, two: Wording) -> bool:
        """True when both may be coded together; symmetric."""
        if one.pair == two.pair or (one.sex and two.sex and one.sex != two.sex):
            return False
        if not _same_patient(one, two) or one.words & two.words:
            return False
        if one.code_type == two.code_type == "ICD10":
            return self._diagnoses_meet(one.code, two.code)
        if "ICD10" in (one.code_type, two.code_type):
            return True
        return one.code[:3] != two.code[:3] and not _pair_in(_BUNDLED, one.code, two.code)

    def _diagnoses_meet(self, one: str, two: str) -> bool:
        if one[:3] == two[:3] or _pair_in(_MERGED, one, two):
            return False
        if one[0] == "R" and (two[0] == "R" or related_symptom(one, two)):
            return False
        if two[0] == "R" and related_symptom(two, one):
            return False
        return not (one.startswith(self._names(two)) or two.startswith(self._names(one)))

    def _names(self, code: str) -> tuple[str, ...]:
        if code not in self._named:
            found = {name for text in self._excludes(code) for name in _CODES.findall(text)}
            self._named[code] = tuple(sorted(found))
        return self._named[code]


def _same_patient(one: Wording, two: Wording) -> bool:
    if one.group == two.group:
        return True
    groups = {one.group, two.group}
    if groups <= {"adult", "elder"}:
        return True
    # a laboratory test goes with anybody; a disease of adults does not go with a newborn
    return any(w.group == "adult" and w.code_type == "CPT" and w.code.startswith("8") for w in (one, two))
