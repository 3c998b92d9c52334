"""Published corpora in the layouts they are downloaded in, with invented text."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book, folder

from thce.cli import main
from thce.errors import UserError
from thce.evaluation.data import read_items
from thce.files import read_jsonl
from thce.narratives import quality
from thce.narratives.convert import convert

pytestmark = pytest.mark.unit

NOTE = 'CHIEF COMPLAINT\n\nCough, "for days".\n\nASSESSMENT\n\nAcute bronchitis.\nHypertension.\n'


def table(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def aci(folder: Path) -> Path:
    """ACI-Bench's challenge data with its metadata, and labels by encounter."""
    notes = folder / "data" / "challenge_data"
    head = ("dataset", "encounter_id", "dialogue", "note")
    said = "[doctor] hi ." + " well ." * 30_000  # a dialogue may be longer than the csv module's limit
    table(notes / "train.csv", [head, ("virtassist", "D2N001", said, NOTE), ("aci", "D2N002", "[patient] no .", "Well.")])
    table(notes / "valid.csv", [head, ("aci", "D2N068", "[doctor] hi .", "Type 2 diabetes.")])
    table(notes / "train_metadata.csv", [("dataset", "encounter_id", "id", "cc"), ("virtassist", "D2N001", "1", "cough")])
    rows = [("D2N001", "J20.9", "Acute bronchitis, unspecified"), ("D2N001", "I10", "Essential (primary) hypertension")]
    rows += [("D2N001", "J209", "the same"), ("D2N999", "I10", "of no note here"), ("D2N068", "E119", "Type 2 diabetes")]
    table(folder / "annotation" / "code_train.csv", [("Document ID", "ICD10", "Description"), *rows])
    return folder


def codiesp(folder: Path, split: str = "dev") -> Path:
    """A split of CodiEsp v4: two texts, of which one has diagnoses."""
    place = folder / split
    spanish = "Mujer con bronquitis aguda. Tensión muy alta."
    for language, text in (("text_files", spanish), ("text_files_en", "Woman with acute bronchitis. Very high pressure.")):
        (place / language).mkdir(parents=True)
        (place / language / "S0001-1.txt").write_text(text + "\n", encoding="utf-8")
        (place / language / "S0002-1.txt").write_text("Nada.\n", encoding="utf-8")
    (place / f"{split}D.tsv").write_text("S0001-1\tj20.9\nS0001-1\ti10\nS0001-1\tq99.99\n", encoding="utf-8")
    (place / f"{split}P.tsv").write_text("S0001-1\tbt41zzz\n", encoding="utf-8")
    start, high = spanish.index("bronquitis"), spanish.index("alta")
    rows = [
        ("S0001-1", "DIAGNOSTICO", "j20.9", "bronquitis aguda", f"{start} {start + 16}"),
        ("S0001-1", "DIAGNOSTICO", "i10", "alta Tensión", f"{high} {high + 4};28 35"),
        ("S0001-1", "DIAGNOSTICO", "i10", "alta", "0 5"),  # stands elsewhere
        ("S0001-1", "PROCEDIMIENTO", "bt41zzz", "ecografía", "0 5"),
    ]
    (place / f"{split}X.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def gold(row: dict[str, Any]) -> list[str]:
    return [part["code"] for part in row["codes"]]


def test_aci_bench_with_labels_by_encounter(tmp_path: Path) -> None:
    output = tmp_path / "out" / "aci.jsonl"
    report = convert("aci-bench", aci(tmp_path / "in"), output, book())
    rows = {row["id"]: row for row in read_jsonl(output)}
    assert set(rows) == {"aci-bench-D2N001", "aci-bench-D2N068"}
    assert gold(rows["aci-bench-D2N001"]) == ["J20.9", "I10"] and gold(rows["aci-bench-D2N068"]) == ["E11.9"]
    assert rows["aci-bench-D2N001"]["narrative"] == NOTE.rstrip()
    assert report == {
        "rows": 2, "codes": 3, "distinct_codes": 3, "in_scope": 3, "not_billable_here": 0,
        "left_out": {"labels without their note": 1, "notes without a code": 1},
    }  # fmt: skip
    items = read_items(output)
    assert [len(one.gold) for one in items] == [2, 1] and items[0].test_set == "aci"


def test_medcoder_keeps_the_words_that_stand_at_their_place(tmp_path: Path) -> None:
    start = NOTE.index("Acute")
    table(tmp_path / "text.csv", [("Document ID", "medical_record_text", "aci_doc_id"), ("7", NOTE, "aci_1")])
    head = ("Document ID", "ICD10", "Diagnosis", "Start", "End")
    rows = [("7", "J20.9", "Acute bronchitis", start, start + 16), ("7", "I10", "Hypertension", 0, 12)]
    table(tmp_path / "diagnosis.csv", [head, *rows])
    table(tmp_path / "supporting_evidence.csv", [("Document ID", "ICD-10-cm code"), ("7", "J20.9")])
    report = convert("aci-bench", tmp_path, tmp_path / "out.jsonl", book())
    (row,) = read_jsonl(tmp_path / "out.jsonl")
    assert gold(row) == ["J20.9", "I10"] and report["left_out"] == {"quoted words not in the text": 1}
    (part,) = row["evidence"]
    assert (part["code"], part["text"], row["narrative"][part["start"] : part["end"]]) == ("J20.9", *["Acute bronchitis"] * 2)


def test_codes_in_a_column_of_the_notes(tmp_path: Path) -> None:
    table(tmp_path / "notes.csv", [("encounter_id", "note", "codes"), ("1", "A cold.", "J209; I10"), ("2", "Well.", "")])
    assert convert("aci-bench", tmp_path, tmp_path / "out.jsonl", book())["rows"] == 1
    assert gold(next(read_jsonl(tmp_path / "out.jsonl"))) == ["J20.9", "I10"]


def test_codiesp_in_english_has_codes_and_no_places(tmp_path: Path) -> None:
    report = convert("codiesp", codiesp(tmp_path / "in") / "dev", tmp_path / "out.jsonl", book())
    (row,) = read_jsonl(tmp_path / "out.jsonl")
    assert row["id"] == "codiesp-dev-S0001-1" and gold(row) == ["J20.9", "I10", "Q99.99"] and row["evidence"] == []
    assert row["narrative"] == "Woman with acute bronchitis. Very high pressure."
    assert report["in_scope"] == 2 and report["not_billable_here"] == 1
    assert report["left_out"] == {"notes without a code": 1, "procedures (ICD-10-PCS)": 1}


def test_codiesp_in_spanish_has_its_places(tmp_path: Path) -> None:
    report = convert("codiesp", codiesp(tmp_path / "in"), tmp_path / "out.jsonl", book(), "es")
    (row,) = read_jsonl(tmp_path / "out.jsonl")
    assert [part["text"] for part in row["evidence"]] == ["bronquitis aguda", "alta", "Tensión"]
    assert report["left_out"]["quoted words not in the text"] == 1


def test_several_splits_and_one_annotation_file_alone(tmp_path: Path) -> None:
    source = codiesp(codiesp(tmp_path / "in"), "train")
    assert convert("codiesp", source, tmp_path / "out.jsonl", book())["rows"] == 2
    assert Counter(row["id"] for row in read_jsonl(tmp_path / "out.jsonl")).keys() == {
        "codiesp-dev-S0001-1", "codiesp-train-S0001-1"
    }  # fmt: skip
    (source / "dev" / "devD.tsv").unlink()
    convert("codiesp", source / "dev", tmp_path / "out.jsonl", book())
    assert gold(next(read_jsonl(tmp_path / "out.jsonl"))) == ["J20.9", "I10"]


def test_the_rows_pass_the_check_but_for_codes_that_are_not_ours(tmp_path: Path) -> None:
    convert("codiesp", codiesp(tmp_path / "in"), tmp_path / "out.jsonl", book(), "es")
    report = quality.check([tmp_path / "out.jsonl"], book(), [], False, None, None, False).as_dict()
    errors = [one for one in report["findings"] if one["severity"] == "error"]
    assert [one["rule"] for one in errors] == ["code"] and "Q99.99" in errors[0]["message"]


def fails(corpus: str, place: Path, words: str) -> None:
    output = place / "never.jsonl"
    with pytest.raises(UserError, match=words) as caught:
        convert(corpus, place, output, book())
    assert "\n" not in str(caught.value) and not output.exists()


def test_an_unknown_layout_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails("aci-bench", tmp_path, "holds no notes of ACI-Bench; it needs a CSV with `encounter_id` and `note`")
    fails("codiesp", tmp_path, "is no CodiEsp layout; name the folder of a split")
    fails("aci-bench", codiesp(tmp_path / "in"), "holds no notes of ACI-Bench")
    words = ["data", "convert", "--from", "codiesp", "--input", str(tmp_path / "none"), "--output", str(tmp_path / "x")]
    assert main([*words, "--codes", str(folder())]) == 2
    assert capsys.readouterr().err.strip().endswith("is no folder; unpack the corpus and name its folder")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("devD.tsv", "S0001-1 j20.9\n", r"devD.tsv:1: has 1 columns, not 2"),
        ("devD.tsv", "S0001-1\tj20.9\nS0009-1\ti10\n", r"devD.tsv:2: names `S0009-1`, but .* is missing"),
        ("devX.tsv", "S0001-1\tDIAGNOSTICO\tj20.9\tcold\t540\n", r"devX.tsv:1: has positions `540`"),
    ],
)
def test_a_broken_codiesp_file_is_named_with_its_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    split = codiesp(tmp_path) / "dev"
    (split / name).write_text(text, encoding="utf-8")
    fails("codiesp", split, words)


def test_a_broken_aci_bench_file_is_named(tmp_path: Path) -> None:
    head = ("encounter_id", "note")
    table(tmp_path / "a.csv", [head, ("1", "Well.")])
    fails("aci-bench", tmp_path, "holds notes of ACI-Bench but no codes; put a label file beside them")
    table(tmp_path / "b.csv", [head, ("1", "Not well.")])
    fails("aci-bench", tmp_path, r"b.csv:2: `1` is another note than at .*a.csv:2")
    table(tmp_path / "b.csv", [("Document ID", "ICD10", "Diagnosis", "Start", "End"), ("1", "I10", "x", "soon", "7")])
    fails("aci-bench", tmp_path, r"b.csv:2: `soon` is no offset")


def test_the_command_prints_the_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--input", str(aci(tmp_path / "in")), "--output", str(tmp_path / "out.jsonl"), "--codes", str(folder()), "--json"]
    assert main(["data", "convert", "--from", "aci-bench", *words]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
