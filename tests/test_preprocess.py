"""Preprocessing: one form of text, placeholders for identifiers, and evidence that keeps pointing to its words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thce import cli
from thce.errors import UserError
from thce.narratives import preprocess_identifiers
from thce.narratives.preprocess import abbreviations, clean, clean_row, keep_sections, sections
from thce.narratives.preprocess_file import preprocess

pytestmark = pytest.mark.unit

TEXTS = st.text(
    st.sampled_from("ab \t\n\r\u00a0\u200b\u2019\u201c\u2013\u2026\ufb01e\u0301\u00e91/-.:@_\x00\u00bd\u00b2[*]")
    | st.characters(exclude_categories=()),
    max_size=60,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  two  blanks\tand a tab ", "two blanks and a tab"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a \n\n \n\n\n b", "a\n\nb"),
        ("no\u00a0break, zero\u200bwidth, soft\u00adhyphen", "no break, zerowidth, softhyphen"),
        ("patient\u2019s \u201cbad\u201d cough \u2013 worse\u2026", 'patient\'s "bad" cough - worse...'),
        ("cafe\u0301, de\ufb01cit", "caf\u00e9, deficit"),
        ("bell\x07 and null\x00", "bell and null"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("\u00bd tablet, 10\u00b2, 5 \u00b5g, 37 \u00b0C", "\u00bd tablet, 10\u00b2, 5 \u00b5g, 37 \u00b0C"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_text_has_one_form_and_keeps_what_carries_meaning(before: str, after: str) -> None:
    assert clean(before).text == after


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SSN 123-45-6789.", "ssn"),
        ("MRN: 00123456", "mrn"),
        ("medical record number 7654321", "mrn"),
        ("call (617) 555-0182", "phone"),
        ("call 617-555-0182", "phone"),
        ("call +1 617.555.0182", "phone"),
        ("write jane.doe+x@mail.example.org", "email"),
        ("seen 03/14/2024", "date"),
        ("seen 3/14/24", "date"),
        ("seen 2024-03-14", "date"),
        ("seen 14.03.2024", "date"),
        ("seen March 14, 2024", "date"),
        ("seen 14 Mar 2024", "date"),
    ],
)
def test_identifiers_are_found_and_replaced(text: str, kind: str) -> None:
    assert [item.kind for item in preprocess_identifiers.find(text)] == [kind]
    cleaned = clean(text)
    assert f"[{kind.upper()}]" in cleaned.text
    assert cleaned.replaced == {kind: 1}
    assert not preprocess_identifiers.find(cleaned.text)


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, strength 5/5, pain 7/10",
        "in March 2024, in 2019, three weeks ago",
        "CPT 99213-25, HCPCS E0130, ICD10 S82.841A",
        "000-12-3456 and 666-12-3456 are no security numbers",
        "potassium 4.2, ratio 1-2-3, lot 123456789012",
        "room 12 at 14:30, 1,250 mg, T 98.6",
        "blood record of 12 readings",
    ],
)
def test_numbers_of_medicine_are_no_identifiers(text: str) -> None:
    assert preprocess_identifiers.find(text) == []


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Mr. ___ was admitted", "Mr. [DEID] was admitted"),
        ("Dr. [**Last Name (STitle) 123**] on [**2151-7-16**]", "Dr. [NAME] on [DATE]"),
        ("at [**Hospital1 18**], [**Telephone/Fax (1) 99**]", "at [PLACE], [PHONE]"),
        ("signed ____________", "signed ____________"),
    ],
)
def test_marks_of_an_earlier_de_identification_become_the_same_placeholders(text: str, after: str) -> None:
    assert clean(text).text == after


def test_evidence_moves_with_its_words() -> None:
    text = "Seen\u00a0 03/04/2024 \r\n for  \u201cacute\u00a0 bronchitis\u201d today"
    start = text.index("acute")
    end = text.index("\u201d")
    cleaned = clean(text, [(start, end)])
    assert cleaned.text == 'Seen [DATE]\nfor "acute bronchitis" today'
    ((new_start, new_end),) = [span for span in cleaned.spans if span]
    assert cleaned.text[new_start:new_end] == "acute bronchitis"


def test_evidence_that_holds_an_identifier_is_left_out_and_counted() -> None:
    text = "Fracture of 03/04/2024, healing"
    item = {"code_type": "ICD10", "code": "S52.501A", "start": 0, "end": 22, "text": text[:22]}
    row, counts = clean_row({"narrative": text, "evidence": [item]})
    assert row["narrative"] == "Fracture of [DATE], healing"
    assert row["evidence"] == []
    assert counts == {"date": 1, "evidence": 1}


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text).text
    assert clean(once).text == once
    once.encode()  # no lone surrogate is left


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.text("xyz", min_size=1, max_size=8), TEXTS)
def test_a_plain_word_is_still_found_at_its_span(before: str, word: str, after: str) -> None:
    text = f"{before} {word} {after}"
    cleaned = clean(text, [(len(before) + 1, len(before) + 1 + len(word))])
    (span,) = cleaned.spans
    # the word may be part of what looks like an e-mail address or a mark; otherwise it is where it is said to be
    if span is not None:
        assert cleaned.text[span[0] : span[1]] == word


def test_sections_are_found_in_both_usual_layouts() -> None:
    transcribed = "SUBJECTIVE:,  A 23-year-old woman.,MEDICATIONS: , None.,ASSESSMENT:,  Allergic rhinitis.,PLAN:,1.  Zyrtec."
    assert [section.name for section in sections(transcribed)] == ["subjective", "medications", "assessment", "plan"]
    typed = "Name: ___\n\nHPI:\nFelt well. Temp: 98\n\nDischarge Diagnoses:\nPneumonia\nHTN\n"
    found = {section.name: typed[section.start : section.end] for section in sections(typed)}
    assert found["history of present illness"].strip() == "Felt well. Temp: 98"
    assert found["discharge diagnosis"].strip() == "Pneumonia\nHTN"


def test_text_before_the_first_heading_is_a_section_without_name() -> None:
    assert [section.name for section in sections("Seen today. Plan: rest, as one sentence")] == [""]
    assert [section.name for section in sections("Cough.\nPlan: rest")] == ["", "plan"]


def test_kept_sections_carry_their_evidence_and_drop_the_rest() -> None:
    text = "PMH: asthma\nImpression:  pneumonia of the left lung\nPlan: rest"
    spans = [(text.index(word), text.index(word) + len(word)) for word in ("asthma", "pneumonia")]
    kept = keep_sections(text, ["assessment"], spans)
    assert kept.text == "pneumonia of the left lung"
    assert kept.spans == (None, (0, 9))


def test_abbreviations_are_annotated_and_the_text_is_left_alone() -> None:
    text = "58yo w/ HTN and T2DM, s/p CABG, c/o SOB w/o fever. PT consult."
    found = [(item.short, item.long) for item in abbreviations(text)]
    assert ("HTN", "hypertension") in found
    assert ("w/o", "without") in found
    assert "PT" not in dict(found)  # physical therapy or prothrombin time: not ours to say
    assert all(text[item.start : item.end] == item.short for item in abbreviations(text))


def test_a_file_is_preprocessed_with_counts(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "narrative": "Plan:  rest\nImpression: pt\u00a0has HTN, seen 1/2/2024", "evidence": []},
        {"id": "2", "narrative": "Plan: none", "evidence": []},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    counts = preprocess(str(source), str(tmp_path / "out.jsonl"), ["assessment"], True)
    assert counts == {"abbreviations": 2, "empty": 1, "evidence_lost": 0, "replaced_date": 1, "rows": 1}
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert row["narrative"] == "pt has HTN, seen [DATE]"
    assert [item["short"] for item in row["abbreviations"]] == ["pt", "HTN"]


def test_the_command_prints_the_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"narrative": "seen 1/2/2024"}\n')
    assert cli.main(["data", "preprocess", str(source), "--output", str(tmp_path / "out.jsonl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["replaced_date"] == 1
    assert cli.main(["data", "preprocess", "absent.jsonl", "--output", str(tmp_path / "x.jsonl")]) == 2


def test_a_row_without_text_names_its_line(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"narrative": "fine"}\n{"text": "x"}\n')
    with pytest.raises(UserError, match=r"in\.jsonl:2"):
        preprocess(str(source), str(tmp_path / "out.jsonl"))
    assert not (tmp_path / "out.jsonl").exists()
