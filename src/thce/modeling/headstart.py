"""A head start for a model from scratch: one attention layer taught alone, and a circuit that copies, before training begins.

A small transformer with random weights spends most of a short budget on two discoveries: that certain words, wherever
they stand, point to a code, and that a quotation continues as the quoted text did. Neither has to be discovered.

*Pointing* is what a single attention layer can do: the token that asks for a code looks at the words of the text,
weighs them, and adds up what they point to. `teach` trains exactly that (token vectors, one layer; marks, categories, codes
and what reasoning opens with as the only targets), some twenty times faster than the whole model could be.

*Copying* needs three heads in consecutive layers: one that tells every token which token came before it, one that passes
this on by one more token, and one that looks for the place whose two predecessors are the present token and the one
before it, and names what stands there. One predecessor alone is not enough: after "the" or a comma a note goes on in
several ways. `install` writes the heads into the weights by hand. Each token that text is made of gets a random sign vector
as its name; a part of the residual stream carries the name of the token itself, two more the beginnings of its predecessors'
names.

The last head of a layer carries the copying, the others the pointing; what else is random starts close to the identity. A
model of two layers looks at one predecessor only.
Everything is trained further by the stages; nothing is frozen.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from thce.answers import THINK_OPEN
from thce.modeling import chat
from thce.seeds import derive
from thce.settings.modeling import BaseParams

ROPE_THETA = 100_000.0
"""Slow enough that half of a head's pairs hardly turn within a note: they compare tokens whatever their distance."""

CONTENT, NAME, CONSTANT = 0.12, 0.05, 0.1
"""Root mean square of a token vector's content and name, and the value of the component all tokens share."""

SHARPNESS = 60.0  # attention logit of the copying head where the names agree
NEAR = 8.0  # attention logit the preceding token gets from each of the fast pairs
COPY = 24.0  # size of a copied name against a token's own
ALOUD = 8.0  # size of names in the output vectors against those in the input vectors
QUIET = 0.1  # size of random output products of attention and feed-forward at the start; content of text in the output


@dataclass(frozen=True, slots=True)
class Parts:
    """Where things lie in a vector of width `hidden`: content first, then the name of the token and those of the two before it,
    the latter shortened to half of a name each."""

    hidden: int
    head: int

    @property
    def content(self) -> int:
        """Width of the content, also the place of the component all tokens share."""
        return self.hidden - self.head

    @property
    def name(self) -> slice:
        """The token's own name."""
        return slice(self.content + 1, self.content + self.head // 2)

    @property
    def before(self) -> slice:
        """The beginning of the name of the token before it."""
        return slice(self.content + self.head // 2 + 1, self.content + self.head // 2 + 1 + self.head // 4)

    @property
    def earlier(self) -> slice:
        """The beginning of the name of the token before that."""
        return slice(self.before.stop, self.hidden)


class FirstLayer(nn.Module):
    """The first attention layer of a Llama with its token vectors, computed only where an answer is asked for."""

    def __init__(self, names: Tensor, parts: Parts, context: int, generator: torch.Generator) -> None:
        super().__init__()
        self.parts = parts
        self.heads = parts.hidden // parts.head - 1
        width = parts.content
        self.vectors = nn.Parameter(torch.randn(len(names), width, generator=generator) * 0.05)
        self.query = nn.Parameter(torch.randn(width, parts.hidden, generator=generator) * 0.02)
        self.key = nn.Parameter(torch.randn(width, parts.hidden, generator=generator) * 0.02)
        self.value = nn.Parameter(torch.eye(width))
        self.out = nn.Parameter(torch.eye(width) * 0.3)
        self.names = names
        angles = torch.outer(torch.arange(context).float(), frequencies(parts.head))
        self.cos = torch.cat([angles.cos(), angles.cos()], dim=-1)
        self.sin = torch.cat([-angles.sin(), angles.sin()], dim=-1)

    def table(self, among: Tensor | None = None) -> Tensor:
        """Vectors [tokens, hidden] of the tokens `among`, or of all; their contents all of one length, so that no token is
        louder than another."""
        width = self.parts.content
        vectors, names = (self.vectors, self.names) if among is None else (self.vectors[among], self.names[among])
        content = functional.normalize(vectors, dim=-1) * (width**0.5 * CONTENT)
        rest = torch.zeros(len(vectors), self.parts.head)
        rest[:, 0] = CONSTANT
        rest[:, 1 : self.parts.head // 2] = names * NAME
        return torch.cat([content, rest], dim=1)

    def forward(self, ids: Tensor, asked: Tensor, seen: Tensor, wanted: Tensor, among: Tensor) -> Tensor:
        """Logits [places, candidates] of the tokens `among` [candidates] at those of the places `asked` [rows, asked] of `ids`
        [rows, tokens], all of which are among them, that are `wanted` [rows, asked]; each sees the tokens where `seen` [rows,
        asked, tokens] is true. `among` is in rising order."""
        table = self.table(among)  # most of the vocabulary has no part in a step
        head, heads, width = self.parts.head, self.heads, self.parts.content
        tokens = functional.embedding(torch.searchsorted(among, ids), table)
        rows, length = ids.shape
        normed = _norm(tokens)
        keys = functional.linear(normed, self.key).view(rows, length, heads, head)
        values = functional.linear(normed[..., :width], self.value).view(rows, length, heads, head)
        here = tokens.gather(1, asked[..., None].expand(-1, -1, tokens.shape[2]))
        queries = functional.linear(_norm(here), self.query).view(rows, -1, heads, head)
        keys = _turn(keys, self.cos[:length][None, :, None], self.sin[:length][None, :, None])
        queries = _turn(queries, self.cos[asked][:, :, None], self.sin[asked][:, :, None])
        weights = torch.einsum("bqhd,bthd->bhqt", queries, keys) / math.sqrt(head)
        weights = weights.masked_fill(~seen[:, None], float("-inf")).softmax(-1)
        mixed = torch.einsum("bhqt,bthd->bqhd", weights, values).flatten(2)
        here = here + functional.pad(functional.linear(mixed, self.out), (0, head))
        return functional.linear(_norm(here[wanted]), table)


def frequencies(head: int) -> Tensor:
    """Turns per token of a head's pairs, fastest first."""
    return 1.0 / ROPE_THETA ** (torch.arange(0, head, 2).float() / head)


def _norm(x: Tensor) -> Tensor:
    return functional.rms_norm(x, (x.shape[-1],), eps=1e-6)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    return x * cos + x.roll(x.shape[-1] // 2, -1) * sin


def draw_names(tokenizer: PreTrainedTokenizerBase, width: int, generator: torch.Generator) -> Tensor:
    """A random sign vector per token [vocabulary, width]; zero for tokens after which nothing is to be copied: line breaks,
    quotation marks and all that was added to the vocabulary as a whole: control tokens, marks, codes, beginnings of bullets.

    A name that no token of the note has agrees with some other by chance, and what follows there is copied: where a code is
    asked for, that drowned what the first layer points to.
    """
    names = torch.randn(len(tokenizer), width, generator=generator).sign()
    whole = frozenset(tokenizer.get_added_vocab().values())
    for number in range(len(tokenizer)):
        text = tokenizer.decode([number])
        if number in whole or "\n" in text or '"' in text:
            names[number] = 0
    return names


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation: system prompt, narrative, the tokens of the answer as far as they are needed, and which of them (`asked`,
    counted from 0) are to be foretold: marks, codes, and what the reasoning opens with (`opening`, None without reasoning)."""

    system: str
    text: str
    answer: tuple[int, ...]
    asked: tuple[int, ...]
    opening: int | None = None


def example(
    tokenizer: PreTrainedTokenizerBase, system: str, text: str, answer: str, loud: Collection[int] | None = None
) -> Example:
    """The example for a narrative and its answer. Without `loud` the first two tokens of the first answer line are asked for,
    type mark and code; else all tokens in `loud`, so that reasoning teaches where a category and a code belong, and the
    beginning of its first bullet, which says whether there is a code at all."""
    if loud is None:
        ids = tokenizer.encode(answer.partition("\n")[0].partition("(")[0].rstrip(), add_special_tokens=False)[:2]
        return Example(system, text, tuple(ids), tuple(range(len(ids))))
    ids = tokenizer.encode(answer, add_special_tokens=False)
    begun = f"{THINK_OPEN}\n"
    first = len(tokenizer.encode(begun, add_special_tokens=False)) if answer.startswith(begun) else None
    asked = tuple(place for place, token in enumerate(ids) if token in loud or place == first)
    return Example(system, text, tuple(ids[: asked[-1] + 1]), asked, None if first is None else ids[first])


def teach(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], params: BaseParams, seed: int
) -> tuple[FirstLayer, list[dict[str, float]], float]:
    """Train the first layer; returns it, its loss curve, and the share of examples all right in its last pass, whatever wording
    the reasoning opens with.

    `params.drop` is the share of tokens hidden from the asking token at each step. What competes in a step
    are the tokens that some example asks for and those of the step's texts: a fifth of the vocabulary at 64
    texts a step, which makes a step quicker. Without the latter the layer's output resembles the words it read and drowns what
    is copied.
    """
    generator = torch.Generator().manual_seed(derive(seed, "head start") % 2**63)
    parts = Parts(params.hidden, params.hidden // params.heads)
    names = draw_names(tokenizer, parts.head // 2 - 1, generator)
    layer = FirstLayer(names, parts, params.context, generator)
    matrices = [layer.query, layer.key, layer.value, layer.out]
    groups = [(params.learning_rate, [layer.vectors]), (params.learning_rate / 5, matrices)]
    optimizer = torch.optim.Adam([{"params": group} for _, group in groups], betas=(0.9, 0.98))
    answers = torch.tensor(sorted({one.answer[place] for one in examples for place in one.asked}))
    free = torch.tensor(openings(examples), dtype=torch.long)
    per_pass = -(-len(examples) // params.batch_size)
    total = max(1, math.ceil(per_pass * params.epochs))
    step, right, asked, value = 0, 0, 0, 0.0
    points: list[dict[str, float]] = []
    for number in range(math.ceil(params.epochs)):
        shuffle = random.Random(derive(seed, "head start", number))
        rows = encode(tokenizer, examples, shuffle, params.chop)
        for batch in batches([len(row) for row in rows], params.batch_size, shuffle)[: total - step]:
            ids, places, seen, targets = collate([(rows[i], examples[i]) for i in batch])
            kept = torch.rand(ids.shape, generator=generator) >= params.drop
            kept = kept[:, None] | (torch.arange(ids.shape[1]) == places[..., None])
            for group, (peak, _) in zip(optimizer.param_groups, groups, strict=True):
                group["lr"] = peak * min(1.0, (step + 1) / 50) * (1 - step / total)
            optimizer.zero_grad()
            wanted = targets != -100
            among = torch.cat([answers, ids.flatten()]).unique()
            expected = torch.searchsorted(among, targets[wanted])
            logits = layer(ids, places, seen & kept, wanted, among)
            loss = functional.cross_entropy(logits, expected)
            loss.backward()
            optimizer.step()
            step += 1
            value = float(loss.detach())
            if step % max(1, total // 50) == 0:
                points.append({"step": step, "loss": round(value, 4)})
            if number < math.ceil(params.epochs) - 1:
                continue
            wrong = (logits.argmax(-1) != expected) & ~torch.isin(targets[wanted], free)
            missed = wanted.nonzero()[:, 0][wrong]
            right += len(batch) - len(missed.unique())
            asked += len(batch)
        print(f"base: pass {number + 1}: loss {value:.3f}", file=sys.stderr, flush=True)
    return layer, points, right / max(1, asked)


def openings(examples: Sequence[Example]) -> list[int]:
    """Ids of the tokens that reasoning opens with."""
    return sorted({one.opening for one in examples if one.opening is not None})


def encode(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], chop: random.Random, rate: float
) -> list[list[int]]:
    """Prompt tokens of every example, words cut in two as in training, followed by all but the last token of the answer."""
    heads = {
        system: tokenizer.encode(f"{chat.START}system\n{system}{chat.STOP}\n{chat.START}", add_special_tokens=False)
        for system in sorted({one.system for one in examples})
    }
    tail = tokenizer.encode(f"{chat.STOP}\n{chat.START}assistant\n", add_special_tokens=False)
    cut = [chat.Cuts(chop, rate).pieces(chat.as_read(one.text)) for one in examples]
    pieces = [piece for row in cut for piece in (f"user\n{row[0] if row else ''}", *row[1:])]
    backend: Any = tokenizer.backend_tokenizer
    encoded = iter(backend.encode_batch_fast(pieces, add_special_tokens=False))
    rows = []
    for row, one in zip(cut, examples, strict=True):
        body = [token for _ in range(max(1, len(row))) for token in next(encoded).ids]
        rows.append([*heads[one.system], *body, *tail, *one.answer[:-1]])
    return rows


def batches(lengths: Sequence[int], size: int, shuffle: random.Random) -> list[list[int]]:
    """Numbers of rows in batches of like length, in random order."""
    order = list(range(len(lengths)))
    shuffle.shuffle(order)
    found = []
    for start in range(0, len(order), size * 32):
        part = sorted(order[start : start + size * 32], key=lambda i: lengths[i])
        found += [part[i : i + size] for i in range(0, len(part), size)]
    shuffle.shuffle(found)
    return found


def collate(rows: Sequence[tuple[list[int], Example]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Padded ids [rows, tokens], the places that ask [rows, most], what each may see [rows, most, tokens], and the tokens that
    follow there [rows, most], -100 where a row asks for fewer than the most."""
    most = max(len(one.asked) for _, one in rows)
    longest = max(len(row) for row, _ in rows)
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row, _ in rows])
    fill = [most - len(one.asked) for _, one in rows]
    asked = [[len(row) - len(one.answer) + place for place in one.asked] for row, one in rows]
    places = torch.tensor([[*found, *[0] * rest] for found, rest in zip(asked, fill, strict=True)])
    targets = torch.tensor(
        [[*(one.answer[place] for place in one.asked), *[-100] * rest] for (_, one), rest in zip(rows, fill, strict=True)]
    )
    seen = torch.arange(ids.shape[1]) <= places[..., None]
    return ids, places, seen, targets


@torch.no_grad()
def install(model: LlamaForCausalLM, layer: FirstLayer, loud: Sequence[int]) -> None:
    """Write the head start into `model` (input and output vectors not shared, at least two heads).

    `loud` are the tokens that are asked for, type marks, codes and openings: their output vectors keep their content, those
    of all other tokens keep mostly their name (if any), so that ordinary text is foretold by copying until training knows
    better.
    """
    parts, layers = layer.parts, list(model.model.layers)
    table = layer.table()
    output = table.clone()
    quiet = torch.ones(len(table), dtype=torch.bool)
    quiet[list(loud)] = False
    output[quiet, : parts.content] *= QUIET
    output[:, parts.content] = 0
    output[:, parts.name] *= ALOUD
    _weight(model.get_input_embeddings()).copy_(table)
    _weight(model.get_output_embeddings()).copy_(output)
    for block in layers:
        _weight(block.self_attn.o_proj).mul_(QUIET)
        _weight(block.mlp.down_proj).mul_(QUIET)
    first: Any = layers[0].self_attn
    for linear in (first.q_proj, first.k_proj, first.v_proj, first.o_proj):
        _weight(linear).zero_()
    width = parts.content
    _weight(first.q_proj)[:width] = layer.query
    _weight(first.k_proj)[:width] = layer.key
    _weight(first.v_proj)[:width, :width] = layer.value
    _weight(first.o_proj)[:width, :width] = layer.out
    normed = _norm(table)
    constant = float(normed[:, parts.content].mean())
    loudness = float(normed[:, parts.name].abs().amax(dim=1).max())
    _look_back(first, parts, (parts.name, parts.before), constant, loudness)
    if len(layers) > 2:
        _look_back(layers[1].self_attn, parts, (parts.before, parts.earlier), constant, loudness)
    if len(layers) > 1:
        _copy(layers[min(2, len(layers) - 1)].self_attn, parts, loudness)


def _look_back(attention: Any, parts: Parts, way: tuple[slice, slice], constant: float, loudness: float) -> None:
    """The last head looks at the preceding token and writes the name in the first part of its vector into the second part of
    the present one: the shared component, turned one step further in the keys than in the queries, agrees best at distance
    one."""
    half, begin = parts.head // 2, parts.content
    fast = min(8, half // 2)
    size = math.sqrt(NEAR * math.sqrt(parts.head)) / constant
    _clear(attention, begin)
    for pair, turn in enumerate(frequencies(parts.head)[:fast].tolist()):
        _weight(attention.q_proj)[begin + pair, parts.content] = size
        _weight(attention.k_proj)[begin + pair, parts.content] = size * math.cos(turn)
        _weight(attention.k_proj)[begin + half + pair, parts.content] = size * math.sin(turn)
    source, target = way
    for number in range(min(source.stop - source.start, target.stop - target.start)):
        _weight(attention.v_proj)[begin + number, source.start + number] = 1.0
        _weight(attention.o_proj)[target.start + number, begin + number] = NAME / loudness


def _copy(attention: Any, parts: Parts, loudness: float) -> None:
    """The last head looks where the predecessors' names are those of the present token and the one before it, and writes the
    name found there. Names are compared in the slow half of the pairs."""
    half, begin = parts.head // 2, parts.content
    quarter = half // 2
    slow = iter([*range(quarter, half), *range(half + quarter, parts.head)])
    size = math.sqrt(SHARPNESS * math.sqrt(parts.head) / (half - 1)) / loudness
    _clear(attention, begin)
    for here, there in ((parts.name, parts.before), (parts.before, parts.earlier)):
        for number in range(there.stop - there.start):
            row = begin + next(slow)
            _weight(attention.q_proj)[row, here.start + number] = size
            _weight(attention.k_proj)[row, there.start + number] = size
    for number in range(half - 1):
        _weight(attention.v_proj)[begin + number, parts.name.start + number] = 1.0
        _weight(attention.o_proj)[parts.name.start + number, begin + number] = COPY * NAME / loudness


def _clear(attention: Any, begin: int) -> None:
    """Empty the last head, which begins at row `begin` of the joined heads."""
    for linear in (attention.q_proj, attention.k_proj, attention.v_proj):
        _weight(linear)[begin:] = 0
    _weight(attention.o_proj)[:, begin:] = 0


def _weight(module: Any) -> Tensor:
    weight: Tensor = module.weight
    return weight
