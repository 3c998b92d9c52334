"""The coder's own forward pass is the library's, to rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from thce.coder.llama import Llama, Product
from thce.coder.rows import Rows, join, read_prefix
from thce.errors import UserError

pytestmark = pytest.mark.unit

PROMPTS = [[5, 6, 7, 8, 9], [5, 6, 7], [5, 6, 7, 30, 31, 32, 33, 34]]


def small(folder: Path, **changes: object) -> LlamaForCausalLM:
    torch.manual_seed(1)
    shape = {
        "vocab_size": 60,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "initializer_range": 0.3,
        "tie_word_embeddings": True,
    }
    model = LlamaForCausalLM(LlamaConfig(**{**shape, **changes})).eval()
    for name, weight in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(weight, 0.5, 1.5)
    model.save_pretrained(folder)
    return model


def test_a_laid_out_product_is_the_plain_one_and_a_row_of_it_depends_on_no_other() -> None:
    torch.manual_seed(3)
    weight, rows = torch.randn(300, 64), torch.randn(33, 64)
    product = Product(weight)
    torch.testing.assert_close(product(rows), rows @ weight.T, atol=1e-4, rtol=1e-4)
    for part in (slice(0, 1), slice(5, 12), slice(32, 33)):
        assert (product(rows[part]) == product(rows)[part]).all()
    assert product.outputs == 300
    half = Product(weight.bfloat16())
    assert not half.laid_out and (half(rows.bfloat16()) == torch.nn.functional.linear(rows.bfloat16(), weight.bfloat16())).all()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_key_value_heads": 2},
        {"num_key_value_heads": 1, "tie_word_embeddings": False},
        {"head_dim": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    ],
)
def test_next_token_logits_equal_the_library_s(tmp_path: Path, changes: dict[str, object]) -> None:
    theirs = small(tmp_path, **changes)
    rows = Rows.start(Llama.load(tmp_path), [0, 1, 2], PROMPTS, None)
    for i, prompt in enumerate(PROMPTS):
        expected = theirs(input_ids=torch.tensor([prompt])).logits[0, -1]
        torch.testing.assert_close(rows.logits[i], expected, atol=2e-4, rtol=1e-3)


def test_steps_pieces_prefixes_and_splits_all_lead_to_the_same_place(tmp_path: Path) -> None:
    theirs = small(tmp_path)
    model = Llama.load(tmp_path)
    rows = Rows.start(model, [0, 1, 2], PROMPTS, read_prefix(model, [5, 6, 7][:2]))
    rows.step(torch.tensor([11, 12, 13]))
    rows = join([rows.take([2]), rows.take([0, 1])])
    assert rows.numbers == [2, 0, 1]
    rows.extend([[20, 21, 22], [], [23]])
    written = {2: [13, 20, 21, 22], 0: [11], 1: [12, 23]}
    for i, number in enumerate(rows.numbers):
        whole = PROMPTS[number] + written[number]
        assert int(rows.length[i]) == len(whole)
        expected = theirs(input_ids=torch.tensor([whole])).logits[0, -1]
        torch.testing.assert_close(rows.logits[i], expected, atol=2e-4, rtol=1e-3)


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make repro"):
        Llama.load(tmp_path)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    config = Qwen2Config(vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4)
    Qwen2ForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="not a plain Llama"):
        Llama.load(tmp_path)


def test_a_smollm2_shaped_model_runs_in_bfloat16(tmp_path: Path) -> None:
    small(tmp_path, num_attention_heads=3, num_key_value_heads=1, hidden_size=48, head_dim=16)
    rows = Rows.start(Llama.load(tmp_path, dtype=torch.bfloat16), [0], [PROMPTS[0]], None)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    expected = theirs(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1]
    assert torch.corrcoef(torch.stack([rows.logits[0], expected]))[0, 1] > 0.99
