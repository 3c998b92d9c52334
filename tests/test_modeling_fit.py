"""Training: rows in a fixed order, nothing cut, the same weights whether or not the run was interrupted."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from torch.nn import functional
from training_settings import DPO
from transformers import PreTrainedTokenizerFast, get_scheduler
from trl import SFTConfig, SFTTrainer

from thce import files
from thce.answers import format_answer
from thce.errors import UserError
from thce.modeling import base, chat, checkpoints, dpo, fit, loss, runtime, sft, tokenizer
from thce.modeling.muon import Stacked
from thce.modeling.trainer import SupervisedTrainer
from thce.settings.modeling import BaseParams, Stage1Params

pytestmark = pytest.mark.unit

CODES = {
    "J20.9": "Acute bronchitis, unspecified",
    "I10": "Essential (primary) hypertension",
    "K21.9": "Reflux without esophagitis",
}
WORDS = {
    "J20.9": ["chest cold", "acute bronchitis", "tracheobronchitis"],
    "I10": ["HTN", "high blood pressure", "hypertension"],
    "K21.9": ["heartburn", "acid reflux", "GERD"],
}
BASE = BaseParams(
    source="scratch",
    revision=None,
    vocabulary=320,
    code_tokens=True,
    hidden=32,
    layers=2,
    heads=2,
    intermediate=64,
    context=256,
    epochs=1.0,
    batch_size=4,
    learning_rate=0.01,
    drop=0.1,
    chop=0.1,
)
SFT = Stage1Params(
    precision="fp32",
    epochs=2.0,
    batch_size=4,
    micro_batch=4,
    learning_rate=0.003,
    muon_learning_rate=None,
    adam_epsilon=1e-8,
    warmup=0.1,
    decay=0.5,
    weight_decay=0.0,
    max_grad_norm=1.0,
    descriptions=1.0,
    chop=0.1,
    echo=0,
    max_length=256,
    save_steps=4,
    patience=0,
    report_to=(),
)


def conversations() -> list[list[dict[str, str]]]:
    return [
        [
            {"role": "system", "content": "Give the billing codes."},
            {"role": "user", "content": f"{frame} {word}."},
            {"role": "assistant", "content": format_answer([("ICD10", code, CODES[code])])},
        ]
        for code, words in sorted(WORDS.items())
        for word in words
        for frame in ("Patient has", "Assessment:", "Seen for")
    ]


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runtime.start(1, 3)
    folder = tmp_path_factory.mktemp("base")
    texts = [chat.prompt_text(talk[:-1]) + talk[-1]["content"] for talk in conversations()]
    tok = tokenizer.train(texts, BASE.vocabulary, CODES)
    fit.save(base.scratch(BASE, tok, 3), tok, folder, None)
    return folder


@pytest.fixture(autouse=True)
def checkpoints_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THCE_CHECKPOINTS", str(tmp_path / "checkpoints"))


def test_batches_hold_rows_of_like_length_and_every_row_once() -> None:
    lengths = [random.Random(i).randint(5, 90) for i in range(203)]
    order = fit.order(lengths, 8, random.Random(1))
    assert sorted(order) == list(range(203))
    spans = [max(lengths[i] for i in order[k : k + 8]) - min(lengths[i] for i in order[k : k + 8]) for k in range(0, 200, 8)]
    assert sum(spans) / len(spans) < 15
    assert order == fit.order(lengths, 8, random.Random(1)) != fit.order(lengths, 8, random.Random(2))


def test_epochs_may_be_fractions() -> None:
    lengths = [10] * 40
    assert len(fit.schedule(lengths, 1.5, 4, 7)) == 60
    assert len(fit.schedule(lengths, 0.01, 4, 7)) == 4


def test_a_row_that_is_too_long_stops_the_stage_and_says_the_length_needed() -> None:
    with pytest.raises(UserError, match=r"stage1\.max_length: a row has 9 tokens, the limit is 8; set it to at least 9"):
        fit.check_lengths([{"input_ids": [1] * 9}], 8, "stage1")


def test_the_loss_is_that_of_the_library(parent: Path, tmp_path: Path) -> None:
    model, tok = base.load(parent)
    rows = [chat.encode(tok, talk, descriptions=number == 0) for number, talk in enumerate(conversations()[:5])]
    arguments = SFTConfig(
        output_dir=str(tmp_path), use_cpu=True, report_to="none", max_length=256, completion_only_loss=True, bf16=False
    )
    kept = {"args": arguments, "train_dataset": Dataset.from_list(rows), "processing_class": tok}
    ours, theirs = SupervisedTrainer(model=model, **kept), SFTTrainer(model=model, **kept)
    batch = ours.data_collator([ours.train_dataset[i] for i in range(5)])
    assert 0 < (batch["labels"] != -100).sum() < batch["labels"].numel() / 2
    loss = ours.compute_loss(model, dict(batch))
    assert torch.allclose(loss, theirs.compute_loss(model, dict(batch)), rtol=1e-5)
    assert torch.allclose(loss, ours.compute_loss(torch.nn.DataParallel(model), dict(batch)), rtol=1e-5)


def test_muon_turns_the_matrices_inside_the_layers_and_adamw_the_rest(parent: Path, tmp_path: Path) -> None:
    model, tok = base.load(parent)
    rows = [chat.encode(tok, talk) for talk in conversations()[:4]]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    arguments = SFTConfig(
        output_dir=str(tmp_path), use_cpu=True, report_to="none", max_length=256, bf16=False, max_steps=1, save_strategy="no",
        learning_rate=0.01, lr_scheduler_type="constant", weight_decay=0.0, per_device_train_batch_size=4, disable_tqdm=True,
    )  # fmt: skip
    kept = {"args": arguments, "train_dataset": Dataset.from_list(rows), "processing_class": tok}
    SupervisedTrainer(model=model, muon_learning_rate=0.02, **kept).train()
    moved = {name: value - before[name] for name, value in model.state_dict().items()}
    inner = {name for name in moved if name.endswith("_proj.weight")}
    assert len(inner) == 2 * 7  # two layers: query, key, value, output, gate, up, down
    for name, change in moved.items():
        if name in inner:  # an orthogonal matrix times 0.02 x 0.2 x the root of the longer side; Newton-Schulz is approximate
            share = torch.linalg.svdvals(change) / (0.02 * 0.2 * max(change.shape) ** 0.5)
            assert share[: len(share) // 2].min() > 0.3 and share.max() < 1.4, name
        else:  # the first step of AdamW: the rate itself, in the gradient's direction
            assert float(change.abs().max()) == pytest.approx(0.01, rel=1e-2), name


@pytest.mark.parametrize("rate", [None, 0.003], ids=["adamw", "muon"])
def test_a_larger_epsilon_keeps_the_output_vectors_of_tokens_never_wanted(
    parent: Path, tmp_path: Path, rate: float | None
) -> None:
    model, tok = base.load(parent)
    before = model.get_output_embeddings().weight.detach().clone()  # type: ignore[union-attr, operator]
    wanted = {token for talk in conversations() for token in chat.encode(tok, talk)["input_ids"]}
    never = [token for token in range(len(tok)) if token not in wanted]
    moved = {}
    for epsilon in (1e-8, 1e-2):
        settings = replace(SFT, muon_learning_rate=rate, adam_epsilon=epsilon, chop=0.0)
        after = run(parent, tmp_path / str(epsilon), settings)["lm_head.weight"]
        moved[epsilon] = float((after - before)[never].norm())
    assert moved[1e-2] < 0.25 * moved[1e-8]


def test_matrices_made_orthogonal_together_move_as_one_by_one() -> None:
    torch.manual_seed(0)
    shapes = [(24, 24), (64, 24), (24, 64), (24, 24)]
    theirs = [torch.nn.Parameter(torch.randn(*shape)) for shape in shapes]
    ours = [torch.nn.Parameter(one.detach().clone()) for one in theirs]
    given: dict[str, float] = {"lr": 0.02, "weight_decay": 0.1}
    first, second = torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **given), Stacked(ours, **given)
    for _ in range(3):
        for one, other in zip(theirs, ours, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        ours[0].grad = theirs[0].grad = None  # as for a matrix that a batch did not use
        first.step()
        second.step()
    for one, other in zip(theirs, ours, strict=True):
        assert torch.allclose(one, other, atol=2e-3)
    assert not torch.allclose(ours[1], theirs[1].detach() * 0.9)


def test_muon_and_matrices_dealt_out_in_parts_are_refused(
    parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tok = base.load(parent)
    arguments = SFTConfig(output_dir=str(tmp_path), use_cpu=True, report_to="none", max_length=256, bf16=False)
    rows = Dataset.from_list([chat.encode(tok, talk) for talk in conversations()[:4]])
    trainer = SupervisedTrainer(model=model, args=arguments, train_dataset=rows, processing_class=tok, muon_learning_rate=0.02)
    trainer.stage = "stage2"
    monkeypatch.setattr(trainer, "is_fsdp_enabled", True)
    with pytest.raises(UserError, match=r"params\.yaml: stage2\.muon_learning_rate: .*FSDP.*; set it to null"):
        trainer.create_optimizer()


def test_narratives_are_repeated_word_for_word_and_no_further_than_sixty_words() -> None:
    talks = conversations()[:2]
    talks[1][1]["content"] = "  one\ntwo <|im_end|> " + "more " * 80
    assert sft.echoes(talks, 0) == []
    short, long = sft.echoes(talks + conversations(), 2)
    assert [turn["content"] for turn in short] == [sft.ECHO, talks[0][1]["content"], talks[0][1]["content"]]
    assert long[1]["content"] == long[2]["content"] and len(long[1]["content"].split()) == 60
    assert long[1]["content"].startswith("one\ntwo < |im_end|> more")  # no control token in an answer


def test_echoes_are_trained_on(parent: Path, tmp_path: Path) -> None:
    talks = conversations()
    _, metrics = sft.train_stage("stage1", parent, tmp_path / "out", talks, talks[:6], replace(SFT, echo=10, epochs=1.0), 11)
    assert metrics["examples"] == len(talks) + 10 == metrics["rows"]
    assert files.read_json(tmp_path / "out" / "prompt.json")["system"] == talks[0][0]["content"]


def test_the_learning_rate_rises_stays_and_falls(tmp_path: Path) -> None:
    settings = fit.Settings.of(replace(SFT, warmup=0.2, decay=0.5))
    given = fit.common(settings, tmp_path, 1, 40, "stage1")  # 10 steps
    weight = torch.nn.Parameter(torch.zeros(1))
    rule = get_scheduler(
        given["lr_scheduler_type"],
        torch.optim.SGD([weight], lr=1.0),
        given["warmup_steps"],
        10,
        given["lr_scheduler_kwargs"],
    )
    rates = [rule.lr_lambdas[0](step) for step in range(11)]
    assert fit.common(replace(settings, decay=1.0), tmp_path, 1, 40, "stage1")["lr_scheduler_kwargs"]["num_decay_steps"] == 8
    assert rates == pytest.approx([0, 0.5, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])


def run(parent: Path, out: Path, settings: Stage1Params = SFT) -> dict[str, torch.Tensor]:
    talks = conversations()
    points, metrics = sft.train_stage("stage1", parent, out, talks, talks[:6], settings, 11)
    assert metrics["rows"] == 54 and metrics["steps"] == 14 and len(points) == 14
    assert metrics["val_loss"]["after"] < metrics["val_loss"]["before"]
    return load_file(out / "model.safetensors")


@pytest.mark.parametrize("rate", [None, 0.003], ids=["adamw", "muon"])
def test_an_interrupted_run_ends_with_the_same_weights(
    parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float | None
) -> None:
    settings = replace(SFT, muon_learning_rate=rate)
    whole = run(parent, tmp_path / "whole", settings)

    def pull_the_plug(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        if state.global_step == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(fit.Curve, "on_step_end", pull_the_plug, raising=False)
    with pytest.raises(KeyboardInterrupt):
        run(parent, tmp_path / "cut", settings)
    monkeypatch.undo()
    monkeypatch.setenv("THCE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    saved = sorted(path.name for path in (tmp_path / "checkpoints" / "stage1").glob("*/checkpoint-*"))
    assert saved == ["checkpoint-4", "checkpoint-8"]
    again = run(parent, tmp_path / "cut", settings)
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert (tmp_path / "cut" / "config.json").read_bytes() == (tmp_path / "whole" / "config.json").read_bytes()
    assert not list((tmp_path / "checkpoints" / "stage1").glob("*"))


def test_a_checkpoint_of_other_parameters_or_a_torn_one_is_not_used(tmp_path: Path) -> None:
    run_folder, resume = checkpoints.open_run("stage1", "a" * 20)
    (run_folder / "checkpoint-4").mkdir()
    (run_folder / "checkpoint-4" / checkpoints.MARKER).touch()
    (run_folder / "checkpoint-8").mkdir()
    assert resume is None
    assert checkpoints.open_run("stage1", "a" * 20)[1] == str(run_folder / "checkpoint-4")
    assert not (run_folder / "checkpoint-8").exists()
    assert checkpoints.open_run("stage1", "b" * 20)[1] is None
    assert not run_folder.exists()


def test_preference_tuning_raises_the_chosen_over_the_rejected(parent: Path, tmp_path: Path) -> None:
    run(parent, tmp_path / "stage2")
    talks = conversations()
    rows = [{"prompt": talk[:-1], "chosen": talk[-1]["content"], "rejected": format_answer([])} for talk in talks]
    for part in ("train", "val"):
        files.write_jsonl(tmp_path / f"{part}.jsonl", rows[:: 1 if part == "train" else 4])
    settings = replace(DPO, micro_batch=3, warmup=0.1, save_steps=50)
    points, metrics = dpo.train_stage(tmp_path / "stage2", tmp_path / "stage3", tmp_path, settings, 4)
    held = metrics["held_out"]
    assert held["before"]["reward_margin"] == 0 and held["after"]["reward_margin"] > 0
    assert held["after"]["reward_accuracy"] == 1.0
    assert len(points) == 3 and {"margin", "logps_chosen", "logps_rejected"} <= set(points[0])
    assert (tmp_path / "stage3" / "prompt.json").read_bytes() == (tmp_path / "stage2" / "prompt.json").read_bytes()
    trained, _ = base.load(tmp_path / "stage3")
    start, _ = base.load(tmp_path / "stage2")
    assert any(not torch.equal(a, b) for a, b in zip(trained.parameters(), start.parameters(), strict=True))


def test_pairs_are_chosen_by_their_origin(parent: Path, tmp_path: Path) -> None:
    rows = [{"_metadata": {"origin": name}} for name in ("own", "completed", "mended", "built")] + [{"_metadata": {}}, {}]
    assert dpo.of_origin(rows, ["own", "built"]) == [rows[0], *rows[3:]]
    for part in ("train", "val"):
        files.write_jsonl(tmp_path / f"{part}.jsonl", rows[1:2])
    with pytest.raises(UserError, match="holds no pairs of the origins own"):
        dpo.train_stage(parent, tmp_path / "out", tmp_path, replace(DPO, origins=("own",)), 4)


def test_a_pair_is_tokenized_as_a_supervised_row(parent: Path) -> None:
    _, tok = base.load(parent)
    talk = conversations()[0]
    row = dpo.texts([{"prompt": talk[:-1], "chosen": talk[-1]["content"], "rejected": "x"}])[0]
    assert tok.encode(row["prompt"] + row["chosen"] + tok.eos_token) == chat.encode(tok, talk)["input_ids"]


def test_a_missing_model_and_an_unpinned_hub_name_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no trained model here"):
        base.load(tmp_path)
    from dataclasses import replace

    with pytest.raises(UserError, match="pinned revision"):
        base.pretrained(replace(BASE, source="HuggingFaceTB/SmolLM2-135M-Instruct"))
    with pytest.raises(UserError, match=r"heads do not divide|even widths"):
        base.scratch(replace(BASE, heads=3), _tok(), 1)


def _tok() -> PreTrainedTokenizerFast:
    return tokenizer.train(["cough"] * 3, 300)


def test_the_loss_and_its_gradient_are_torchs_whatever_is_filled_up() -> None:
    torch.manual_seed(3)
    labels = torch.randint(0, 50, (700,))
    labels[torch.rand(700) < 0.6] = -100
    vectors = torch.randn(700, 8)
    where, wanted = loss.places(labels)
    assert len(where) % loss.STRIDE == 0 and (wanted != -100).sum() == (labels != -100).sum()
    assert torch.equal(labels[where][wanted != -100], wanted[wanted != -100])
    for precision, close in ((torch.float32, 1e-6), (torch.bfloat16, 1e-2)):
        weight = torch.randn(50, 8, requires_grad=True)
        ours = loss.cross_entropy((vectors[where] @ weight.T).to(precision), wanted)
        theirs = functional.cross_entropy((vectors @ weight.T).to(precision).float(), labels, reduction="sum")
        assert torch.allclose(ours, theirs, rtol=1e-6)
        (mine,) = torch.autograd.grad(3 * ours, weight)
        (other,) = torch.autograd.grad(3 * theirs, weight)
        assert torch.allclose(mine, other, rtol=close, atol=close * float(other.abs().max()))


def test_a_batch_in_which_nothing_counts_has_no_loss() -> None:
    where, wanted = loss.places(torch.full((9,), -100))
    logits = torch.randn(9, 5, requires_grad=True)[where]
    assert float(loss.cross_entropy(logits, wanted)) == 0
