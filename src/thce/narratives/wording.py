"""What a wording is, where it may stand in a note, and who may have it.

A note about a walker reads unlike one about a cough. `slot` sorts codes into the few groups that the sentences in
`data/grammar/` are written for; the other functions keep notes plausible: no 80-year-old at a well-child visit, no
normal pulse beside a tachycardia, no onset "3 days ago" for a chronic disease.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from thce.narratives.phrasebook import key


def listed(text: str) -> tuple[str, ...]:
    """The words of a text, for lists that are easier to read and to review without quotes."""
    return tuple(text.split())


SLOTS = (
    "problem",
    "injury",
    "external",
    "status",
    "visit",
    "obstetric",
    "newborn",
    "test",
    "procedure",
    "drug",
    "supply",
    "service",
    "transport",
)
"""Groups of codes that share sentences: seven of ICD-10-CM, six of CPT and HCPCS."""

_VISIT = ("Z00", "Z01", "Z11", "Z12", "Z13", "Z23", "Z30", "Z32", "Z51", "Z71", "Z76")
_OBSTETRIC = ("O", "Z34", "Z37", "Z3A")
_NEWBORN = ("P", "Z38", "Z05")
_CHILD = ("Z00.12", "F84", "9939", "96110", "90460", "90461", "97153", "99173", "83655")
_ELDER = listed("F02 F03 G30 H25 I12 I13 I2 I3 I4 I5 I7 J43 J44 M16 M17 M48 M81 N18 N40 C Z85 Z95 Z96")
_ELDER_SERVICE = ("90662", "90694", "9930", "9931", "G0438", "G0439")
_FEMALE = (
    "D25",
    "N7",
    "N8",
    "N9",
    "B37.3",
    "Z01.41",
    "Z12.31",
    "Z12.4",
    "Z30.0",
    "Z32",
    "Z90.71",
    "O",
    "Z34",
    "Z37",
    "Z3A",
)
_FEMALE_SERVICE = ("81025", "88175", "77067", "77063", "G0101", "L8000")
_MALE = ("N40", "N52", "C61", "Z85.46", "84153", "84403", "G0103")
_ACUTE = (
    "A08 B02 B34 H10 H60 H66 J01 J02 J06 J18 J20 K04 K52 L03 L23 M25 M54.2 M54.5 M54.6 M79.6 N30 N39 N76 "
    "R04 R05 R06 R07 R10 R11 R19.7 R20 R21 R30 R31 R42 R50 R51 R60"
)
_LASTING = (
    "D63 E03 E10 E11 E78 F20 F31 F32 F33 F41 F84 F90 G30 G40 G43 G47 G62 G89 H40 I10 I25 I48 I50.22 I50.32 I73 "
    "J43 J44.9 "
    "J45.20 J45.909 K21 K58 K76.0 L20 L40 L70 M06 M10 M16 M17 M19 M32 M47 M48 M79.7 M81 N18 N40"
)
_VITAL = "A41 E86 I1 I47 I48 I49 I95 J10 J18 J96 O P R00 R03 R06 R09 R41 R50 R53 R55 R65 U07 Z3 Z66 Z51"
_ACUTE_CODES = listed(_ACUTE)
_LASTING_CODES = listed(_LASTING)
_VITAL_CODES = listed(_VITAL)

_NOT_NOUN = frozenset(
    listed(
        "s/p h/o c/o r/o had has have on no not takes taking used uses using feeling feels getting gets cannot can't "
        "too status hx phx pmh psh fhx fh pt patient very never keeps wakes was is are in at to for with without "
        "unable told said says dad mother mom father came comes wants needs lost lives sleeps says under off by from "
        "since after due never thought allg allergic hypothyroid tachycardic bradycardic tachy brady hypotensive "
        "acidotic anemic anxious arthritic autistic backed bipolar blacked caught congested constantly constipated "
        "contemplating dehydrated depressed dizzy down dried easily emmetrope fall-prone foggy going hooked jungle "
        "just knocked lightheaded malnourished nauseated nauseous nearsighted numb obese out out-of-control "
        "overweight passed prediabetic pre-diabetic queasy run-down seeing short sick sleepless some something "
        "stuffed stuffy tired tossing touchy uncomfortable undernourished walking wanting wheezy woozy worn almost "
        "hungry hypoglycemic hypovolemic psychotic suicidal always abusing drunken kidneys administer give which paid "
        "doctor add-on"
    )
)
_PERSON = re.compile(
    r"\b(?:\d+ ?(?:yo|y/o|yr|year|week|month|day)s?(?:-old| old)?|years?|child(?:ren|hood)?|kid|toddler|infant|baby|"
    r"newborn|neonat\w*|"
    r"teen\w*|adolescent|elderly|adult|senior|p(?:a)?ediatric\w*|boy|girl|m[ae]n|wom[ae]n|male|female|pt|patient|mother|son|"
    r"daughter|adult|member|resident)\b",
    re.I,
)
_FEMALE_WORD = re.compile(
    r"\b(?:wom[ae]n|female|she|her|girl|pregnan\w*|uter\w*|ovar\w*|vagin\w*|vulv\w*|\w*menopaus\w*|menstru\w*|hysterec\w*|pap|"
    r"breasts?|lumpectomy|endomet\w*|ectopic|placenta|gravidarum|pelvic inflammatory|bartholin|cesarean|iud|hystero\w*|"
    r"mammo\w*|cervix|polycystic ovary|postpartum|lactat\w*)\b",
    re.I,
)
_MALE_WORD = re.compile(
    r"\b(?:m[ae]n|male|he|his|boy|prostat\w*|peni[sl]e?|testic\w*|scrot\w*|erect\w*|hydrocele|varicocele|epididym\w*|peyronie|"
    r"phimosis|gland with high psa)\b",
    re.I,
)
_DIGIT = re.compile(r"\d")
_TIME = re.compile(
    r"\d|\b(?:days?|weeks?|months?|years?|hours?|since|chronic|recurrent|sudden|long\w*|acute|new|night|today)\b", re.I
)
_MOVING = re.compile(
    r"\b(?:worse\w*|uncontrolled|new\w*|flar\w*|acute|exacerb\w*|progress\w*|poor\w*|decompens\w*|out of control)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Wording:
    """One phrase of one code with what the grammar needs to know about it.

    `kind` is a phrasebook kind or `title`; `noun` says that the phrase reads after "Patient has" or "Please order";
    `sex` is "F", "M" or ""; `group` is "adult", "elder", "child", "newborn" or "obstetric"; `person` marks a phrase
    that itself names a person or an age, so that none is put beside it.
    """

    code_type: str
    code: str
    kind: str
    text: str
    key: str
    slot: str
    noun: bool
    sex: str
    group: str
    person: bool
    words: frozenset[str] = field(hash=False)

    @property
    def pair(self) -> tuple[str, str]:
        """Code type and code."""
        return self.code_type, self.code

    @property
    def may_have_onset(self) -> bool:
        """A fresh complaint without a time of its own, so that "started 3 days ago" may follow."""
        return self.code_type == "ICD10" and self.code.startswith(_ACUTE_CODES) and not _TIME.search(self.text)

    @property
    def may_be_stable(self) -> bool:
        """Whether a note may call it stable: a lasting condition whose wording tells no course of its own."""
        return self.code_type == "ICD10" and self.code.startswith(_LASTING_CODES) and not _MOVING.search(self.text)

    @property
    def may_have_vitals(self) -> bool:
        """Normal vital signs contradict neither the code nor a number in the phrase."""
        if _DIGIT.search(self.text):
            return False
        return self.code_type != "ICD10" or not self.code.startswith(_VITAL_CODES)


def slot(code_type: str, code: str) -> str:
    """The group of sentences for a code, one of `SLOTS`."""
    if code_type == "ICD10":
        return _icd_slot(code)
    return _cpt_slot(code) if code_type == "CPT" else _hcpcs_slot(code)


def _icd_slot(code: str) -> str:
    if code.startswith(_OBSTETRIC):
        return "obstetric"
    if code.startswith(_NEWBORN):
        return "newborn"
    if code[0] in "ST":
        return "injury"
    if code[0] in "VWXY":
        return "external"
    if code[0] == "Z":
        return "visit" if code.startswith(_VISIT) else "status"
    return "problem"


def _cpt_slot(code: str) -> str:
    if not code.isdigit():  # categories II and III
        return "service"
    number = int(code)
    if number == 51798 or 70010 <= number <= 89398 or 92015 <= number <= 92287 or 92550 <= number <= 95999:
        return "test"
    if number in (96110, 96127, 99173):
        return "test"
    if 90476 <= number <= 90759:
        return "drug"
    if number < 70010 or 90460 <= number <= 90474 or 96360 <= number <= 96379:
        return "procedure"
    return "service"


def _hcpcs_slot(code: str) -> str:
    if code.startswith(("A0", "T2003", "S0215", "R0", "P96")):
        return "transport"
    if code.startswith(("A9", "J", "Q4")):
        return "drug"
    if code[0] in "ABEKLV" or code.startswith("T4"):
        return "supply"
    if code in ("G0103", "G0480"):
        return "test"
    if code.startswith(("G0008", "G0009", "G0010")):
        return "procedure"
    return "service"


def _group(code_type: str, code: str) -> str:
    if code.startswith(_CHILD):
        return "child"
    if code_type != "ICD10":
        return "elder" if code.startswith(_ELDER_SERVICE) else "adult"
    if code.startswith(_NEWBORN):
        return "newborn"
    if code.startswith(_OBSTETRIC):
        return "obstetric"
    return "elder" if code.startswith(_ELDER) else "adult"


def _sex(code_type: str, code: str, text: str) -> str:
    if code in _FEMALE_SERVICE or (code_type == "ICD10" and code.startswith(_FEMALE)):
        return "F"
    if code.startswith(_MALE):
        return "M"
    if _FEMALE_WORD.search(text):
        return "F"
    return "M" if _MALE_WORD.search(text) else ""


def wording(code_type: str, code: str, kind: str, text: str) -> Wording:
    """A phrase with its traits worked out."""
    text_key = key(text)
    first = text.split(" ", 1)[0].casefold().rstrip(":,.")
    nouns = ("synonym", "lay", "eponym", *(() if code_type == "ICD10" else ("order", "abbreviation")))
    noun = kind in nouns and first not in _NOT_NOUN and ":" not in text
    return Wording(
        code_type,
        code,
        kind,
        text,
        text_key,
        slot(code_type, code),
        noun,
        _sex(code_type, code, text),
        _group(code_type, code),
        bool(_PERSON.search(text)),
        frozenset(word for word in text_key.split() if len(word) > 3),
    )
