"""Log-probabilities where they are needed: the numbers and gradients of TRL's own head, and of its loss."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from training_settings import SHAPE
from transformers import LlamaForCausalLM
from trl import DPOConfig, DPOTrainer
from trl.trainer import dpo_trainer
from trl.trainer.utils import add_fused_lm_head

from thce.modeling import base, logprobs, tokenizer
from thce.modeling.trainer import PreferenceTrainer

pytestmark = pytest.mark.unit

OUTPUTS = ("log_probs", "entropy", "mean_logits", "is_top1")


@pytest.fixture
def model() -> LlamaForCausalLM:
    return base.scratch(SHAPE, tokenizer.train(["cough fever"] * 3, 300), 2)


def test_figures_and_gradients_are_those_of_the_library(model: LlamaForCausalLM) -> None:
    theirs = copy.deepcopy(model)
    add_fused_lm_head(theirs, temperature=0.7, outputs=OUTPUTS)
    logprobs.add_head(model, temperature=0.7, outputs=OUTPUTS)
    ids = torch.randint(0, model.config.vocab_size, (3, 12), generator=torch.Generator().manual_seed(1))
    labels = ids.masked_fill(torch.arange(12) < torch.tensor([[4], [8], [12]]), -100)  # the last row has no label at all
    found = {name: one(input_ids=ids, labels=labels, fused_lm_head=True) for name, one in (("our", model), ("trl", theirs))}
    for name in (*OUTPUTS, "loss", "label_mask"):
        assert torch.allclose(found["our"][name].float(), found["trl"][name].float(), atol=1e-5), name
    assert found["our"].log_probs[0].count_nonzero() == 8
    for output in found.values():
        (output.log_probs.sum() + output.log_probs[0, 5]).backward()
    for ours, library in zip(model.parameters(), theirs.parameters(), strict=True):
        assert ours.grad is not None and library.grad is not None
        assert torch.allclose(ours.grad, library.grad, atol=1e-4)
    plain = model(input_ids=ids, labels=labels)
    assert plain.logits.shape == (3, 12, model.config.vocab_size) and torch.isfinite(plain.loss)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the library's own head is used")
def test_the_loss_of_preference_tuning_is_that_of_the_library(model: LlamaForCausalLM, tmp_path: Path) -> None:
    tok = tokenizer.train(["cough fever"] * 3, 300)
    rows = [{"prompt": "cough" * n, "chosen": " fever" * (3 - n), "rejected": " cold" * n} for n in (1, 2)]
    arguments = DPOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        report_to="none",
        loss_type=["sigmoid", "sft"],
        precompute_ref_log_probs=True,
        gradient_checkpointing=False,
    )
    found = []
    for trainer in (PreferenceTrainer, DPOTrainer):
        mine = copy.deepcopy(model)
        kept = {"model": mine, "args": arguments, "train_dataset": Dataset.from_list(rows), "processing_class": tok}
        if trainer is PreferenceTrainer:
            with logprobs.own_head(dpo_trainer):
                made = trainer(**kept)
        else:
            made = trainer(**kept)
        batch = made.data_collator([made.train_dataset[i] for i in range(2)])
        loss = made.compute_loss(mine, dict(batch))
        loss.backward()
        found.append((loss, batch["ref_chosen_logps"], [one.grad for one in mine.parameters()]))
    (ours, our_reference, our_gradients), (theirs, reference, gradients) = found
    assert torch.allclose(ours, theirs, rtol=1e-5) and torch.allclose(our_reference, reference, rtol=1e-5)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(our_gradients, gradients, strict=True))
    assert dpo_trainer.add_fused_lm_head is add_fused_lm_head
