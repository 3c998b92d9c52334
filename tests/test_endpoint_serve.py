"""Generation against `transformers serve` with a small model of our own that has learned two replies by heart.

Skipped where the server's extra (`pip install "transformers[serving]"`) is not installed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import served_model
from codes_tables import book
from endpoint_server import good_reply

from thce.narratives.endpoint import endpoint
from thce.narratives.endpoint_records import Rules, generate
from thce.narratives.endpoint_tasks import Task, tasks

pytestmark = served_model.skip_without


def learned_by_heart(asked: list[Task], folder: Path) -> None:
    """Train a small Llama until it repeats the reply to each prompt, and save it with our chat template."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from thce.modeling import chat, tokenizer

    torch.set_num_threads(1)
    torch.manual_seed(17)
    rows = [[*task.messages, {"role": "assistant", "content": good_reply(task.messages[1]["content"])}] for task in asked]
    words = tokenizer.train((turn["content"] for row in rows for turn in row for _ in range(2)), 700)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=2048,
            pad_token_id=words.pad_token_id,
            eos_token_id=words.eos_token_id,
            bos_token_id=None,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    encoded = [chat.encode(words, row) for row in rows]
    for _ in range(150):
        loss = torch.zeros(())
        for row in encoded:
            ids = torch.tensor([row["input_ids"]])
            labels = torch.where(torch.tensor([row["completion_mask"]]) == 1, ids, -100)
            loss = loss + model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.02:
            break
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def test_a_real_server_writes_records_that_hold(served_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served_model.no_key_no_proxy(monkeypatch)
    asked = list(tasks(2, 2, 17, book()))
    model = tmp_path / "model"
    learned_by_heart(asked, model)
    to = endpoint(served_url, str(model), temperature=0.0, workers=1, timeout=60.0, attempts=3, max_tokens=300)
    result = generate(asked, to, Rules(book(), "Think, then give the billing codes."), tmp_path / "out.jsonl")
    assert result["failed"] == {} and result["reasons"] == {}
    assert result["accepted"] == 2
    assert result["completion_tokens"] > 0  # the server counts tokens, and we take its count
