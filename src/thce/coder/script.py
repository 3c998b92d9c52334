"""Reasoning for a decided answer: each step is one of several bullets that hold, and the model chooses among them.

What only one bullet can go on with is appended without asking the model, so a trace costs a few passes instead of one
per token. That every bullet holds is a property of the script, not of the model; `Decoder.free` shows what it writes by
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thce.answers import THINK_OPEN
from thce.coder.decode import Decoder, worth_dropping


@dataclass(frozen=True, slots=True)
class Step:
    """The bullets that may stand here, and for each the number of the step that follows; past the last one: the end."""

    lines: tuple[str, ...]
    then: tuple[int, ...]


Script = tuple[Step, ...]


class _Walk:
    """Where a row stands in its script: the bullets still possible, and how many tokens of them are written."""

    def __init__(self, script: Script, encoded: Sequence[Sequence[Sequence[int]]]) -> None:
        self.script = script
        self.encoded = encoded
        self.written: list[str] = []
        self.live: list[int] = []
        self.longest = sum(max(map(len, step), default=0) for step in encoded)
        self._enter(0)

    def forced(self) -> list[int]:
        """Write what only one token can go on with."""
        tokens: list[int] = []
        while not self.done and len(nexts := self.choices()) == 1:
            tokens.append(nexts[0])
            self.choose(nexts[0])
        return tokens

    def choices(self) -> list[int]:
        """The tokens that may follow."""
        return sorted({self.encoded[self.step][i][self.depth] for i in self.live})

    def choose(self, token: int) -> None:
        """Write one of them."""
        lines = self.encoded[self.step]
        self.live = [i for i in self.live if lines[i][self.depth] == token]
        self.depth += 1
        for i in self.live:
            if len(lines[i]) == self.depth:
                self.written.append(self.script[self.step].lines[i])
                self._enter(self.script[self.step].then[i])
                return

    def first(self) -> None:
        """Go to the end without a model, by the first bullet of every step."""
        while not self.done:
            self.live = self.live[:1]
            self.choose(self.encoded[self.step][self.live[0]][self.depth])

    def _enter(self, step: int) -> None:
        self.step, self.depth = step, 0
        self.done = step >= len(self.script)
        self.live = [] if self.done else list(range(len(self.script[step].lines)))


def explain(
    decoder: Decoder, prompts: Sequence[Sequence[int]], scripts: Sequence[Script], prefix: Sequence[int] = ()
) -> list[str]:
    """The reasoning per prompt: at each branch of its script the way the model finds most probable.

    A row whose script does not fit into the model's context behind its prompt takes the first bullet of every step.
    """
    lines = sorted({line for script in scripts for step in script for line in step.lines})
    ids = {
        line: encoding.ids
        for line, encoding in zip(
            lines, decoder.tokenizer.encode_batch_fast([f"{line}\n" for line in lines], add_special_tokens=False), strict=True
        )
    }
    walks = [_Walk(script, [[ids[line] for line in step.lines] for step in script]) for script in scripts]
    starts = [[*prompt, *decoder.encode(f"{THINK_OPEN}\n")] for prompt in prompts]
    asked = []
    for number, walk in enumerate(walks):
        if len(starts[number]) + walk.longest > decoder.model.context:
            walk.first()
        starts[number] += walk.forced()
        if not walk.done:
            asked.append(number)
    for batch in decoder.batches([starts[number] for number in asked]):
        numbers = [asked[i] for i in batch]
        rows = decoder.start(numbers, [starts[number] for number in numbers], prefix)
        while rows.numbers:
            pieces, going = [], []
            for place, number in enumerate(rows.numbers):
                walk = walks[number]
                piece: list[int] = []
                if not walk.done:
                    choices = walk.choices()
                    token = choices[int(rows.logits[place, choices].argmax())]
                    walk.choose(token)
                    piece = [token, *walk.forced()]
                if not walk.done:
                    going.append(place)
                pieces.append([] if walk.done else piece)
            if worth_dropping(len(going), len(rows.numbers)):
                rows, pieces = rows.take(going), [pieces[place] for place in going]
            rows.extend(pieces)
    return ["\n".join(walk.written) for walk in walks]
