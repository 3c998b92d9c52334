"""The forward pass of a Llama for decoding: fused weights, one preallocated cache, any number of tokens per row.

Training uses the library's model. Decoding a small model with it spends most of its time around the arithmetic, and
loading it takes longer than coding a hundred notes, so the coder runs the same weights through this pass (a test holds
the two together). Keys and values lie in one tensor `cache[layer, row, slot]`; the caller says where each token is
written and what it may look at, so that a prompt, the next token, a forced line or a tree of candidate codes are all
one call, and rows need not be equally long.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from thce.errors import UserError
from thce.files import read_json, weights

_LAYER = re.compile(
    r"model\.layers\.\d+\.(input_layernorm|post_attention_layernorm|self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.weight"
)
_OUTER = ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")


class Product:
    """The product with a weight matrix [out, in] that never changes.

    On a processor the matrix is laid out once as oneDNN's kernels read it; `linear` does that anew in every call, which for
    the output product of a small batch costs as much as the product itself. A row's result then depends on no other row.
    """

    def __init__(self, weight: Tensor) -> None:
        self.outputs = weight.shape[0]
        self.laid_out = weight.device.type == "cpu" and weight.dtype == torch.float32 and torch.backends.mkldnn.is_available()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight) if self.laid_out else weight

    def __call__(self, x: Tensor) -> Tensor:
        """x [..., in] times the matrix: [..., out]."""
        if not self.laid_out:
            return functional.linear(x, self.weight)
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, None, "none", [], "")
        return result


class Llama:
    """Weights and forward pass. `context` is the longest sequence the model was made for, in tokens."""

    def __init__(self, config: dict[str, Any], weights: dict[str, Tensor], device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self.context = int(config["max_position_embeddings"])
        self.layers = int(config["num_hidden_layers"])
        self.heads = int(config["num_attention_heads"])
        self.kv_heads = int(config.get("num_key_value_heads") or self.heads)
        self.hidden = int(config["hidden_size"])
        self.width = int(config.get("head_dim") or self.hidden // self.heads)
        self.eps = float(config["rms_norm_eps"])

        def get(name: str) -> Tensor:
            return weights[name].to(device, dtype)

        def folded(norm: str, *names: str) -> Tensor:
            # a norm's scale is folded into the product that follows it: one operation less per layer
            scale = weights[norm].float()
            return torch.cat([weights[name].float() * scale for name in names]).to(device, dtype)

        self.embedding = get("model.embed_tokens.weight")
        output = "lm_head.weight" if "lm_head.weight" in weights else "model.embed_tokens.weight"
        self.output = Product(folded("model.norm.weight", output))
        self.blocks: list[tuple[Product, Product, Product, Product]] = []
        for layer in range(self.layers):
            at = f"model.layers.{layer}."
            self.blocks.append(
                (
                    Product(folded(f"{at}input_layernorm.weight", *(f"{at}self_attn.{part}_proj.weight" for part in "qkv"))),
                    Product(get(f"{at}self_attn.o_proj.weight")),
                    Product(
                        folded(f"{at}post_attention_layernorm.weight", f"{at}mlp.gate_proj.weight", f"{at}mlp.up_proj.weight")
                    ),
                    Product(get(f"{at}mlp.down_proj.weight")),
                )
            )
        theta = float((config.get("rope_parameters") or {}).get("rope_theta") or config.get("rope_theta") or 10_000.0)
        steps = torch.arange(0, self.width, 2, dtype=torch.float32) / self.width
        angles = torch.outer(torch.arange(self.context, dtype=torch.float32), 1.0 / theta**steps)
        self.cos = torch.cat([angles.cos(), angles.cos()], dim=-1).to(device, dtype)
        self.sin = torch.cat([-angles.sin(), angles.sin()], dim=-1).to(device, dtype)

    @classmethod
    def load(cls, folder: Path | str, device: torch.device | None = None, dtype: torch.dtype = torch.float32) -> Llama:
        """The model in a Hugging Face folder (`config.json`, `*.safetensors`).

        Raises `UserError` when nothing is trained yet or the model is not a plain Llama.
        """
        folder = Path(folder)
        files = sorted(folder.glob("*.safetensors"))
        if not files or not (folder / "config.json").is_file():
            raise UserError(str(folder), "no trained model here", "run `make repro` (or `dvc repro`) first")
        config = read_json(folder / "config.json")
        found: dict[str, Tensor] = {}
        for path in files:
            with weights(path):
                found.update(load_file(path))
        rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
        strange = sorted(name for name in found if name not in _OUTER and not _LAYER.fullmatch(name))
        if config.get("model_type") != "llama" or strange or rope.get("rope_type", "default") != "default":
            detail = strange[0] if strange else json.dumps({"model_type": config.get("model_type"), "rope": rope})
            raise UserError(str(folder), f"is not a plain Llama ({detail})", "train from `scratch` or from SmolLM2")
        return cls(config, found, device or torch.device("cpu"), dtype)

    def cache(self, rows: int, slots: int) -> Tensor:
        """Room for keys and values: [layers, rows, 2 * kv_heads, slots, width], keys first."""
        return torch.zeros((self.layers, rows, 2 * self.kv_heads, slots, self.width), device=self.device, dtype=self.dtype)

    @torch.inference_mode()
    def forward(
        self,
        cache: Tensor,
        tokens: Tensor,
        row: Tensor,
        place: Tensor,
        positions: Tensor,
        slots: Tensor,
        mask: Tensor,
        wanted: Tensor,
    ) -> Tensor:
        """Hidden states [wanted, hidden], before the output product, of some of n new tokens that belong to any rows, in any
        number per row.

        Token i is number `place[i]` among the new tokens of `row[i]`. `positions` go into the rotation, keys and values
        are written at `slots`, and the token looks at slot t where `mask` [rows, places, seen] is true at (row, place,
        t). All but `mask` are of shape [n]; only attention is padded to the row with most tokens. `wanted` numbers the tokens
        whose hidden states are asked for: the last layer need not go further with the others than their keys and values.
        """
        rows, places, _ = mask.shape
        seen = mask.shape[2]
        heads, kv_heads, width = self.heads, self.kv_heads, self.width
        lanes = torch.arange(2 * kv_heads, device=row.device)
        flat = ((row[:, None] * (2 * kv_heads) + lanes) * cache.shape[3] + slots[:, None]).flatten()
        bias = torch.zeros(mask.shape, device=mask.device, dtype=self.dtype).masked_fill_(~mask, float("-inf"))[:, None]
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        padded = torch.zeros((rows, places, heads, width), device=self.device, dtype=self.dtype)
        x = self.embedding[tokens]
        for layer, (to_qkv, to_out, to_up, to_down) in enumerate(self.blocks):
            qkv = to_qkv(functional.rms_norm(x, (self.hidden,), eps=self.eps))
            qkv = qkv.view(-1, heads + 2 * kv_heads, width)
            turned = qkv[:, : heads + kv_heads]
            turned = torch.addcmul(turned * cos, turned.roll(width // 2, -1), sin)
            stored = cache[layer]
            new = torch.cat([turned[:, heads:], qkv[:, heads + kv_heads :]], dim=1)
            stored.view(-1, width).index_copy_(0, flat, new.flatten(0, 1))
            padded[row, place] = turned[:, :heads]
            mixed = functional.scaled_dot_product_attention(
                padded.transpose(1, 2),
                stored[:, :kv_heads, :seen],
                stored[:, kv_heads:, :seen],
                attn_mask=bias,
                enable_gqa=heads != kv_heads,
            )
            if layer == self.layers - 1:
                x, row, place = x[wanted], row[wanted], place[wanted]
            x = x + to_out(mixed.transpose(1, 2)[row, place].flatten(1))
            gate, up = to_up(functional.rms_norm(x, (self.hidden,), eps=self.eps)).chunk(2, dim=-1)
            x = x + to_down(functional.silu(gate).mul_(up))
        return x

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits in float32, [..., vocabulary], of hidden states [..., hidden]."""
        return self.output(functional.rms_norm(hidden, (self.hidden,), eps=self.eps)).float()
