"""Mangled narratives through the whole coder, and that the judge sees what it is to see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from coder_models import calibrated, rows, taught
from codes_tables import book, folder

from thce import cli
from thce.coder import fuzz, records
from thce.coder.records import Job
from thce.coder.run import Setup, Worker

pytestmark = pytest.mark.unit

NOTES = [row[1]["content"] for row in rows(True)]


def test_sixty_mangled_narratives_give_nothing_that_must_not_be(tmp_path: Path) -> None:
    worker = Worker(Setup(str(taught()), str(calibrated()), str(folder()), None, audit=True))
    report = fuzz.run(worker, NOTES, 60, 5, 32, tmp_path)
    assert report.faults == 0, report.examples
    assert sum(report.counts.values()) == 60
    assert report.counts["coded"] + report.counts["review"] > 20


def test_mangled_narratives_are_the_same_for_a_seed_and_cover_every_kind() -> None:
    one, two = (list(fuzz.mangled(NOTES, 600, 3)) for _ in range(2))
    assert one == two != list(fuzz.mangled(NOTES, 600, 4))
    texts = [row["narrative"] for row in one]
    assert any(len(text) > 3_000 for text in texts) and any(not text.strip() for text in texts)
    assert any("<|im_end|>" in text for text in texts) and any(text in NOTES for text in texts)
    assert any("\ud800" <= letter <= "\udfff" for text in texts for letter in text)
    assert {row.get("code_type") for row in one} > {"ICD10", "CPT", "HCPCS"} and any("date" in row for row in one)


def answer(code: str, **changed: Any) -> dict[str, Any]:
    span = {"text": "cough", "start": 2, "end": 7, "source": "trace"}
    entry = book().find("ICD10", code)
    title = entry.short_title if entry else ""
    item = {"code_type": "ICD10", "code": code, "description": title, "confidence": 0.5, "evidence": [span]}
    return {"status": "coded", "confidence": 0.5, "codes": [item], "reasoning": None, "alternatives": [], **changed}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (answer("R05.9"), None),
        (answer("R05"), "header"),
        (answer("R05.77"), "invalid"),
        (answer("R059"), "malformed"),
        (answer("r05.9"), "malformed"),
        (answer("R05.9", confidence=float("nan")), "shape"),
        (answer("R05.9", status="none"), "shape"),
        (answer("R05.9", reasoning="x <|im_end|>"), "shape"),
        (answer("R05.9", alternatives=[{"code_type": "HCPCS", "code": "E9999"}]), "invalid"),
        ({"status": "error", "error": "boom"}, "exception"),
    ],
)
def test_the_judge_sees_each_fault(row: dict[str, Any], kind: str | None) -> None:
    found = [name for name, _ in fuzz.faults(row, Job("1", "x:1", "a cough."), book())]
    assert (kind in found) if kind else not found


def test_the_judge_sees_evidence_that_does_not_hold_and_a_code_of_another_type() -> None:
    assert [name for name, _ in fuzz.faults(answer("R05.9"), Job("1", "x:1", "the cough"), book())] == ["evidence"]
    assert "invalid" in [n for n, _ in fuzz.faults(answer("R05.9"), Job("1", "x:1", "a cough.", "HCPCS"), book())]


def test_half_a_surrogate_pair_is_refused_and_the_row_after_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "in.jsonl"
    lines = (r'{"id": "a\ud83d", "narrative": "cough"}', r'{"id": "b", "narrative": "cough \ud83d\ude00"}')
    notes.write_text("\n".join(lines), encoding="ascii")
    one, two = records.read_jobs(str(notes))
    assert one.id == "1" and "surrogate" in one.fault
    assert two.narrative == "cough \U0001f600" and not two.fault
    assert cli.main(["code", "cough \udcff"]) == 2
    assert "is not UTF-8" in capsys.readouterr().err
