"""MIMIC-IV and MTSamples as sources, on small files in their own layout with invented text."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book

from thce.errors import UserError
from thce.narratives import phrasebook, sources
from thce.narratives.sources_config import configure
from thce.narratives.sources_mtsamples import WORD, Known, Matcher, propose

pytestmark = pytest.mark.unit

NOTES = ["note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "storetime", "text"]
DIAGNOSES = ["subject_id", "hadm_id", "seq_num", "icd_code", "icd_version"]
SERVICES = ["subject_id", "hadm_id", "chartdate", "hcpcs_cd", "seq_num", "short_description"]
TEXT = (
    "Name:  ___\nAdmission Date: ___\n\nChief Complaint:\ncough\n\nDischarge Diagnosis:\n{}\n\nDischarge Condition:\nstable\n"
)


def table(path: Path, header: list[str], rows: list[list[Any]]) -> str:
    with gzip.open(path, "wt", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def mimic(tmp_path: Path) -> dict[str, Any]:
    notes = [
        ["10-DS-1", 10, 100, "DS", 1, "2180-05-07 00:00:00", "2180-05-07 00:00:00", TEXT.format("Pneumonia, diabetes")],
        ["10-AD-2", 10, 100, "AD", 2, "2180-05-08 00:00:00", "", "Addendum."],
        ["11-DS-1", 11, 110, "DS", 1, "2150-01-01 00:00:00", "", TEXT.format("Old coding")],
        ["12-DS-1", 12, 120, "DS", 1, "2160-01-01 00:00:00", "", TEXT.format("Nothing billed")],
        ["10-DS-3", 10, 101, "DS", 3, "2181-02-02 00:00:00", "", TEXT.format("Atrial fibrillation")],
    ]
    # rows of a stay need not be in order, and codes stand without their dot, padded as in the release
    diagnoses = [
        [10, 100, 2, "E119   ", 10],
        [10, 100, 1, "J189   ", 10],
        [10, 100, 3, "T148   ", 10],
        [11, 110, 1, "4019   ", 9],
        [11, 110, 2, "I10    ", 10],
        [10, 101, 1, "I4891  ", 10],
    ]
    services = [
        [10, 100, "2180-05-07", "E0130", 2, "Walker rigid"],
        [10, 100, "2180-05-07", "99285", 1, "Emergency dept visit"],
        [10, 101, "2181-02-02", "99999", 1, "Unknown"],
    ]
    return {
        "source": "mimic-iv",
        "name": "mimic",
        "notes": table(tmp_path / "discharge.csv.gz", NOTES, notes),
        "diagnoses": table(tmp_path / "diagnoses_icd.csv.gz", DIAGNOSES, diagnoses),
        "services": table(tmp_path / "hcpcsevents.csv.gz", SERVICES, services),
    }


def read(config: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    said: list[str] = []
    found = list(sources.rows(configure(config, "test"), book(), 17, lambda _, what, why: said.append(f"{what}: {why}")))
    return found, said


def test_mimic_gives_icd10_stays_with_the_principal_diagnosis_first(mimic: dict[str, Any]) -> None:
    found, said = read(mimic)
    assert [row["id"] for row in found] == ["mimic-10-DS-1", "mimic-10-DS-3"]
    assert [(item["code_type"], item["code"]) for item in found[0]["codes"]] == [
        ("ICD10", "J18.9"),
        ("ICD10", "E11.9"),
        ("CPT", "99285"),
        ("HCPCS", "E0130"),
    ]
    assert said == [
        "code T148: is a header, too unspecific to bill",
        "row: is an addendum, not a discharge summary",
        "row: belongs to a stay coded in ICD-9-CM",
        "row: belongs to a stay without diagnoses",
        "code 99999: is not in the CPT demo table",
    ]


def test_mimic_rows_are_billed_labels_of_one_patient_family(mimic: dict[str, Any]) -> None:
    found, _ = read(mimic)
    assert {row["template"] for row in found} == {"mimic/10"}
    assert all(row["label"] == "billed" and row["kind"] == "discharge" and row["evidence"] == [] for row in found)
    assert "___" not in found[0]["narrative"] and "[DEID]" in found[0]["narrative"]


def test_mimic_can_be_cut_to_sections_and_codes(mimic: dict[str, Any]) -> None:
    found, _ = read(mimic | {"sections": ["discharge diagnosis"], "max_codes": 1})
    assert [row["narrative"] for row in found] == ["Pneumonia, diabetes", "Atrial fibrillation"]
    assert all(len(row["codes"]) == 1 for row in found)


@pytest.mark.parametrize("key", ["notes", "diagnoses", "services"])
def test_an_absent_mimic_file_says_how_to_get_it(mimic: dict[str, Any], key: str) -> None:
    with pytest.raises(UserError, match=r"no such file; .*physionet\.org/content/mimic"):
        read(mimic | {key: "absent.csv.gz"})


def test_a_mimic_table_without_its_columns_is_named(mimic: dict[str, Any], tmp_path: Path) -> None:
    wrong = table(tmp_path / "other.csv.gz", ["a", "b"], [[1, 2]])
    with pytest.raises(UserError, match="has no column `hadm_id`"):
        read(mimic | {"diagnoses": wrong})


@pytest.fixture
def mtsamples(tmp_path: Path) -> dict[str, Any]:
    header = ["", "description", "medical_specialty", "sample_name", "transcription", "keywords"]
    texts = [
        "SUBJECTIVE:,  Known essential hypertension, takes lisinopril.,"
        "ASSESSMENT:,  Acute bronchitis. No evidence of pneumonia.",
        "",
        "The weather was fine.",
    ]
    path = tmp_path / "mtsamples.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for number, text in enumerate(texts):
            writer.writerow([number, "Invented.", " General Medicine", f" Visit - {number} ", text, "none"])
    return {"source": "mtsamples", "name": "mt", "path": str(path)}


def test_mtsamples_get_proposed_codes_marked_silver(mtsamples: dict[str, Any]) -> None:
    (row,), said = read(mtsamples)
    assert [item["code"] for item in row["codes"]] == ["I10", "J20.9"]
    assert row["label"] == "silver"
    assert row["kind"] == "general medicine" and row["template"] == "mt/Visit - 0"
    assert [item["text"] for item in row["evidence"]] == ["essential hypertension", "Acute bronchitis"]
    assert all(row["narrative"][item["start"] : item["end"]] == item["text"] for item in row["evidence"])
    assert said == ["row: has no text", "row: mentions no phrase of a code in scope"]


def test_an_absent_mtsamples_file_says_how_to_get_it() -> None:
    with pytest.raises(UserError, match=r"no such file; download mtsamples\.csv"):
        read({"source": "mtsamples", "name": "mt", "path": "absent.csv"})


def test_the_longest_phrase_wins_and_one_that_means_two_codes_is_not_used() -> None:
    def known(code: str, text: str) -> Known:
        return Known(("ICD10", code), text, "synonym")

    matcher = Matcher(
        [
            known("J20.9", "bronchitis"),
            known("J42", "chronic bronchitis"),
            known("A", "the flu bug"),
            known("B", "the flu bug"),
            known("C", "PE"),
        ]
    )
    text = "Chronic, bronchitis; later bronchitis. The flu bug. PE."
    assert [(text[start:end], item.pair[1]) for start, end, item in matcher.find(text)] == [
        ("Chronic, bronchitis", "J42"),
        ("bronchitis", "J20.9"),
    ]
    assert [item["code"] for item in propose(text, matcher, 1)] == ["J42"]
    assert propose("No bronchitis today.", matcher, 5) == []


def test_the_words_that_are_matched_are_those_the_phrasebook_compares() -> None:
    text = "s/p CABG, T2DM (x2); patient's 5-mg dose"
    assert " ".join(match[0].casefold() for match in WORD.finditer(text)) == phrasebook.key(text)
