"""Reasoning that keeps to the text and the tables: what a bullet may quote and which places and codes it may name.

A quotation can only continue as some passage of the narrative does, and close where a word ends; but for the word that a
deciding bullet misses. A placement bullet can only name a place that the tables know, a code bullet only a code in scope.
Which passage, which place and which code is the model's choice, and so is all the rest; `Decoder.free` shows what it writes
unguarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenizers import Tokenizer

Node = dict[int, Any]

OPENINGS = (
    *(f"- {level}: " for level in ("Category", "Subcategory", "Block", "Chapter", "Section")),
    "- Belongs to ",
    "- Falls under ",
    "- Code: ",
    "- So the code is ",
)
"""Beginnings of the bullets whose rest the tables know."""

_DECIDES = "- Decides"
_MISSED = 'nothing says "'  # what it quotes the text lacks


@dataclass(slots=True)
class Trail:
    """Where a row's reasoning stands: the present line, its node among the known lines, and inside a quotation the places in
    `source` (the narrative's tokens) after which it may go on; None outside."""

    source: Sequence[int]
    node: Node | None
    line: str = ""
    spots: list[int] | None = None
    begun: bool = False
    starts: list[int] = field(default_factory=list)


class Guard:
    """The tokens a row may write next, from what it has written. `lines` are the whole bullets the tables allow."""

    def __init__(self, tokenizer: Tokenizer, lines: Iterable[str]) -> None:
        self.texts = [tokenizer.decode([number], skip_special_tokens=False) for number in range(tokenizer.get_vocab_size())]
        self.quote = next(iter(tokenizer.encode('"', add_special_tokens=False).ids))
        self.closings = [number for number, text in enumerate(self.texts) if text in ('"', '",', '")')]
        self.tokenizer = tokenizer
        self.root: Node = {}
        for encoding in tokenizer.encode_batch_fast([f"{line}\n" for line in lines], add_special_tokens=False):
            node = self.root
            for token in encoding.ids:
                node = node.setdefault(token, {})

    def trail(self, narrative: str) -> Trail:
        """The start of a row's reasoning. The narrative is read as it would stand after an opening quotation mark."""
        _, *source = self.tokenizer.encode(f' "{narrative}', add_special_tokens=False).ids
        starts = [i for i, token in enumerate(source) if i == 0 or self.texts[token][:1] == " "]
        return Trail(source, self.root, starts=starts)

    def allowed(self, trail: Trail) -> list[int] | None:
        """Ids of the tokens that may follow, None where any may."""
        if trail.spots is not None:
            nexts = {trail.source[spot] for spot in trail.spots if spot < len(trail.source)}
            if trail.begun and any(self._word_ends(trail.source, spot) for spot in trail.spots):
                nexts.update(self.closings if trail.line.startswith(_DECIDES) else [self.quote])
            return sorted(nexts)
        if trail.node and f"{trail.line} ".startswith(OPENINGS):
            return sorted(trail.node)
        return None

    def push(self, trail: Trail, token: int) -> None:
        """Note that a row has written a token."""
        text = self.texts[token]
        if text == "\n":
            trail.line, trail.node, trail.spots = "", self.root, None
            return
        trail.line += text
        trail.node = trail.node.get(token) if trail.node is not None else None
        if '"' in text and trail.spots is not None:
            trail.spots = None
        elif text.count('"') == 1 and trail.line.count('"') % 2 and not trail.line.endswith(_MISSED):
            trail.spots, trail.begun = trail.starts, False
        elif trail.spots is not None:
            trail.spots = [spot + 1 for spot in trail.spots if spot < len(trail.source) and trail.source[spot] == token]
            trail.begun = True

    def _word_ends(self, source: Sequence[int], spot: int) -> bool:
        if spot == len(source):
            return True
        first = self.texts[source[spot]][:1]
        return not (first.isalnum() or first == "\ufffd")  # the latter: a character's bytes go on
