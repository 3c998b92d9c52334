"""Several processes: the launcher files are the library's own, and two processes train as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType

FILES = sorted((Path(__file__).resolve().parent.parent / "configs" / "accelerate").glob("*.yaml"))

# A stage script like those of the pipeline, on the rows and settings of test_modeling_fit.
SCRIPT = """
import sys
sys.path[:0] = {path!r}
import _launch
from dataclasses import replace
from test_modeling_interruption import *
def main():
    os.chdir({folder!r})  # a stage starts in the repository
    runtime.start(1, 3)
    talks = conversations()[:24]
    settings = replace(SFT, chop=0.0, epochs=2.0)
    points, metrics = sft.train_stage("stage1", Path({parent!r}), Path("model"), talks, talks[:6], settings, 11)
    rows = [{{"prompt": t[:-1], "chosen": t[-1]["content"], "rejected": format_answer([])}} for t in talks]
    pairs = replace(DPO, batch_size=6, micro_batch=3, learning_rate=1e-4)
    if runtime.main_process():
        files.write_jsonl("train.jsonl", rows)
        files.write_jsonl("val.jsonl", rows[:4])
    import torch.distributed as d
    if d.is_initialized(): d.barrier()
    reward, tuned = dpo.train_stage(Path({parent!r}), Path("tuned"), Path("."), pairs, 4)
    with open("wrote", "a") as stream: stream.write(os.environ.get("WORLD_SIZE", "1") + "\\n")
    if runtime.main_process():
        files.write_json("found.json", [points, metrics, reward, tuned])
if __name__ == "__main__": _launch.run(main)
"""


@pytest.mark.unit
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_library_takes_the_file(path: Path) -> None:
    config = load_config_from_file(str(path))
    assert config.mixed_precision == "no"
    # what stands in the file is what the library knows: it names an unknown key when it loads, a wrong combination here
    arguments = launch_command_parser().parse_args(["--config_file", str(path), "stages/stage1.py"])
    arguments, defaults, _ = _validate_launch_command(arguments)
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert arguments.num_processes == written["num_processes"] > 1 and defaults.distributed_type == written["distributed_type"]
    assert arguments.multi_gpu or arguments.use_fsdp  # the kinds that start several processes
    assert arguments.use_cpu == (path.stem == "cpu")
    assert (arguments.num_machines > 1) == (path.stem == "multi_node")
    if path.stem == "fsdp":
        assert defaults.distributed_type == DistributedType.FSDP and arguments.fsdp_state_dict_type == "FULL_STATE_DICT"


@pytest.mark.unit
def test_every_kind_has_a_file_and_an_unknown_key_is_refused(tmp_path: Path) -> None:
    assert [path.stem for path in FILES] == ["cpu", "ddp", "fsdp", "multi_node"]
    (tmp_path / "wrong.yaml").write_text(FILES[0].read_text(encoding="utf-8") + "procesess: 2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="procesess"):
        load_config_from_file(str(tmp_path / "wrong.yaml"))


def start(folder: Path, parent: Path, root: Path, launch: str) -> Any:
    """The script's results, under the launcher."""
    folder.mkdir()
    path = [str(root / "tests"), str(root / "stages"), str(root / "src")]
    (folder / "stage.py").write_text(SCRIPT.format(path=path, parent=str(parent), folder=str(folder)), encoding="utf-8")
    environment = {**os.environ, "THCE_LAUNCH": launch, "THCE_CHECKPOINTS": str(folder / "checkpoints")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([sys.executable, "stage.py"], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


@pytest.mark.long
def test_two_processes_train_as_one_does(tmp_path: Path, root: Path) -> None:
    from test_modeling_interruption import BASE, CODES, base, chat, conversations, fit, runtime, tokenizer

    runtime.start(1, 3)
    parent = tmp_path / "base"
    texts = [chat.prompt_text(talk[:-1]) + talk[-1]["content"] for talk in conversations()]
    tok = tokenizer.train(texts, BASE.vocabulary, CODES)
    prompts = {"system": "Give the billing codes.", "system_direct": "Give the billing codes."}
    fit.save(base.scratch(BASE, tok, 3), tok, parent, prompts)

    one = start(tmp_path / "one", parent, root, "")
    two = start(tmp_path / "two", parent, root, f"accelerate launch --config_file {root / 'configs/accelerate/cpu.yaml'}")
    assert (tmp_path / "one" / "wrote").read_text() == "1\n" and (tmp_path / "two" / "wrote").read_text() == "2\n2\n"
    for part in (0, 2):  # the curves of supervised training and of preference tuning
        assert [point["step"] for point in one[part]] == [point["step"] for point in two[part]]
        for key in ("loss", "margin"):
            values = [[point[key] for point in run[part]] for run in (one, two) if key in run[part][0]]
            assert not values or values[1] == pytest.approx(values[0], rel=1e-4, abs=1e-4)
    for part in (1, 3):  # rows, tokens, steps
        same = [key for key, value in one[part].items() if isinstance(value, int)]
        assert len(same) >= 3 and {key: one[part][key] for key in same} == {key: two[part][key] for key in same}
    assert two[1]["val_loss"]["after"] == pytest.approx(one[1]["val_loss"]["after"], rel=1e-3)
    for name in ("model", "tuned"):
        files = [sorted(path.name for path in (tmp_path / run / name).iterdir()) for run in ("one", "two")]
        assert files[0] == files[1]
