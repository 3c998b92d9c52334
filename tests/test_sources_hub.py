"""Data sets in the layout of the Hugging Face hub, streamed from a local folder; no test goes to the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book

from thce.errors import UserError
from thce.narratives import sources
from thce.narratives.sources_config import configure

pytestmark = pytest.mark.unit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "set"
    data.mkdir()
    for split, texts in (("train", ["Acute bronchitis.", "High blood pressure."]), ("test", ["Left out."])):
        rows = [{"text": text, "labels": ["J209"] if "bronch" in text else ["I10"]} for text in texts]
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return data


def config(folder: str, **change: Any) -> sources.SourceConfig:
    columns = {"narrative": "text", "icd10": "labels"}
    entry = {"source": "hub", "name": "hub", "dataset": folder, "revision": COMMIT, "columns": columns}
    return configure(entry | change, "test")


def test_a_split_is_streamed_into_narrative_rows(folder: Path) -> None:
    found = list(sources.rows(config(str(folder)), book()))
    assert [row["narrative"] for row in found] == ["Acute bronchitis.", "High blood pressure."]
    assert [row["codes"] for row in found] == [
        [{"code_type": "ICD10", "code": "J20.9"}],
        [{"code_type": "ICD10", "code": "I10"}],
    ]


def test_a_branch_name_is_no_revision(folder: Path) -> None:
    with pytest.raises(UserError, match="`main` is no commit"):
        list(sources.rows(config(str(folder), revision="main"), book()))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"split": "validation"}, "cannot be read"),
        ({"columns": {"narrative": "note", "icd10": "labels"}}, "has no column `note`"),
        ({"dataset": "/nowhere/at/all"}, "no such folder"),
        ({"dataset": "nobody/nothing-of-this-name"}, "cannot be read.*check name, revision and network"),
    ],
)
def test_what_cannot_be_read_says_how_to_mend_it(folder: Path, change: dict[str, Any], match: str) -> None:
    # HF_HUB_OFFLINE is set for all tests, so the last case fails without a request
    with pytest.raises(UserError, match=match):
        list(sources.rows(config(str(folder), **change), book()))
