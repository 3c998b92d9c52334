"""The coder: narratives in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from thce.answers import format_completion
from thce.coder import fusion
from thce.coder.decode import ANSWER_ROOM, Answer, Decoder, Line
from thce.coder.evidence import Evidence, leave_one_out, quoted
from thce.coder.fusion import DIRECT, MODEL, PRIOR, Fusion
from thce.coder.guard import Guard
from thce.coder.prior import NO_CODE, Pair, Prior
from thce.coder.trie import CodeSet
from thce.coder.windows import windows
from thce.codes.book import CodeBook, Entry
from thce.errors import UserError
from thce.files import read_json
from thce.modeling.chat import neutralise, prompt_text
from thce.reasoning import grammar
from thce.reasoning.build import place
from thce.reasoning.knowledge import knowledge

CODED, REVIEW, NONE = "coded", "review", "none"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CodedItem:
    """One code of a narrative; `confidence` is the calibrated probability that it is right."""

    code_type: str
    code: str
    description: str
    confidence: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the coder says of one narrative.

    `status`: `coded`, `none` (no code is supported), or `review` (a person should look; `codes` are then suggestions).
    `confidence` is that of the first code, or of "no code". `alternatives` are (code type, code, probability), most
    probable first; code type `NONE` stands for no code. `text` is the completion, reasoning included; `new_tokens` its
    length.
    """

    status: str
    codes: tuple[CodedItem, ...]
    confidence: float
    reasoning: str | None
    alternatives: tuple[tuple[str, str, float], ...]
    findings: tuple[str, ...]
    text: str
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Options:
    """How a coder decodes; the fields mean what they mean in the `coder` section of params.yaml."""

    max_reasoning: int = 160
    max_codes: int = 5
    top_k: int = 5
    beam: int = 16
    cutoff: float = 0.01
    batch_size: int = 32
    think: bool = True


class Coder:
    """A trained model over a code book. Load once, call often; results keep the order of the narratives."""

    def __init__(
        self,
        decoder: Decoder,
        book: CodeBook,
        systems: tuple[str, str],
        options: Options,
        fusions: dict[str, Fusion],
        prior: Prior | None,
        scope: Sequence[Entry] | None = None,
    ) -> None:
        self.decoder = decoder
        self.book = book
        self.options = options
        self.prior = prior
        self.fusions = fusions
        self.scope = tuple(book.scope if scope is None else scope)
        self.systems = {True: systems[0], False: systems[1]}
        self._prefixes = {think: self._prefix(system) for think, system in self.systems.items()}
        self._sets: dict[tuple[str | None, date | None], CodeSet] = {}

    @classmethod
    def load(
        cls,
        model_folder: Path | str,
        book: CodeBook,
        coder_folder: Path | str | None = None,
        *,
        options: Options | None = None,
        scope: Sequence[Entry] | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Coder:
        """The coder of a model folder; with `coder_folder`, calibrated and with its lexical prior, else the model
        alone.

        `options` default to what `coder_folder` was calibrated with. Raises `UserError` when something is not trained
        yet.
        """
        model_folder = Path(model_folder)
        fusions: dict[str, Fusion] = dict.fromkeys(fusion.MODES, fusion.ALONE)
        prior = None
        if coder_folder is not None:
            stored = fusion.load(coder_folder)
            options = options or Options(**stored["params"])
            fusions = {mode: stored[mode] for mode in fusion.MODES}
            if any(part.weights.get(PRIOR) for part in fusions.values()):
                prior = Prior.load(coder_folder)
        options = options or Options()
        decoder = Decoder.load(model_folder, options.batch_size, device, dtype)
        return cls(decoder, book, read_systems(model_folder), options, fusions, prior, scope)

    def code(
        self,
        narratives: Sequence[str],
        think: bool = True,
        code_type: str | None = None,
        day: date | None = None,
    ) -> list[Prediction]:
        """Code narratives; with `code_type` only codes of that type, with `day` only codes in force on that day."""
        codes = self.codes(code_type, day)
        pieces = [
            (i, start, narrative[start:end])
            for i, narrative in enumerate(narratives)
            for start, end in self._windows(narrative, think)
        ]
        texts = [text for _, _, text in pieces]
        mode = self.fusions["think" if think else "direct"]
        sources = self._sources(texts, codes, mode, think)
        answers = self.decoder.constrained(
            [self.prompt(text, think) for text in texts],
            codes,
            think=think,
            max_reasoning=self.options.max_reasoning,
            max_codes=self.options.max_codes,
            beam=self.options.beam,
            cutoff=self.options.cutoff,
            prefix=self._prefixes[think],
            guard=self.guard if think else None,
            narratives=[neutralise(text) for text in texts],
        )
        parts: list[list[Prediction]] = [[] for _ in narratives]
        for number, ((i, offset, text), answer) in enumerate(zip(pieces, answers, strict=True)):
            own = {name: values[number] for name, values in sources.items()}
            parts[i].append(self._prediction(text, offset, answer, own, codes, mode))
        return [_merge(part, mode.threshold, self.options) for part in parts]

    @cached_property
    def guard(self) -> Guard:
        """What the reasoning may quote and name; it knows the places and codes of the whole scope."""
        facts = knowledge(self.book)
        pairs = {(facts.category(entry.code_type, entry.code), entry.code_type): entry.code for entry in self.scope}
        places = {
            place((code_type, code), facts, pick, full)
            for (_, code_type), code in pairs.items()
            for pick in range(30)
            for full in (True, False)
        }
        codes = {
            grammar.write(grammar.ANSWER, pick, code=code)
            for code in ("none", *(entry.code for entry in self.scope))
            for pick in (0, 1)
        }
        return Guard(self.decoder.tokenizer, sorted(places | codes))

    def prompt(self, narrative: str, think: bool) -> list[int]:
        """Token ids the answer to a narrative follows."""
        return self.decoder.encode(self._prompt_text(narrative, think))

    def codes(self, code_type: str | None = None, day: date | None = None) -> CodeSet:
        """The codes an answer may name. Raises `UserError` when none is left."""
        key = (code_type, day)
        if key not in self._sets:
            chosen = [
                entry
                for entry in self.scope
                if code_type in (None, entry.code_type)
                and (day is None or self.book.valid_on(entry.code_type, entry.code, day))
            ]
            self._sets[key] = CodeSet(chosen, self.decoder.tokenizer)
        return self._sets[key]

    def prior_scores(self, texts: Sequence[str], codes: CodeSet) -> Floats:
        """The prior's log-probabilities over a code set, "no code" last; a code the prior does not know gets its
        smallest.
        """
        assert self.prior is not None
        every = self.prior.log_probs(texts)
        labels: list[Pair] = [*((entry.code_type, entry.code) for entry in codes.entries), NO_CODE]
        floor = every.min(axis=1)
        columns = [every[:, self.prior.place[label]] if label in self.prior.place else floor for label in labels]
        return fusion.combine({PRIOR: np.stack(columns, axis=1)}, {PRIOR: 1.0}, 0.0)

    def _sources(self, texts: Sequence[str], codes: CodeSet, mode: Fusion, think: bool) -> dict[str, Floats]:
        sources: dict[str, Floats] = {}
        if texts and self.prior is not None and mode.weights.get(PRIOR):
            sources[PRIOR] = self.prior_scores(texts, codes)
        if texts and think and mode.weights.get(DIRECT):
            prompts = [self.prompt(text, False) for text in texts]
            sources[DIRECT], _ = self.decoder.scores(
                prompts, codes, self.options.beam, self.options.cutoff, self._prefixes[False]
            )
        return sources

    def _prediction(
        self, text: str, offset: int, answer: Answer, sources: Mapping[str, Floats], codes: CodeSet, mode: Fusion
    ) -> Prediction:
        """The model's lines and the other sources as one answer.

        Where all sources together favour a code that the model has written, its lines stand as they are; where they
        favour another, that code takes the place of the first line.
        """
        written = [line.number for line in answer.lines if line.number != codes.none]
        fused = mode.fuse({**sources, MODEL: answer.lines[0].scores})
        winner = int(fused.argmax())
        chance = {number: float(np.exp(fused[number])) for number in (winner, *written[:1])}
        for line in answer.lines[1:]:
            if line.number != winner:
                chance[line.number] = line.reached * float(np.exp(self._later(line, sources, mode)[line.number]))
        numbers = [] if winner == codes.none else written if winner in written else [winner, *written[1:]]
        items = tuple(
            CodedItem(
                entry.code_type,
                entry.code,
                entry.short_title,
                mode.confidence(chance[number]),
                self._evidence(text, offset, answer.reasoning, entry),
            )
            for number in numbers
            for entry in (codes.entries[number],)
        )
        confidence = mode.confidence(chance[winner])
        labels: list[Pair] = [*((entry.code_type, entry.code) for entry in codes.entries), NO_CODE]
        best = np.argsort(-fused, kind="stable")[: self.options.top_k].tolist()
        return Prediction(
            REVIEW if confidence < mode.threshold else CODED if items else NONE,
            items,
            confidence,
            answer.reasoning,
            tuple((*labels[i], float(np.exp(fused[i]))) for i in best),
            (),
            format_completion(answer.reasoning, "\n".join(codes.line(number) for number in numbers or [codes.none])),
            answer.new_tokens,
        )

    def _later(self, line: Line, sources: Mapping[str, Floats], mode: Fusion) -> Floats:
        """The fused distribution at a later line: the codes that are written already stay ruled out."""
        parts = {MODEL: line.scores}
        if PRIOR in sources:
            parts[PRIOR] = np.where(np.isfinite(line.scores), sources[PRIOR], -np.inf)
        return mode.fuse(parts)

    def _evidence(self, text: str, offset: int, reasoning: str | None, entry: Entry) -> tuple[Evidence, ...]:
        spans = quoted(reasoning, text, entry.code) if reasoning else ()
        if not spans and self.prior is not None:
            spans = leave_one_out(self.prior, text, (entry.code_type, entry.code))
        return tuple(Evidence(span.text, span.start + offset, span.end + offset, span.source) for span in spans)

    def _windows(self, narrative: str, think: bool) -> list[tuple[int, int]]:
        room = self.decoder.model.context - ANSWER_ROOM - (self.options.max_reasoning if think else 0)
        modes = (think, False) if think else (False,)
        if any(len(self.prompt("", mode)) >= room for mode in modes):
            raise UserError(
                "coder",
                f"the model's context of {self.decoder.model.context} tokens leaves no room for a narrative",
                "lower coder.max_new_tokens",
            )

        def fits(text: str) -> bool:
            # a token is at least one byte: a short narrative need not be tokenized to know that it fits
            return all(
                len(self._prompt_text(text, mode).encode()) <= room or len(self.prompt(text, mode)) <= room for mode in modes
            )

        return windows(narrative, fits)

    def _prompt_text(self, narrative: str, think: bool) -> str:
        return prompt_text([{"role": "system", "content": self.systems[think]}, {"role": "user", "content": narrative}])

    def _prefix(self, system: str) -> list[int]:
        """The tokens every prompt with this system prompt begins with."""
        probes = [
            self.decoder.encode(prompt_text([{"role": "system", "content": system}, {"role": "user", "content": text}]))
            for text in ("A", "7", "\n", " ")
        ]
        same = 0
        while len({tuple(probe[: same + 1]) for probe in probes}) == 1:
            same += 1
        return probes[0][:same]


def read_systems(model_folder: Path | str) -> tuple[str, str]:
    """The system prompts a model was trained with: for reasoning, and for answering directly (the same if only one is
    known).
    """
    path = Path(model_folder) / "prompt.json"
    if not path.is_file():
        raise UserError(
            str(model_folder),
            "no trained model here (prompt.json is missing)",
            "run `make repro` (or `dvc repro`) first",
        )
    stored = read_json(path)
    return str(stored["system"]), str(stored.get("system_direct", stored["system"]))


def _merge(parts: Sequence[Prediction], threshold: float, options: Options) -> Prediction:
    """The predictions for the windows of one narrative as one: every code once, the surest first."""
    if len(parts) == 1:
        return parts[0]
    best: dict[Pair, CodedItem] = {}
    for item in (item for part in parts for item in part.codes):
        pair = (item.code_type, item.code)
        known = best.get(pair)
        if known is None:
            best[pair] = item
        else:
            spans = tuple(sorted({*known.evidence, *item.evidence}, key=lambda span: (span.start, span.end)))
            best[pair] = CodedItem(*pair, item.description, max(known.confidence, item.confidence), spans)
    items = tuple(sorted(best.values(), key=lambda item: -item.confidence))
    confidence = items[0].confidence if items else min(part.confidence for part in parts)
    top: dict[Pair, float] = {}
    for code_type, code, probability in (entry for part in parts for entry in part.alternatives):
        if not items or code_type != NO_CODE[0]:
            top[code_type, code] = max(top.get((code_type, code), 0.0), probability)
    ranked = sorted(top, key=lambda pair: -top[pair])[: options.top_k]
    traces = [part.reasoning for part in parts if part.reasoning is not None]
    return Prediction(
        REVIEW if confidence < threshold else CODED if items else NONE,
        items,
        confidence,
        "\n".join(traces) if traces else None,
        tuple((*pair, top[pair]) for pair in ranked),
        tuple(dict.fromkeys(finding for part in parts for finding in part.findings)),
        "\n\n".join(part.text for part in parts),
        sum(part.new_tokens for part in parts),
    )
