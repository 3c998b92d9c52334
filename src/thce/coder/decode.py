"""Decoding: free, to see what a model says by itself, and constrained, to get an answer that is always a code in scope.

Both sort prompts by length, share the system prompt's cache, and drop finished rows from the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from thce.answers import THINK_CLOSE, THINK_OPEN
from thce.coder.guard import Guard
from thce.coder.llama import Llama
from thce.coder.rows import Prefix, Rows, join, read_prefix
from thce.coder.scores import code_scores
from thce.coder.trie import CodeSet
from thce.errors import UserError
from thce.reasoning import grammar
from thce.seeds import derive

STOP = "<|im_end|>"
ANSWER_ROOM = 64
"""Slots kept free for an answer line and the tree of candidate codes."""

Floats = NDArray[np.float64]
Further = Callable[[int, Floats], bool]
"""Whether lines behind the first are wanted, given the number of a prompt and its first line's log-probabilities [codes]."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote by itself. `stopped`: it ended its turn within the limit; `new_tokens` counts the stop token
    too.
    """

    text: str
    stopped: bool
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Line:
    """One answer line: the code's number in the code set, and at this line the log-probability of every code.

    `reached` is the probability that the model wanted a line here at all (1 for the first). `left_out` is the mass that
    was spread instead of computed.
    """

    number: int
    scores: Floats
    reached: float
    left_out: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A constrained completion. `closed`: the reasoning came to its end by itself."""

    text: str
    reasoning: str | None
    closed: bool
    lines: tuple[Line, ...]


class Decoder:
    """A model with its tokenizer. Prompts are token ids; results come in the order of the prompts."""

    def __init__(self, model: Llama, tokenizer: Tokenizer, batch_size: int = 32) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.stop = self._id(STOP)
        self.close = self._id(THINK_CLOSE)
        self.newline = self.encode("\n")[0]
        self._prefixes: dict[tuple[int, ...], Prefix] = {}

    @classmethod
    def load(
        cls,
        folder: Path | str,
        batch_size: int = 32,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Decoder:
        """Model and tokenizer of a trained folder; a missing one is a `UserError`."""
        model = Llama.load(folder, device, dtype)
        return cls(model, read_tokenizer(folder), batch_size)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, nothing added."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of many texts, as `encode` gives them."""
        return [one.ids for one in self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, every mark kept."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))

    def free(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        *,
        samples: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        prefix: Sequence[int] = (),
    ) -> list[list[Completion]]:
        """`samples` completions per prompt: greedy at temperature 0, else drawn from the `top_p` nucleus.

        Each sample draws from its own numbers (seed, prompt, sample): a result depends on nothing else in the call.
        """
        drawn: list[list[Completion]] = [[] for _ in prompts]
        for batch in self.batches(prompts, max_new_tokens, max(1, self.batch_size // samples)):
            rows = self.start(batch, [prompts[i] for i in batch], prefix)
            rows = rows.take([i for i in range(len(batch)) for _ in range(samples)])
            keys = [(number, sample) for number in batch for sample in range(samples)]
            dice = [_dice(seed, *key, max_new_tokens) for key in keys] if temperature > 0 else None
            rows.numbers = list(range(len(keys)))
            written: list[list[int]] = [[] for _ in keys]
            stopped = [False] * len(keys)
            limits = [min(max_new_tokens, self.model.context - len(prompts[number])) for number, _ in keys]
            while rows.numbers:
                if dice is None:
                    tokens = rows.logits.argmax(dim=-1)
                else:
                    throw = torch.tensor(
                        [dice[i][min(len(written[i]), max_new_tokens - 1)] for i in rows.numbers],
                        dtype=torch.float64,  # in single precision a throw just below 1 would be 1, behind the last token
                        device=self.model.device,
                    )
                    tokens = _draw(rows.logits, temperature, top_p, throw)
                going = []
                for place, (i, token) in enumerate(zip(rows.numbers, tokens.tolist(), strict=True)):
                    if not stopped[i] and len(written[i]) < limits[i]:
                        written[i].append(token)
                        stopped[i] = token == self.stop
                    if not stopped[i] and len(written[i]) < limits[i]:
                        going.append(place)
                if worth_dropping(len(going), len(rows.numbers)):
                    rows, tokens = rows.take(going), tokens[going]
                if going:
                    rows.step(tokens)
            for i, (number, _) in enumerate(keys):
                text = self.decode(written[i][:-1] if stopped[i] else written[i])
                drawn[number].append(Completion(text, stopped[i], len(written[i])))
        return drawn

    def constrained(
        self,
        prompts: Sequence[Sequence[int]],
        codes: CodeSet,
        *,
        think: bool,
        max_reasoning: int,
        max_codes: int,
        beam: int = 16,
        cutoff: float = 0.01,
        prefix: Sequence[int] = (),
        guard: Guard | None = None,
        narratives: Sequence[str] = (),
        further: Further | None = None,
    ) -> list[Answer]:
        """An answer per prompt: reasoning (if `think`) of at most `max_reasoning` tokens, then lines of the code set.

        With `guard` the reasoning on each of `narratives` keeps to its text and the tables.

        Each line is the most probable code that is not there yet, with its description; after a line the model goes on
        when it finds a new line more probable than the stop token. After reasoning that has concluded codes, the further
        lines are those it has concluded, as many as they are: the answer says what the reasoning says. `further` is asked
        once of every prompt whether lines behind the first are wanted at all; without it they are.
        """
        answers: dict[int, Answer] = {}
        room = (max_reasoning if think else 0) + ANSWER_ROOM
        for batch in self.batches(prompts, room):
            opening = self.encode(f"{THINK_OPEN}\n") if think else []
            starts = [[*prompts[i], *opening] for i in batch]
            rows = self.start(batch, starts, prefix)
            traces = self._reason(rows, max_reasoning, guard, narratives) if think else None
            if traces is not None:
                rows = traces.rows
            concluded = {number: _concluded(text, codes) for number, text in traces.text.items()} if traces else {}
            lines = self._lines(rows, codes, max_codes, beam, cutoff, concluded, further)
            for number in batch:
                body = "\n".join(codes.line(line.number) for line in lines[number])
                reasoning = traces.text[number] if traces is not None else None
                text = body if reasoning is None else f"{THINK_OPEN}\n{reasoning}\n{THINK_CLOSE}\n{body}"
                closed = traces is None or traces.closed[number]
                answers[number] = Answer(text, reasoning, closed, tuple(lines[number]))
        return [answers[number] for number in range(len(prompts))]

    def scores(
        self,
        prompts: Sequence[Sequence[int]],
        codes: CodeSet,
        beam: int = 16,
        cutoff: float = 0.01,
        prefix: Sequence[int] = (),
    ) -> tuple[Floats, Floats]:
        """Log-probability of every code as the direct answer [prompts, codes], and the mass left out [prompts]."""
        result, left_out = np.zeros((len(prompts), len(codes))), np.zeros(len(prompts))
        for batch in self.batches(prompts, ANSWER_ROOM):
            rows = self.start(batch, [prompts[i] for i in batch], prefix)
            result[batch], left_out[batch] = code_scores(rows, codes.trie, beam, cutoff)
        return result, left_out

    def _reason(self, rows: Rows, limit: int, guard: Guard | None, narratives: Sequence[str]) -> _Traces:
        """Let every row write until `</think>`, the stop token or the limit; then close its reasoning, forced if need
        be.
        """
        text: dict[int, str] = {}
        closed: dict[int, bool] = {}
        size: dict[int, int] = {}  # a row's length when its reasoning ended
        written: dict[int, list[int]] = {number: [] for number in rows.numbers}
        trails = {number: guard.trail(narratives[number]) for number in rows.numbers} if guard else {}
        parts: list[Rows] = []
        while rows.numbers:
            tokens = rows.logits.argmax(dim=-1)
            for place, number in enumerate(rows.numbers):
                if guard and number not in size:
                    allowed = guard.allowed(trails[number])
                    if allowed:
                        tokens[place] = allowed[int(rows.logits[place, allowed].argmax())]
                    guard.push(trails[number], int(tokens[place]))
            lengths = rows.length.tolist()
            for place, (number, token) in enumerate(zip(rows.numbers, tokens.tolist(), strict=True)):
                if number in size:
                    continue
                if token in (self.close, self.stop) or len(written[number]) == limit:
                    size[number] = lengths[place]
                    text[number] = self.decode(written[number])
                    closed[number] = token == self.close
                else:
                    written[number].append(token)
            over = [place for place, number in enumerate(rows.numbers) if number in size]
            if worth_dropping(len(rows.numbers) - len(over), len(rows.numbers)):
                gone = rows.take(over)
                gone.length = torch.tensor([size[number] for number in gone.numbers], device=self.model.device)
                parts.append(gone)
                going = [place for place, number in enumerate(rows.numbers) if number not in size]
                rows, tokens = rows.take(going), tokens[going]
            if rows.numbers:
                rows.step(tokens)
        rows = join(parts)
        ending = [[] if text[number].endswith("\n") else [self.newline] for number in rows.numbers]
        rows.extend([[*piece, self.close, self.newline] for piece in ending])
        return _Traces(rows, {number: trace.rstrip("\n") for number, trace in text.items()}, closed)

    def _lines(
        self,
        rows: Rows,
        codes: CodeSet,
        max_codes: int,
        beam: int,
        cutoff: float,
        concluded: Mapping[int, Sequence[int]],
        further: Further | None = None,
    ) -> dict[int, list[Line]]:
        """Write answer lines: take the best code, append its line in one pass, ask whether another line follows.

        `concluded` are the numbers of the codes that a row's reasoning has concluded; with some, they are the further lines.
        """
        lines: dict[int, list[Line]] = {number: [] for number in rows.numbers}
        reached = dict.fromkeys(rows.numbers, 1.0)
        for line in range(max_codes):
            scores, left_out = code_scores(rows, codes.trie, beam, cutoff)
            going: list[int] = []
            for place, number in enumerate(rows.numbers):
                taken = [earlier.number for earlier in lines[number]]
                row = _without(scores[place], [*taken, codes.none] if taken else [])
                left = [code for code in concluded.get(number, ()) if taken and code not in taken]
                chosen = max(left, key=lambda code: row[code]) if left else int(row.argmax())
                lines[number].append(Line(chosen, row, reached[number], float(left_out[place])))
                wanted = bool(taken) or further is None or further(number, row)
                if wanted and chosen != codes.none and len(taken) + 2 < len(codes):
                    going.append(place)
            if line + 1 == max_codes or not going:
                break
            rows = rows.take(going)
            rows.extend([codes.tokens(lines[number][-1].number) for number in rows.numbers])
            again = torch.softmax(rows.logits[:, [self.stop, self.newline]], dim=-1)[:, 1].tolist()
            lengths = rows.length.tolist()
            going = []
            for i, probability in enumerate(again):
                named = concluded.get(rows.numbers[i])
                goes_on = line + 1 < len(named) if named else probability > 0.5
                if goes_on and lengths[i] + ANSWER_ROOM <= self.model.context:
                    going.append(i)
            if not going:
                break
            for i in going:
                reached[rows.numbers[i]] *= again[i]
            rows = rows.take(going)
            rows.extend([[self.newline]] * len(going))
        return lines

    def start(self, numbers: Sequence[int], prompts: Sequence[Sequence[int]], prefix: Sequence[int] = ()) -> Rows:
        """Rows that have read their prompts; what they all begin with (`prefix`) is computed once and kept."""
        return Rows.start(self.model, numbers, prompts, self._prefix(prefix))

    def batches(self, prompts: Sequence[Sequence[int]], room: int = 0, size: int | None = None) -> Iterator[list[int]]:
        """Numbers of prompts, in batches of like length. `UserError` if the longest and `room` tokens exceed the context."""
        size = size or self.batch_size
        order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i))
        if order and len(prompts[order[-1]]) + room > self.model.context:
            longest = len(prompts[order[-1]])
            raise UserError(
                f"prompt {order[-1]}",
                f"has {longest} tokens, and {room} are to follow: the model's context is {self.model.context}",
                "shorten the narrative or allow fewer tokens of reasoning",
            )
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def _prefix(self, tokens: Sequence[int]) -> Prefix | None:
        key = tuple(tokens)
        if key and key not in self._prefixes:
            self._prefixes[key] = read_prefix(self.model, key)
        return self._prefixes.get(key)

    def _id(self, mark: str) -> int:
        number = self.tokenizer.token_to_id(mark)
        if number is None:
            raise UserError("tokenizer", f"has no token `{mark}`", "train the model with this project's stages")
        return int(number)


@dataclass(slots=True)
class _Traces:
    """Rows after their reasoning (the next token opens the answer), the reasoning's text, and whether it ended by
    itself.
    """

    rows: Rows
    text: dict[int, str]
    closed: dict[int, bool]


def read_tokenizer(folder: Path | str) -> Tokenizer:
    """The tokenizer of a folder, without the library that trained it: importing that takes longer than coding.
    Raises `UserError` where there is none."""
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise UserError(str(folder), "no tokenizer here", "run `make repro` (or `dvc repro`) first")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _concluded(reasoning: str, codes: CodeSet) -> list[int]:
    """Numbers of the codes that the bullets of a reasoning conclude, in their order, each once; none of another code set."""
    bullets = (grammar.read(line) for line in reasoning.split("\n"))
    named = (bullet["code"] for bullet in bullets if bullet is not None and bullet.kind == grammar.ANSWER)
    return list(dict.fromkeys(codes.places[code] for code in named if code in codes.places))


def worth_dropping(going: int, rows: int) -> bool:
    """Ended rows stay until they are a fourth of the batch: carrying them costs less than copying the cache."""
    return 4 * going <= 3 * rows


def _without(scores: Floats, excluded: Sequence[int]) -> Floats:
    """The distribution with some codes ruled out, summing to one again."""
    left = scores.copy()
    left[list(excluded)] = -np.inf
    high = left.max()
    normalised: Floats = left - (high + np.log(np.exp(left - high).sum()))
    return normalised


def _dice(seed: int, number: int, sample: int, count: int) -> list[float]:
    """One uniform number per token for one sample of one prompt."""
    generator = torch.Generator().manual_seed(derive(seed, "sample", number, sample))
    numbers: list[float] = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
    return numbers


def _draw(logits: Tensor, temperature: float, top_p: float, throw: Tensor) -> Tensor:
    """A token per row: the place where `throw` (uniform, [rows]) falls in the nucleus of the tempered distribution."""
    probability = torch.softmax(logits.double() / temperature, dim=-1)
    if top_p < 1:
        ordered = probability.sort(dim=-1, descending=True).values
        inside = ordered.cumsum(dim=-1) - ordered < top_p  # the most probable token is always inside
        least = ordered.where(inside, 1.0).amin(dim=-1, keepdim=True)
        probability = probability.where(probability >= least, 0.0)
    total = probability.cumsum(dim=-1)  # in the order of the vocabulary: sorting it would take half of the sampling
    return (total <= throw[:, None] * total[:, -1:]).sum(dim=-1)
