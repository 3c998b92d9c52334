"""The notebooks run from their first cell to their last, on a small project of real files, and are kept without outputs."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import codes_tables
import evaluation_files
import pytest
from evaluation_rows import record

from thce.answers import Code
from thce.errors import UserError
from thce.evaluation import notebook
from thce.files import read_json, write_jsonl

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MISSING = [name for name in ("nbclient", "ipykernel") if find_spec(name) is None]


def narrative(number: int, text: str, gold: list[tuple[str, str, str]], **about: Any) -> dict[str, Any]:
    """A narrative row; `gold` are (code type, code, words of the text)."""
    evidence = [
        {"code_type": kind, "code": code, "start": text.index(words), "end": text.index(words) + len(words), "text": words}
        for kind, code, words in gold
    ]
    codes = [{"code_type": kind, "code": code} for kind, code, _ in gold]
    row = {"id": f"r{number}", "narrative": text, "codes": codes, "evidence": evidence, "kind": "clinic", "none_reason": None}
    return row | {"source": "synthetic", "group": None, "template": "t"} | about


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the notebooks read: tables, phrasebook, narratives, a test set with predictions, metrics."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(codes_tables.folder(), folder / "data" / "codes")
    shutil.copytree(ROOT / "data" / "phrasebook", folder / "data" / "phrasebook")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    evaluation_files.write(folder / "metrics")
    rows = [
        narrative(1, "Dx chest cold.", [("ICD10", "J20.9", "chest cold")]),
        narrative(2, "Chest cold, hypertension.", [("ICD10", "J20.9", "Chest cold"), ("ICD10", "I10", "hypertension")]),
        narrative(3, "No chest pain <today>.", [], none_reason="negated"),
        narrative(4, "A note of a real patient.", [("ICD10", "I10", "note")], source="jsonl"),
    ]
    write_jsonl(folder / "data" / "narratives" / "train.jsonl", rows)
    write_jsonl(folder / "data" / "narratives" / "phrases.jsonl", [{"phrase": "chest cold"}])
    tests = [record(f"k{n}", "Dx chest cold.", [Code("ICD10", "J20.9")], "chest cold") for n in range(4)]
    tests[3]["_metadata"]["source"] = "jsonl"
    tests[3]["messages"][1]["content"] = "Dx chest cold of a real patient."
    write_jsonl(folder / "data" / "prepared" / "test_known.jsonl", tests)
    given = [{"code_type": "ICD10", "code": "J20.9"}]
    about = {"system": "system", "mode": "fused"}
    found = [about | {"id": f"k{n}", "codes": given if n else [], "confidence": n / 4, "text": f"<t{n}>"} for n in range(4)]
    write_jsonl(folder / "data" / "predictions" / "system.jsonl", found)
    return folder


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_every_notebook_runs_to_its_end(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one kernel, which takes seconds to start; each begins by going to the root, as in a kernel of its own."""
    import nbformat
    from nbclient import NotebookClient

    assert [path.stem for path in NOTEBOOKS] == ["01_data_exploration", "02_code_analysis", "03_model_outputs"]
    books = [nbformat.read(project / "notebooks" / path.name, as_version=4) for path in NOTEBOOKS]
    parts = [cell for one in books for cell in ("%reset -f\n%cd -q " + str(project / "notebooks"), *one.cells)]
    whole = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(part) if isinstance(part, str) else part for part in parts]
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    NotebookClient(whole, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(project)}}).execute()
    frames = [
        output["data"].get("text/html", "")
        for cell in whole.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    assert len(frames) == 15 and all(frame.startswith("<iframe srcdoc=") for frame in frames)
    assert not any("real patient" in frame for frame in frames)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_without_logic(path: Path) -> None:
    cells = read_json(path)["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert all(cell.get("outputs") == [] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code")
    assert not any(re.search(r"^\s*(def|for|while|class|if)\b", line) for text in code for line in text.split("\n"))


def test_what_is_shown_is_what_the_files_say(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "notebooks")
    assert notebook.at_root() == project
    train = "data/narratives/train.jsonl"
    html = notebook.files().html
    assert re.search(r"<td>train</td><td>4</td><td>2</td><td>25.0 %</td><td>25.0 %</td><td>3.5</td>", html)
    assert "phrases" not in html  # no narratives in it
    assert "3  (75.0 %)" in notebook.lengths(train).html and "1  (25.0 %)" in notebook.lengths(train).html
    assert "negated" in notebook.groups(train, "none_reason").html
    shown = notebook.samples(train, 9).html
    assert "<mark>chest cold</mark>" in shown and "&lt;today&gt;" in shown and "real patient" not in shown
    rows = notebook.answers()
    assert [right for _, _, right in rows] == [False, True, True, True]
    assert ">1, 0 %<" in notebook.sure(rows).html and ">1, 100 %<" in notebook.sure(rows).html
    assert "&lt;t0&gt;" in notebook.shown(rows, False).html and "&lt;t1&gt;" not in notebook.shown(rows, False).html
    assert "real patient" not in notebook.shown(rows, True).html
    assert "Acute bronchitis" in notebook.chain(codes_tables.book(), "ICD10", "J20.9").html


def test_what_is_missing_is_said(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"no params.yaml here or above"):
        notebook.at_root(tmp_path)
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=r"models/none: not there yet; run `dvc repro`"):
        notebook.need("params.yaml", "models/none")
    with pytest.raises(UserError, match=r"holds nothing of system in mode direct"):
        notebook.answers("system", "direct")
    with pytest.raises(UserError, match=r"ICD10 X: is not in the table"):
        notebook.chain(codes_tables.book(), "ICD10", "X")
