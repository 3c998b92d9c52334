"""The library's own ways of answering, for `benchmarks/coder.py`: `generate` as it is, and held to the code lines by
`prefix_allowed_tokens_fn` or by llguidance (`pip install -c constraints.txt -e '.[bench]'`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers.decoders import ByteLevel
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from thce.answers import THINK_CLOSE, THINK_OPEN
from thce.coder.coder import read_systems
from thce.coder.decode import STOP, read_tokenizer
from thce.coder.trie import CodeSet
from thce.codes.book import open as open_book
from thce.modeling.chat import prompt_text

MAX_REASONING, MAX_LINE = 160, 48


class Library:
    """The model as the library loads and runs it. `way`: `generate`, `prefix fn` or `llguidance`."""

    def __init__(self, way: str, model: str, codes: str) -> None:
        logging.disable_progress_bar()
        self.way = way
        self.systems = dict(zip((True, False), read_systems(model), strict=True))
        self.fast = read_tokenizer(model)
        self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left", local_files_only=True)
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, local_files_only=True).eval()
        self.stop, self.close = self.fast.token_to_id(STOP), self.fast.token_to_id(THINK_CLOSE)
        (self.newline,) = self.fast.encode("\n", add_special_tokens=False).ids
        self.codes = CodeSet(open_book(codes).scope, self.fast)
        if way == "prefix fn":
            self.every = list(range(self.model.config.vocab_size))
            self.tree: dict[int, Any] = {}
            for number in range(len(self.codes)):
                node = self.tree
                for token in self.codes.tokens(number):
                    node = node.setdefault(token, {})
        if way == "llguidance":
            from llguidance import LLMatcher, LLTokenizer

            tokens = LLTokenizer(self.fast.to_str(), eos_token=self.stop)
            self.grammars = {think: LLMatcher(tokens, self._grammar(think)) for think in (True, False)}
            for grammar in self.grammars.values():
                assert not grammar.is_error(), grammar.get_error()

    def answer(self, texts: Sequence[str], think: bool, batch: int) -> list[str]:
        """Completions, batches sorted by length as the coder sorts them."""
        system = self.systems[think]
        chats = [prompt_text([{"role": "system", "content": system}, {"role": "user", "content": text}]) for text in texts]
        prompts = [encoding.ids for encoding in self.fast.encode_batch_fast(chats, add_special_tokens=False)]
        order = sorted(range(len(texts)), key=lambda i: len(prompts[i]))
        found = [""] * len(texts)
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            inputs = self.tokenizer.pad({"input_ids": [prompts[i] for i in part]}, return_tensors="pt")
            width = inputs["input_ids"].shape[1]
            more: dict[str, Any] = {}
            if self.way == "prefix fn":
                more["prefix_allowed_tokens_fn"] = self._allowed(width, think)
            elif self.way == "llguidance":
                more["logits_processor"] = [_Guided(self.grammars[think], len(part), width)]
            written = self.model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=(MAX_REASONING if think else 0) + MAX_LINE,
                eos_token_id=self.stop,
                pad_token_id=self.tokenizer.pad_token_id,
                **more,
            )
            for i, row in zip(part, written[:, width:].tolist(), strict=True):
                end = row.index(self.stop) if self.stop in row else len(row)
                found[i] = self.fast.decode(row[:end], skip_special_tokens=False)
        return found

    def _grammar(self, think: bool) -> str:
        """Reasoning of any words, then lines of the code table, in the dialect of Lark that llguidance reads."""
        opening = f'{THINK_OPEN} "\\n" words {THINK_CLOSE} "\\n" ' if think else ""
        lines = " | ".join(json.dumps(self._spelled(number), ensure_ascii=False) for number in range(len(self.codes)))
        words = f"words[max_tokens={MAX_REASONING}]: /(.|\\n)*/\n" if think else ""
        return f'start: {opening}code ("\\n" code)*\n{words}code: {lines}\n'

    def _spelled(self, number: int) -> str:
        """A line as its tokens spell it: behind a bracket a word has the token it has behind a blank, which llguidance takes at
        its word."""
        tokens = [self.fast.id_to_token(token) for token in self.codes.tokens(number)]
        return str(ByteLevel().decode(tokens))

    def _allowed(self, width: int, think: bool) -> Callable[[int, Any], list[int]]:
        """Any token until the reasoning is closed, then the lines of the code tree."""

        def allowed(row: int, ids: Any) -> list[int]:
            written = ids[width:].tolist()
            if think:
                if self.close not in written:
                    return [self.close] if len(written) >= MAX_REASONING else self.every
                written = written[written.index(self.close) + 1 :]
                if not written:
                    return [self.newline]
                written = written[1:]
            node = self.tree
            for token in written:
                if token == self.newline and not node:
                    node = self.tree
                elif token in node:
                    node = node[token]
                else:
                    return [self.stop]
            return list(node) or [self.stop, self.newline]

        return allowed


class _Guided:
    """A logits processor: each row's matcher reads what was written and says which tokens may follow."""

    def __init__(self, grammar: Any, rows: int, width: int) -> None:
        self.matchers = [grammar.deep_copy() for _ in range(rows)]
        self.width = width

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        masks = []
        for matcher, row in zip(self.matchers, ids, strict=True):
            if len(row) > self.width and not matcher.is_stopped():
                matcher.consume_token(int(row[-1]))
            masks.append(np.frombuffer(matcher.compute_bitmask(), np.uint8))
        allowed = np.unpackbits(np.stack(masks), axis=1, bitorder="little")[:, : scores.shape[1]]
        return scores.masked_fill(torch.from_numpy(allowed) == 0, -torch.inf)
