"""The quality check finds each fault it knows, names its line, and stays silent on a sound set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book, folder

from thce import cli
from thce.errors import UserError
from thce.narratives import quality
from thce.narratives.phrasebook import key
from thce.narratives.quality_duplicates import Index, hashed, shingles
from thce.reasoning import completion

pytestmark = pytest.mark.unit

NOTES = [
    ("ICD10", "J20.9", "acute bronchitis", "Cough for five days, lungs clear on film, {} diagnosed and rest advised."),
    (
        "ICD10",
        "I10",
        "essential hypertension",
        "Pressure log reviewed; {} remains well controlled on the current tablets.",
    ),
    ("ICD10", "E11.9", "type 2 diabetes mellitus", "Annual review of {}, feet and eyes examined without any finding."),
    (
        "ICD10",
        "N39.0",
        "urinary tract infection",
        "Burning on urination, dipstick positive: {}, antibiotic for a week.",
    ),
    ("CPT", "99213", "established patient office visit", "Bill today as {} of low complexity, follow-up as needed."),
    ("HCPCS", "E0130", "rigid walker", "Please supply one {} for use at home after the fall."),
]


def narrative(number: int) -> dict[str, Any]:
    code_type, code, phrase, frame = NOTES[number % len(NOTES)]
    text = frame.format(phrase) + (
        f" Visit {number}, room {number * 7}, nurse call {number * 13} answered." if number >= len(NOTES) else ""
    )
    start = text.index(phrase)
    place = {"code_type": code_type, "code": code}
    return {
        "id": f"row-{number}",
        "narrative": text,
        "codes": [place],
        "evidence": [place | {"start": start, "end": start + len(phrase), "text": phrase, "phrase": phrase, "kind": "synonym"}],
        "template": f"clinic-{number}",
        "kind": "clinic",
        "source": "synthetic",
        "group": None,
        "none_reason": None,
    }


def stage2(number: int) -> dict[str, Any]:
    row = narrative(number)
    about = {
        "id": row["id"],
        **row["codes"][0],
        "codes": row["codes"],
        "evidence": row["evidence"],
        "template": row["template"],
    }
    messages = [
        {"role": "system", "content": "Think."},
        {"role": "user", "content": row["narrative"]},
        {"role": "assistant", "content": completion(row, book(), 17)},
    ]
    return {"messages": messages, "_metadata": about | {"reasoning_present": True, "reasoning_quality": "high"}}


def pair(number: int) -> dict[str, Any]:
    row, other = stage2(number), stage2(number + 1)
    return {
        "prompt": row["messages"][:2],
        "chosen": row["messages"][2]["content"],
        "rejected": other["messages"][2]["content"],
        "_metadata": row["_metadata"],
    }


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def found(path: str, **options: Any) -> list[tuple[str, int, str]]:
    return [(item.rule, item.line, item.message) for item in quality.check([path], book(), **options).findings]


@pytest.mark.parametrize("make", [narrative, stage2, pair], ids=["narrative", "stage2", "pairs"])
def test_a_sound_set_has_no_finding(tmp_path: Path, make: Callable[[int], dict[str, Any]]) -> None:
    path = write(tmp_path / "set.jsonl", [make(number) for number in range(6)])
    report = quality.check([path], book())
    assert report.findings == []
    assert report.statistics[path]["rows"] == 6
    assert report.statistics[path]["distinct_codes"] == 6


def test_a_sound_test_set_has_no_finding(tmp_path: Path) -> None:
    rows = [{"messages": row["messages"][:2], "_metadata": row["_metadata"]} for row in map(stage2, range(4))]
    assert found(write(tmp_path / "set.jsonl", rows)) == []


def change(row: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return row | parts


BROKEN: dict[str, tuple[Any, str, str]] = {
    "not json": ("{broken", "schema", "is not valid JSON"),
    "not an object": ([1], "schema", "is a list"),
    "no known key": ({"text": "x"}, "schema", "has none of"),
    "empty text": (change(narrative(0), narrative=" "), "schema", "`narrative` must be text"),
    "codes no list": (change(narrative(0), codes="J20.9"), "schema", "`codes` must be a list"),
    "unknown system": (
        change(narrative(0), codes=[{"code_type": "ICD9", "code": "466"}]),
        "schema",
        "must have `code_type`",
    ),
    "code twice": (change(narrative(0), codes=narrative(0)["codes"] * 2), "schema", "has a code twice"),
    "no codes, no reason": (change(narrative(0), codes=[], evidence=[]), "schema", "neither codes nor"),
    "codes and reason": (change(narrative(0), none_reason="negated"), "schema", "has codes and"),
    "evidence incomplete": (change(narrative(0), evidence=[{"code": "J20.9"}]), "schema", "`evidence[0].code_type`"),
    "unknown code": (
        change(narrative(0), codes=[{"code_type": "ICD10", "code": "J20.99"}], evidence=[]),
        "code",
        "J20.99 is unknown",
    ),
    "header": (
        change(narrative(0), codes=[{"code_type": "ICD10", "code": "J20"}], evidence=[]),
        "code",
        "J20 is valid header",
    ),
    "undotted": (
        change(narrative(0), codes=[{"code_type": "ICD10", "code": "J209"}], evidence=[]),
        "code",
        "is spelled J20.9",
    ),
    "out of scope": (
        change(narrative(0), codes=[{"code_type": "ICD10", "code": "R41.89"}], evidence=[]),
        "scope",
        "R41.89",
    ),
    "moved evidence": (
        change(narrative(0), evidence=[narrative(0)["evidence"][0] | {"start": 3}]),
        "evidence",
        "does not stand at 3",
    ),
    "evidence of another": (
        change(narrative(0), evidence=[narrative(0)["evidence"][0] | {"code": "I10"}]),
        "evidence",
        "not among",
    ),
    "phone": (
        change(narrative(0), narrative="Call 617-555-0182 about the cough.", evidence=[]),
        "identifier",
        "phone at 5-17",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_faulty_narrative_row_is_named_by_line_and_rule(tmp_path: Path, name: str) -> None:
    row, rule, message = BROKEN[name]
    findings = found(write(tmp_path / "set.jsonl", [narrative(1), "", row, narrative(2)]))
    assert any(item[0] == rule and item[1] == 3 and message in item[2] for item in findings), findings
    assert all(item[1] == 3 for item in findings), findings


def answer(row: dict[str, Any], text: str) -> dict[str, Any]:
    return row | {"messages": [*row["messages"][:2], {"role": "assistant", "content": text}]}


def about(row: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return row | {"_metadata": row["_metadata"] | parts}


def test_a_faulty_answer_is_named(tmp_path: Path) -> None:
    sound = stage2(0)
    text = sound["messages"][2]["content"]
    cases = [
        (answer(sound, text.replace("(Acute bronchitis, unspecified)", "(Bad cough)")), "description"),
        (answer(sound, "It is bronchitis."), "answer"),
        (about(sound, codes=stage2(1)["_metadata"]["codes"], evidence=[]), "metadata"),
        (answer(sound, text.rsplit("\n", 1)[1]), "reasoning"),
        (answer(sound, text.replace("acute bronchitis", "severe asthma", 1)), "reasoning"),
        (about(sound, reasoning_present=False), "schema"),
        (sound | {"_metadata": None}, "schema"),
        (sound | {"messages": sound["messages"][1:]}, "schema"),
    ]
    for row, rule in cases:
        rules = {item[0] for item in found(write(tmp_path / "set.jsonl", [row]))}
        assert rule in rules, (rule, rules)


def test_reasoning_need_not_be_verified(tmp_path: Path) -> None:
    row = stage2(0)
    path = write(tmp_path / "set.jsonl", [answer(row, row["messages"][2]["content"].replace("acute bronchitis", "asthma", 1))])
    assert [item[0] for item in found(path)] == ["reasoning"]
    assert found(path, reasoning=False) == []


def test_a_pair_whose_sides_teach_nothing_is_named(tmp_path: Path) -> None:
    row = pair(0)
    findings = found(write(tmp_path / "set.jsonl", [row | {"rejected": row["chosen"]}]))
    assert [item[0] for item in findings] == ["pair"]
    other_words = completion(narrative(0), book(), 18)
    assert other_words != row["chosen"]
    findings = found(write(tmp_path / "set.jsonl", [row | {"rejected": other_words}]))
    assert [item[0] for item in findings] == ["pair"]


def test_a_test_row_needs_its_gold(tmp_path: Path) -> None:
    row = stage2(0)
    gold = {name: value for name, value in row["_metadata"].items() if name not in ("codes", "code", "code_type")}
    findings = found(write(tmp_path / "set.jsonl", [{"messages": row["messages"][:2], "_metadata": gold}]))
    assert ("schema", 1, "`_metadata.codes` is missing: a test row has its gold there") in findings


def test_repeated_ids_and_mixed_formats_are_named(tmp_path: Path) -> None:
    findings = found(write(tmp_path / "set.jsonl", [narrative(0), narrative(1) | {"id": "row-0"}, stage2(2)]))
    assert [(rule, line) for rule, line, _ in findings] == [("schema", 2), ("schema", 3)]


def test_equal_and_nearly_equal_texts_are_told_apart(tmp_path: Path) -> None:
    base = narrative(7)
    longer = base["narrative"] + " Signed."
    rows = [
        base,
        base | {"id": "same", "narrative": base["narrative"].upper(), "evidence": []},
        base | {"id": "near", "narrative": longer},
        base | {"id": "conflict", "codes": [{"code_type": "ICD10", "code": "J20.9"}], "evidence": []},
        narrative(8),
    ]
    assert [item[:2] for item in found(write(tmp_path / "set.jsonl", rows))] == [
        ("duplicate", 2),
        ("conflict", 4),
        ("near_duplicate", 3),
    ]
    assert [item[0] for item in found(str(tmp_path / "set.jsonl"), near=None)] == ["duplicate", "conflict"]


def test_a_contrast_group_is_alike_on_purpose(tmp_path: Path) -> None:
    base = narrative(7) | {"group": "g1"}
    rows = [base, base | {"id": "other", "narrative": base["narrative"] + " Signed."}]
    assert found(write(tmp_path / "set.jsonl", rows)) == []


def test_lengths_and_balance_are_reported(tmp_path: Path) -> None:
    rows = [narrative(number) for number in range(6)]
    filler = " ".join(f"word{number}" for number in range(400))
    rows.append(narrative(6) | {"narrative": f"{narrative(6)['narrative']} {filler}"})
    rows += [narrative(6 * number) | {"template": f"t{number}"} for number in range(2, 40)]
    path = write(tmp_path / "set.jsonl", rows)
    report = quality.check([path], book(), near=None)
    assert ("length", 7) in [(item.rule, item.line) for item in report.findings]
    assert [item.message for item in report.findings if item.rule == "balance"] == [
        "J20.9 stands in 40 rows, the median code in 1"
    ]
    numbers = report.statistics[path]
    assert numbers["per_code"] == {"min": 1, "median": 1.0, "max": 40}
    assert numbers["most_frequent"][0] == {"code_type": "ICD10", "code": "J20.9", "rows": 40}
    assert ("length", 1) in [item[:2] for item in found(path, near=None, max_words=10)]


def test_leaks_between_splits_are_errors(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", [narrative(0), narrative(7), narrative(2)])
    held = [
        narrative(0) | {"template": "new"},
        narrative(7) | {"narrative": narrative(7)["narrative"] + " Signed.", "template": "new"},
        narrative(2) | {"narrative": "A quite different text about sugar.", "evidence": []},
        narrative(9),
    ]
    test = write(tmp_path / "test.jsonl", held)
    assert [item[:2] for item in found(test, against=[train])] == [
        ("leak_text", 1),
        ("leak_template", 3),
        ("leak_near", 2),
    ]
    phrases = [item for item in found(test, against=[train], new_phrases=True) if item[0] == "leak_phrase"]
    assert [item[2].split("`")[1] for item in phrases] == ["acute bronchitis", "essential hypertension"]
    assert found(train, against=[write(tmp_path / "other.jsonl", [narrative(3)])]) == []


def test_findings_are_counted_in_full_and_kept_in_part(tmp_path: Path) -> None:
    rows = [narrative(number) | {"codes": [{"code_type": "ICD10", "code": "J20"}], "evidence": []} for number in range(6, 56)]
    report = quality.check([write(tmp_path / "set.jsonl", rows)], book(), near=None)
    assert report.counts["code"] == 50
    assert len([item for item in report.findings if item.rule == "code"]) == quality.SHOWN


def test_no_finding_quotes_a_narrative(tmp_path: Path) -> None:
    rows = [row for row, _, _ in BROKEN.values()]
    for rule, _, message in found(write(tmp_path / "set.jsonl", rows)):
        assert "lungs clear" not in message and "617" not in message, rule


def test_an_absent_or_empty_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        found(str(tmp_path / "absent.jsonl"))
    assert found(write(tmp_path / "empty.jsonl", [])) == [("schema", 0, "has no row that can be read")]


def test_candidates_of_minhash_are_confirmed_by_exact_overlap() -> None:
    texts = [key(narrative(number)["narrative"]) for number in range(40)]
    index = Index(0.5)
    for number, item in enumerate(hashed(texts)):
        best = index.nearest(item)
        exact = {
            other: len(shingles(texts[other]) & item.shingles) / len(shingles(texts[other]) | item.shingles)
            for other in range(number)
        }
        if best is not None:
            assert best.overlap == exact[best.number] >= 0.5
        assert not [other for other, overlap in exact.items() if overlap >= 0.8 and (best is None or best.overlap < overlap)]
        index.add(number, item)


def test_the_command_tells_people_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good.jsonl", [narrative(number) for number in range(6)])
    twice = write(tmp_path / "twice.jsonl", [narrative(0), narrative(0) | {"id": "again"}])
    bad = write(tmp_path / "bad.jsonl", ["{"])
    tables = ["--codes", str(folder())]
    assert cli.main(["data", "check", good, *tables]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    assert cli.main(["data", "check", twice, *tables]) == 0
    assert cli.main(["data", "check", twice, *tables, "--strict"]) == 1
    capsys.readouterr()
    assert cli.main(["data", "check", bad, good, *tables, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["errors"] == 2 and report["findings"][0]["line"] == 0
    assert {(item["file"], item["line"]) for item in report["findings"]} == {(bad, 0), (bad, 1)}
    assert cli.main(["data", "check", str(tmp_path / "absent.jsonl"), *tables]) == 2
