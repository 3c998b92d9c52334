"""Small files in the layouts the publishers use; CPT numbers and texts in them are invented."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import openpyxl

ORDER = [
    ("E11", 0, "Type 2 diabetes mellitus"),
    ("E119", 1, "Type 2 diabetes mellitus without complications"),
    ("I42", 0, "Cardiomyopathy"),
    ("I420", 1, "Dilated cardiomyopathy"),
    ("L02", 0, "Cutaneous abscess"),
    ("L029", 1, "Cutaneous abscess, unspecified"),
    ("Z99", 1, "Dependence"),
]
"""Rows of a small release: code without dot, flag, title."""

NEXT = [
    ("E11", 0, "Type 2 diabetes mellitus"),
    ("E119", 1, "Type 2 diabetes mellitus without complications"),
    ("I42", 0, "Cardiomyopathy"),
    ("I420", 0, "Dilated cardiomyopathy"),
    ("I4200", 1, "Dilated cardiomyopathy, unspecified"),
    ("I4209", 1, "Other dilated cardiomyopathy"),
    ("L02", 0, "Cutaneous abscess"),
    ("L029", 1, "Cutaneous abscess of unspecified site"),
]
"""The release after it: I42.0 became a header, L02.9 has a new title, Z99 is gone."""


def order_line(number: int, code: str, flag: int, title: str) -> str:
    return f"{number:05d} {code:<7} {flag} {title[:60]:<60} {title}"


def order(rows: Iterable[tuple[str, int, str]] = ORDER) -> bytes:
    """`icd10cm_order_YYYY.txt`: fixed width, CRLF."""
    text = "".join(order_line(n, *row) + "\r\n" for n, row in enumerate(rows, 1))
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore")  # the official file has no accents


def codes(rows: Iterable[tuple[str, int, str]] = ORDER) -> bytes:
    """`icd10cm_codes_YYYY.txt`: billable codes only."""
    return "".join(f"{code:<7} {title}\r\n" for code, flag, title in rows if flag).encode("ascii")


def addenda(additions: int = 3) -> bytes:
    """`icd10cm_order_addenda_YYYY.txt` that leads from ORDER to NEXT, with its totals."""

    def row(action: str, flag: int, code: str, title: str) -> str:
        return f"{action:<13}{flag} {code:<7}{title[:60]:<60} {title}"

    lines = [
        row("Delete:", 1, "I420", "Dilated cardiomyopathy"),
        row("Add:", 0, "I420", "Dilated cardiomyopathy"),
        row("Add:", 1, "I4200", "Dilated cardiomyopathy, unspecified"),
        row("Add:", 1, "I4209", "Other dilated cardiomyopathy"),
        row("Revise from:", 1, "L029", "Cutaneous abscess, unspecified"),
        row("Revise to:", 1, "L029", "Cutaneous abscess of unspecified site"),
        row("Delete:", 1, "Z99", "Dependence"),
        "",
        "Headers",
        "      1 additions",
        "      0 deletions",
        "      0 revisions",
        "",
        "Codes",
        f"      {additions - 1} additions",
        "      2 deletions",
        "      1 revisions",
        "of which",
        "      1 revisions to both long and short titles",
    ]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


INDEX = b"""<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index><version>2027</version><title>ICD-10-CM INDEX TO DISEASES and INJURIES</title>
<letter><title>C</title>
<mainTerm><title>Cough<nemod>(affected) (chronic)</nemod></title><code>R05.9</code>
 <term level="1"><title>with hemorrhage</title><see>Hemoptysis</see></term>
 <term level="1"><title>whooping</title><code>A37.9-</code><seeAlso>Pertussis</seeAlso>
  <term level="2"><title>with pneumonia</title><code>A37.91</code><manif>J17</manif></term></term>
</mainTerm></letter></ICD10CM.index>
"""

DRUGS = b"""<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index><version>2027</version><title>ICD-10-CM TABLE of DRUGS and CHEMICALS</title>
<indexHeading><head col="2">Poisoning Accidental</head><head col="6">Adverse effect</head></indexHeading>
<letter><title>A</title><mainTerm><title>Aspirin</title><cell col="2">T39.011</cell><cell col="6">T39.015</cell>
</mainTerm></letter></ICD10CM.index>
"""


def hcpcs_line(code: str, record: str, long: str, short: str = "", **fields: str) -> str:
    """One 320-column line of the ANWEB text file."""
    line = list(" " * 320)

    def put(column: int, text: str) -> None:
        line[column - 1 : column - 1 + len(text)] = text

    put(1, code.rjust(5))
    put(6, "00100" if record in "37" else "00200")
    put(11, record)
    put(12, long)
    put(92, short)
    put(205, fields.get("crossed", ""))
    put(230, fields.get("coverage", ""))
    put(257, fields.get("betos", ""))
    put(269, fields.get("added", ""))
    put(277, fields.get("changed", ""))
    put(285, fields.get("ended", ""))
    put(293, fields.get("action", ""))
    return "".join(line)


HCPCS = "\r\n".join(
    [
        "***Disclaimers\t\t\t",
        "*Inclusion of a supply does not imply coverage.\xa0\t\t",
        hcpcs_line("LT", "7", "Left side", "Left side", added="19940101", changed="19940101", action="N"),
        hcpcs_line(
            "A4253", "3", "Blood glucose test or reagent strips for home blood glucose monitor, per",
            "Blood glucose strips", coverage="D", betos="D1A", added="19860101", changed="19970101", action="N",
        ),
        hcpcs_line("A4253", "4", "50 strips"),
        hcpcs_line(
            "G0202", "3", "Screening mammography, bilateral", "Scr mammo bi", crossed="77067", added="20010401",
            changed="20180101", ended="20171231", action="D",
        ),
    ]
).encode("cp1252") + b"\r\n"  # fmt: skip
"""An ANWEB text file: disclaimer, a modifier, a code in two pieces, an ended code."""


def workbook(rows: Iterable[Sequence[object]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


HCPCS_COLUMNS = (
    ["HCPC", "SEQNUM", "RECID", "LONG DESCRIPTION", "SHORT DESCRIPTION"]
    + [f"XREF{n}" for n in range(1, 6)]
    + ["COV", "BETOS", "ADD DT", "ACT EFF DT", "TERM DT", "ACTION CD"]
)


def hcpcs_workbook() -> bytes:
    """The same release as HCPCS, as a workbook."""
    none = [None] * 5
    long = "Blood glucose test or reagent strips for home blood glucose monitor, per"
    return workbook(
        [
            ["***Disclaimers"],
            [None],
            HCPCS_COLUMNS,
            ["   LT", "0010", "7", "Left side", "Left side", *none, None, None, "19940101", "19940101", None, "N"],
            ["A4253", "0010", "3", long, "Blood glucose strips", *none, "D", "D1A", "19860101", "19970101", None, "N"],
            ["A4253", "0020", "4", "50 strips", None, *none],
            ["G0202", "0010", "3", "Screening mammography, bilateral", "Scr mammo bi", "77067", None, None, None, None,
             None, None, "20010401", "20180101", "20171231", "D"],
        ]
    )  # fmt: skip


CPT_HEAD = "Made-up license text of a made-up publisher.\r\nCopyright of nobody. All rights reserved.\r\n\r\n"
CPT = {"00001": "Invented service alfa", "00002": "Invented service bravo", "0003T": "Invented service charlie"}


def longult(rows: Mapping[str, str] = CPT) -> bytes:
    return (CPT_HEAD + "".join(f"{code}\t{text}\r\n" for code, text in rows.items())).encode("cp1252")


def shortu(rows: Mapping[str, str] = CPT) -> bytes:
    return (CPT_HEAD + "".join(f"{code} {text.upper()[:28]}\r\n" for code, text in rows.items())).encode("cp1252")


PFS = (
    "2026 National Physician Fee Schedule Relative Value File,,,,,,,,,,,,,,,\r\n"
    ",,,,NOT USED,,,,,,,,,,,\r\n"
    ",,,STATUS,FOR MEDICARE,WORK,NON-FAC,FACILITY,PCTC,GLOB,MULT,BILAT,ASST,CO-,TEAM,CONV\r\n"
    "HCPCS,MOD,DESCRIPTION,CODE,PAYMENT,RVU,TOTAL,TOTAL,IND,DAYS,PROC,SURG,SURG,SURG,SURG,FACTOR\r\n"
    "00001,,SECRET WORDS ALFA,A,,1.30,2.68,1.90,0,010,2,1,1,0,0,33.40\r\n"
    "00001,26,SECRET WORDS ALFA,A,,0.50,0.90,0.90,0,010,2,1,1,0,0,33.40\r\n"
    "00002,,SECRET WORDS BRAVO,A,,0.50,0.90,0.90,0,ZZZ,0,0,0,0,0,33.40\r\n"
    '00004,,"SECRET, OLD",D,,0,0,0,9,XXX,9,9,9,9,9,33.40\r\n'
).encode("latin-1")
"""A fee schedule with stacked headings; DESCRIPTION stands for the text that must never be read."""

MCE = """Definitions of Medicare Code Edits
4. Age conflict
A. Perinatal/Newborn diagnoses\t9
6. Manifestation code as principal diagnosis\t60
1. Invalid diagnosis or procedure code
Prose that names A33 in a sentence.
4. Age conflict
A. Perinatal/Newborn diagnoses
A33\tTetanus neonatorum
B. Pediatric diagnoses (age 0 through 17)
Z00129\tEncounter for routine child health examination
C. Maternity diagnoses (age 9 through 64)
O80\tEncounter for full-term uncomplicated delivery
D. Adult diagnoses (age 15 through 124)
N401\tBenign prostatic hyperplasia with lower urinary tract symptoms
5. Sex conflict (deactivated as of 10/01/2024)
A. Diagnoses for females only
N736\tFemale pelvic peritoneal adhesions
6. Manifestation code as principal diagnosis
D631\tAnemia in chronic kidney disease
8. Questionable admission
9. Unacceptable principal diagnosis
Codes marked * are accepted if a secondary diagnosis is coded.
Z992\tDependence on renal dialysis
Z5189*\tEncounter for other specified aftercare
11. Non-covered procedure
0UT90ZZ\tResection of uterus
20. Unspecified code
M1990\tUnspecified osteoarthritis, unspecified site
""".encode("cp1252")

PTP = (
    "CPT only copyright of nobody. All rights reserved.\r\n\r\n"
    "Column 1\tColumn 2\t*=in existence prior to 1996\tEffective Date\tDeletion Date\tModifier\tPTP Edit Rationale\r\n"
    "00001\t00002\t\t20200101\t*\t0\tMutually exclusive\r\n"
    "00001\t00005\t\t20200101\t*\t1\tStandards of practice\r\n"
    "00001\t00006\t*\t19960101\t20201231\t0\tDeleted at the end of 2020\r\n"
    "00001\t00007\t\t20200101\t20200101\t0\tNever applied\r\n"
    "00005\tA4253\t\t20200101\t*\t9\tNot applicable\r\n"
).encode("latin-1")

MUE = (
    '"CPT codes and other data only are copyright of nobody.",,,\r\n'
    '"HCPCS/\nCPT Code",Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale\r\n'
    "00001,1,2 Date of Service Edit: Policy,Anatomic\r\n"
    "00005,3,3 Date of Service Edit: Clinical,Data\r\n"
    "A4253,4,1 Line Edit,Nature of item\r\n"
).encode("latin-1")

POA = (
    b"Order27\tPOAexemptCode\tDescription\r\n"
    b"00001\tZ79.4\tLong term (current) use of insulin\r\n"
    b'00002\tS30.11XD\t"Contusion, subsequent encounter"\r\n'
)

SMALL = {
    "icd10cm_order": (1, 100), "icd10cm_codes": (1, 100), "icd10cm_index": (1, 100), "conversion_table": (1, 100),
    "poa_exempt": (1, 100), "hcpcs_anweb": (1, 100), "hcpcs_modifiers": (1, 100), "pprrvu": (1, 100), "cpt": (1, 100),
    "ncci_ptp": (1, 100), "ncci_mue": (1, 100), "mce": {"manifestation": (1, 10), "newborn": (1, 10)},
}  # fmt: skip
"""Counts that the small files of this module reach."""


def conversion() -> bytes:
    from datetime import datetime

    return workbook(
        [
            ["NCHS has published an update, which will become effective October 1, 2026."],
            ["Current code assignment", "Effective", "Previous Code(s) Assignment"],
            ["I42.00", 2026, "I42.0"],
            ["I42.09", 2026, "I42.0"],
            ["T74.A1XA", datetime(2023, 4, 1), "T74.91XA"],
            ["C50.A0", 2025, "C50.919, C50.929 and C50.019"],
            ["K59.03", 2016, "K59.09 AND Code from categories T36-T50"],
            ["W453XXA", None, "None"],
        ]
    )


def write(folder: Path, **files: bytes) -> dict[str, Path]:
    """Files by name (`__` stands for a dot) in a folder."""
    paths = {}
    for name, data in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(data)
        paths[name] = path
    return paths


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path
