"""Collect: every source in its file, every set drawn by mix, side and seed, and nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from codes_tables import book, folder

from thce import cli
from thce.errors import UserError
from thce.narratives.sources_collect import collect, read_config

pytestmark = pytest.mark.unit

CODES = ["J20.9", "I10", "E11.9", "N39.0", "R07.9"]


def rows(name: str, count: int, evidence: bool) -> list[dict[str, Any]]:
    """Narrative rows of `count / 4` families with four rows each."""
    made = []
    for number in range(count):
        place = {"code_type": "ICD10", "code": CODES[number % len(CODES)]}
        span = place | {"start": 0, "end": 4, "text": "Note", "phrase": "note", "kind": "synonym"}
        row = {
            "id": f"{number:04d}",
            "narrative": f"Note {number} of {name}.",
            "codes": [place],
            "evidence": [span] if evidence else [],
            "template": f"family-{number // 4}",
            "kind": "clinic",
            "source": name,
            "group": None,
            "none_reason": None,
        }
        made.append(row)
    return made


@pytest.fixture
def setup(tmp_path: Path) -> dict[str, Any]:
    for name, evidence in (("one", True), ("two", False)):
        text = "".join(json.dumps(row) + "\n" for row in rows(name, 400, evidence))
        (tmp_path / f"{name}.jsonl").write_text(text)
    return {
        "seed": 17,
        "val": 0.1,
        "test": 0.2,
        "sources": [{"source": "rows", "name": name, "path": str(tmp_path / f"{name}.jsonl")} for name in ("one", "two")],
        "sets": {
            "stage1": {"split": "train", "count": 101, "mix": {"one": 0.5, "two": 0.5}, "max_per_code": 25},
            "stage2": {"split": "train", "count": 60, "mix": {"one": 0.5, "two": 0.5}, "evidence": True},
            "held": {"split": "test", "count": 1000, "mix": {"one": 1.0}},
        },
    }


def run(tmp_path: Path, setup: dict[str, Any], out: str = "out") -> dict[str, Any]:
    path = tmp_path / "collect.yaml"
    path.write_text(yaml.safe_dump(setup))
    return collect(read_config(path), tmp_path / out, book())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_sets_keep_to_mix_caps_and_sides(tmp_path: Path, setup: dict[str, Any]) -> None:
    report = run(tmp_path, setup)
    out = tmp_path / "out"
    stage1, stage2, held = (lines(out / f"{name}.jsonl") for name in ("stage1", "stage2", "held"))
    assert report["sets"]["stage1"]["sources"] == {"one": {"wanted": 51, "got": 51}, "two": {"wanted": 50, "got": 50}}
    per_code = [sum(row["codes"][0]["code"] == code for row in stage1) for code in CODES]
    assert len(stage1) == 101 and max(per_code) <= 25
    # reasoning needs evidence, and the second source has none: the set is short and says so
    assert report["sets"]["stage2"]["sources"]["two"] == {"wanted": 30, "got": 0}
    assert all(row["evidence"] for row in stage2)
    ids = [{row["id"] for row in part} for part in (stage1, stage2, held)]
    assert not ids[0] & ids[1] and not ids[0] & ids[2]


def test_a_family_stays_on_one_side(tmp_path: Path, setup: dict[str, Any]) -> None:
    report = run(tmp_path, setup)
    sides = report["sources"]["one"]["sides"]
    assert sum(sides.values()) == 400 and all(count % 4 == 0 for count in sides.values())
    assert len(lines(tmp_path / "out" / "held.jsonl")) == sides["test"]


def test_a_source_that_is_split_already_stays_on_its_side(tmp_path: Path, setup: dict[str, Any]) -> None:
    setup["sources"][0]["side"] = "test"
    report = run(tmp_path, setup)
    assert report["sources"]["one"]["sides"] == {"test": 400}
    assert report["sets"]["stage1"]["sources"]["one"]["got"] == 0


def test_the_command_prints_what_was_left_out(
    tmp_path: Path, setup: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "collect.yaml"
    setup["sources"][1]["limit"] = 8
    path.write_text(yaml.safe_dump(setup))
    arguments = [
        "data",
        "collect",
        "--config",
        str(path),
        "--output-dir",
        str(tmp_path / "out"),
        "--codes",
        str(folder()),
    ]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "one: 400 rows" in said and "two: 8 rows" in said and "two gave" in said
    assert cli.main([*arguments[:3], "absent.yaml", *arguments[4:]]) == 2


def test_the_same_configuration_writes_the_same_bytes(tmp_path: Path, setup: dict[str, Any]) -> None:
    run(tmp_path, setup, "a")
    run(tmp_path, setup, "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    assert not any(name.endswith(".part") for name in names)


def test_what_is_left_out_stands_beside_with_its_reason(tmp_path: Path, setup: dict[str, Any]) -> None:
    with (tmp_path / "one.jsonl").open("a") as stream:
        row = rows("one", 1, False)[0] | {"id": "bad", "codes": [{"code_type": "ICD10", "code": "T14.8"}]}
        stream.write(json.dumps(row) + "\n")
    report = run(tmp_path, setup)
    assert report["sources"]["one"]["left_out"] == {
        "code is a header, too unspecific to bill": 1,
        "row has no valid principal code": 1,
    }
    first, second = lines(tmp_path / "out" / "one.rejects.jsonl")
    assert first["place"].endswith("one.jsonl:401") and first["what"] == "code T14.8"
    assert second["what"] == "row"


@pytest.mark.parametrize(("side", "kept"), [("train", 398), ("val", 399), ("test", 400)])
def test_rows_with_a_phrase_held_out_from_their_side_are_left_out(
    tmp_path: Path, setup: dict[str, Any], side: str, kept: int
) -> None:
    setup["sources"][0]["side"] = side
    phrases = tmp_path / "phrases.jsonl"
    held = {"code_type": "ICD10", "code": "I10", "phrase": "Note 7", "kind": "synonym", "split": "test"}
    rows = [held, held | {"phrase": "Note 8", "split": "train"}, held | {"phrase": "Note 9", "split": "val"}]
    phrases.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = run(tmp_path, setup | {"held_out": str(phrases)})
    assert report["sources"]["one"]["kept"] == kept
    reasons = {"row holds a phrase held out for validation or test": 400 - kept}
    assert report["sources"]["one"]["left_out"] == (reasons if kept < 400 else {})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sede": 1}, "sede: unknown key"),
        ({"seed": "x"}, "seed: must be a number"),
        ({"val": 0.6, "test": 0.5}, "leave something for training"),
        ({"sources": []}, "must be a list of sources"),
        ({"sets": {"one": {"split": "train", "count": 1, "mix": {"one": 1.0}}}}, "name of a source"),
        ({"sets": {"a": {"split": "dev", "count": 1, "mix": {"one": 1.0}}}}, "use train, val, test"),
        ({"sets": {"a": {"split": "train", "count": 1, "mix": {"three": 1.0}}}}, "is not a source"),
        ({"sets": {"a": {"split": "train", "count": 1, "mix": {"one": 0.4}}}}, "do not add up to 1"),
        ({"sets": {"a": {"split": "train", "mix": {"one": 1.0}}}}, "count: missing"),
        ({"codes": 5}, "must be a path"),
    ],
)
def test_a_wrong_collection_file_names_its_key(
    tmp_path: Path, setup: dict[str, Any], change: dict[str, Any], match: str
) -> None:
    path = tmp_path / "collect.yaml"
    path.write_text(yaml.safe_dump(setup | change))
    with pytest.raises(UserError, match=match):
        read_config(path)


def test_two_sources_of_one_name_are_refused(tmp_path: Path, setup: dict[str, Any]) -> None:
    setup["sources"][1]["name"] = "one"
    path = tmp_path / "collect.yaml"
    path.write_text(yaml.safe_dump(setup))
    with pytest.raises(UserError, match="two are named `one`"):
        read_config(path)


def test_the_example_in_configs_can_be_read() -> None:
    config = read_config("configs/collect_example.yaml")
    assert {type(source).__name__ for source in config.sources} >= {"Rows"}
