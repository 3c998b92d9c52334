"""A small real model in a folder: a trained tokenizer and a Llama taught a few phrases for a few seconds."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import shared
import torch
from codes_tables import book
from transformers import LlamaConfig, LlamaForCausalLM

from thce.answers import format_answer, format_completion, parse
from thce.coder import calibrate, fusion, lookup, near, outside, prior
from thce.coder.coder import Coder, Options
from thce.files import write_json
from thce.modeling import chat, tokenizer

THINK, DIRECT = "Think, then give the billing codes.", "Give the billing codes."
PHRASES = {
    ("ICD10", "J20.9", "Acute bronchitis, unspecified"): ("acute bronchitis", "chest cold"),
    ("ICD10", "E11.9", "Type 2 diabetes mellitus without complications"): ("type 2 diabetes", "adult onset diabetes"),
    ("ICD10", "I10", "Essential (primary) hypertension"): ("high blood pressure", "hypertension"),
    ("HCPCS", "E0130", "Walker, rigid (pickup), adjustable or fixed height"): ("rigid walker", "pickup walker"),
}
SENTENCES = ("Assessment: {}.", "Seen for {}.", "Dx {}.")


def rows(think: bool) -> list[list[dict[str, str]]]:
    """Conversations over every phrase and sentence, some with two codes and some with none."""
    singles = [(code, phrase) for code, phrases in PHRASES.items() for phrase in phrases]
    cases = [([one], sentence.format(one[1])) for one in singles for sentence in SENTENCES]
    cases += [([one, two], f"Dx {one[1]}. Dx {two[1]}.") for one in singles[::2] for two in singles[1::2] if one[0] != two[0]]
    cases += [([], sentence.format("nothing new")) for sentence in SENTENCES]
    found = []
    for items, narrative in cases:
        answer = format_answer([code for code, _ in items])
        trace = "\n".join(f'- Documented: "{phrase}"\n- Code: {code[1]}' for code, phrase in items) or "- Code: none"
        found.append(
            [
                {"role": "system", "content": THINK if think else DIRECT},
                {"role": "user", "content": narrative},
                {"role": "assistant", "content": format_completion(trace if think else None, answer)},
            ]
        )
    return found


@cache
def taught() -> Path:
    """A model that has learned the phrases above; made once per run."""
    return shared.once("taught", lambda folder: make(folder, 220))


@cache
def untaught() -> Path:
    """A model with random weights: it writes nonsense, which no answer may show."""
    return shared.once("untaught", lambda folder: make(folder, 0))


@cache
def calibrated() -> Path:
    """Lexical prior and calibration for the taught model, fitted as the stage does, on the rows above."""
    return shared.once("calibrated", _calibrate)


def _calibrate(folder: Path) -> None:
    coder = Coder.load(taught(), book(), options=Options(max_reasoning=80, max_codes=3, batch_size=4))
    labels = coder.codes().labels
    place = {label: i for i, label in enumerate(labels)}
    known = [(phrase, code) for code, phrases in PHRASES.items() for phrase in (*phrases, code[2])]
    texts = [entry.title for entry in coder.scope] + [phrase for phrase, _ in known] * 4
    targets = list(range(len(coder.scope))) + [place[code[:2]] for _, code in known] * 4
    coder.prior = prior.fit(texts, targets, labels, dim=16, epochs=6, learning_rate=0.05, dropout=0.3, seed=1)
    coder.prior.save(folder)
    cases = [(row, parse(row[2]["content"])) for row in rows(True)]
    gold = [[place[code.code_type, code.code] for code in read.codes] or [len(labels) - 1] for _, read in cases]
    narratives = [row[1]["content"] for row, _ in cases]
    truth = [[(code.code_type, code.code) for code in read.codes] for _, read in cases]
    wordings = lookup.gather((phrase, code[:2]) for phrase, code in known)
    coder.wordings = near.Wordings.of(wordings, coder.prior)
    coder.wordings.save(folder)
    reads = coder.read(narratives, coder.codes())
    finds = [lookup.LookUp(wordings, {}).find(text, book()) for text in narratives]
    coder.lookup = lookup.LookUp(wordings, lookup.measure(finds, truth))
    coder.lookup.save(folder)
    outside.save(outside.wordings(book(), wordings), folder)
    result: dict[str, Any] = {"params": asdict(coder.options) | {"reason_first": False}}
    for mode in fusion.MODES:
        sources = calibrate.sources_of(coder, narratives, finds, reads, mode == "think")
        result[mode] = asdict(calibrate.fit_mode(sources, gold, 0.9).fusion)
    write_json(folder / fusion.SETTINGS, result)


def make(folder: Path, steps: int, seed: int = 3, kv_heads: int = 2) -> Path:
    """Write a model folder as the stages do. With `steps` 0 the weights stay random, but sure of themselves."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    data = rows(True) + rows(False)
    texts = [chat.prompt_text(row[:2]) + row[2]["content"] for row in data]
    vocabulary = tokenizer.train(texts, 420)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        max_position_embeddings=320,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=vocabulary.eos_token_id,
        pad_token_id=vocabulary.pad_token_id,
        initializer_range=0.02 if steps else 0.3,
    )
    model = LlamaForCausalLM(config)
    _teach(model, [chat.encode(vocabulary, row) for row in data], steps)
    model.save_pretrained(folder)
    vocabulary.save_pretrained(folder)
    (folder / "prompt.json").write_text(json.dumps({"system": THINK, "system_direct": DIRECT}), encoding="utf-8")
    return folder


def _teach(model: LlamaForCausalLM, encoded: list[dict[str, list[int]]], steps: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    width = max(len(row["input_ids"]) for row in encoded)
    ids = torch.zeros((len(encoded), width), dtype=torch.long)
    labels = torch.full((len(encoded), width), -100)
    for i, row in enumerate(encoded):
        tokens = torch.tensor(row["input_ids"])
        ids[i, : len(tokens)] = tokens
        labels[i, : len(tokens)] = torch.where(torch.tensor(row["completion_mask"]) > 0, tokens, -100)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        batch = torch.randperm(len(encoded), generator=generator)[:16]
        logits = model(input_ids=ids[batch]).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[batch, 1:].flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
