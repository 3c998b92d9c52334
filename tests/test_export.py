"""An exported model loads in two lines, and its ONNX form gives the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from coder_models import rows, taught
from transformers import AutoModelForCausalLM, AutoTokenizer

from thce import cli, export
from thce.errors import UserError
from thce.modeling import chat


def prompts(count: int) -> list[list[dict[str, str]]]:
    return [row[:2] for row in rows(False)][:count]


@pytest.mark.unit
def test_the_folder_loads_in_two_lines_and_gives_the_same_logits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "exported"
    assert cli.main(["export", str(taught()), "--output", str(out)]) == 0
    said = capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "README.md", "prompt.json"} <= names
    assert all(name in said for name in names) and not (tmp_path / "exported.part").exists()

    model, tokenizer = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    mine = AutoModelForCausalLM.from_pretrained(taught())
    for messages in prompts(3):
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")["input_ids"]
        assert ids[0].tolist() == chat.encode_prompt(tokenizer, messages)
        assert torch.equal(model(ids).logits, mine(ids).logits)
    card = (out / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and "from_pretrained(FOLDER)" in card and "model.onnx" not in card
    for path in out.iterdir():  # no path of this machine in any of them
        assert str(taught()).encode() not in path.read_bytes() and str(tmp_path).encode() not in path.read_bytes()


@pytest.mark.unit
def test_a_card_may_be_given_and_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# Mine\n", encoding="utf-8")
    export.write(taught(), tmp_path / "out", card=tmp_path / "card.md")
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8").startswith("# Mine\n\n## Loading\n")
    with pytest.raises(UserError, match="is there already"):
        export.write(taught(), tmp_path / "out")
    with pytest.raises(UserError, match="no trained model here"):
        export.write(tmp_path, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.unit
def test_missing_packages_of_the_extra_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"--onnx: onnx, onnxscript, onnxruntime not installed; pip install .*\[onnx\]"):
        export.write(taught(), tmp_path / "out", onnx=True)


@pytest.mark.long
def test_onnx_gives_the_same_greedy_answers(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    export.write(taught(), tmp_path / "out", onnx=True)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path / "out"), AutoTokenizer.from_pretrained(tmp_path / "out")
    session = runtime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    stop = chat.stop_id(tokenizer)
    narratives = prompts(20)
    assert len(narratives) == 20
    for messages in narratives:
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")["input_ids"]
        wanted = model.generate(ids, max_new_tokens=40, do_sample=False)[0].tolist()
        found = ids[0].tolist()
        while len(found) < ids.shape[1] + 40 and (len(found) == ids.shape[1] or found[-1] != stop):
            (logits,) = session.run(["logits"], {"input_ids": torch.tensor([found]).numpy()})
            found.append(int(logits[0, -1].argmax()))
        assert found == wanted
        assert "ICD10:" in tokenizer.decode(found) or "HCPCS:" in tokenizer.decode(found)
    pair = torch.tensor([wanted[:12], wanted[:12]])
    assert session.run(None, {"input_ids": pair.numpy()})[0].shape[:2] == (2, 12)
