"""A trained model as a folder other tools read: standard Hugging Face files with a model card, and ONNX."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from thce import files
from thce.errors import UserError
from thce.modeling import base, chat, fit

ONNX = "model.onnx"

_CARD = """---
library_name: transformers
pipeline_tag: text-generation
license: apache-2.0
---

# A THCE model

A {size:,}-parameter {architecture} that reads a short clinical narrative and writes billing codes. Not for unsupervised
billing: a person must check every code. Outside the `thce` coder nothing keeps it from writing a code that does not exist.
"""

_USE = """
## Loading

```python
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = AutoModelForCausalLM.from_pretrained(FOLDER), AutoTokenizer.from_pretrained(FOLDER)
```

The chat template is part of the tokenizer. The system prompt is part of how the model was trained:

| asks for | system prompt |
|---|---|
{prompts}

Put a blank after the `<` of any `<think>`, `</think>` or `<|...|>` in a narrative, so that it is read as text, and write
a narrative that is all in capitals in small letters, both as in training.
"""

_ONNX = """
## ONNX

`model.onnx`: input `input_ids` (batch x tokens, int64), output `logits` (batch x tokens x vocabulary, float32). Without
a cache: each further token takes the whole text again. Rows of a batch must be of one length or padded at the right.
"""


def write(model_folder: Path, out: Path, onnx: bool = False, card: Path | None = None) -> dict[str, Any]:
    """Write the folder and return its files with their sizes in bytes.

    `out` must not exist or be empty; it appears when all of it is written. `card` is a Markdown file to take as model card.
    Raises `UserError` for a folder that is there already or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(str(out), "is there already", "name a folder that does not exist")
    if onnx:
        check_onnx()
    model, tokenizer = base.load(model_folder)
    prompts = files.read_json(model_folder / "prompt.json") if (model_folder / "prompt.json").is_file() else None
    head = files.read_text(card) if card else _CARD.format(size=model.num_parameters(), architecture=type(model).__name__)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        fit.save(model, tokenizer, part, prompts)
        files.write_text(part / "README.md", head.rstrip() + "\n" + _use(prompts) + (_ONNX if onnx else ""))
        if onnx:
            write_onnx(model, tokenizer, part / ONNX)
        if out.exists():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        raise UserError(str(out), f"cannot be written ({error.strerror})", "check the folder and the disk") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {path.name: path.stat().st_size for path in sorted(out.iterdir())}


def _use(prompts: dict[str, str] | None) -> str:
    names = {"system": "its own way of answering", "system_direct": "an answer without reasoning"}
    if not prompts:
        return _USE.format(prompts="| anything | none |")
    rows = [f"| {meaning} | `{chat.as_read(prompts[name])}` |" for name, meaning in names.items()]
    return _USE.format(prompts="\n".join(rows))


def check_onnx() -> None:
    """Raises `UserError` where the packages of the extra are missing."""
    from importlib.util import find_spec

    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError("--onnx", f"{', '.join(missing)} not installed", "pip install -c constraints.txt -e '.[onnx]'")


class _Logits(nn.Module):
    """A causal language model that takes token ids alone and gives logits alone."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, use_cache=False).logits
        return logits


def write_onnx(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, path: Path) -> None:
    """Write the model as one ONNX file; batch and length are free."""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")  # plain matrix products, which every runtime has
    ids = torch.tensor([tokenizer.encode("acute bronchitis with cough", add_special_tokens=False)] * 2)
    try:
        torch.onnx.export(
            _Logits(model).eval(),
            (ids,),
            str(path),
            dynamo=True,
            external_data=False,
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}},
            verbose=False,
        )
    finally:
        model.set_attn_implementation(implementation)
