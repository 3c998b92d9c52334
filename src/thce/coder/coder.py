"""The coder: narratives in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from thce.answers import format_completion
from thce.coder import fusion
from thce.coder.bullets import script_for
from thce.coder.decide import Decision, Weighed, decide, extend, weigh
from thce.coder.decode import ANSWER_ROOM, Answer, Decoder, Further
from thce.coder.evidence import WORDING, Evidence, leave_one_out, quoted
from thce.coder.fusion import CLAUSES, DIRECT, LOOKUP, PRIOR, Fusion
from thce.coder.guard import Guard
from thce.coder.lookup import DENIED, Find, LookUp, numbers
from thce.coder.near import NEARNESS, Wordings
from thce.coder.outside import load as load_beyond
from thce.coder.outside import outside
from thce.coder.prediction import CODED, NONE, REVIEW, CodedItem, Prediction, merge
from thce.coder.prior import Pair, Prior
from thce.coder.reading import Read, Reader
from thce.coder.script import Script, explain
from thce.coder.settle import settle
from thce.coder.several import Several
from thce.coder.several import load as load_several
from thce.coder.trie import CodeSet
from thce.coder.windows import windows
from thce.codes.book import CodeBook, Entry
from thce.codes.findings import Finding
from thce.errors import UserError
from thce.files import read_json
from thce.modeling.chat import as_read, prompt_text
from thce.reasoning import grammar
from thce.reasoning.build import place
from thce.reasoning.knowledge import knowledge

Floats = NDArray[np.float64]


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
    reason_first: bool = False


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
        lookup: LookUp | None = None,
        scope: Sequence[Entry] | None = None,
        several: Mapping[str, Several] | None = None,
        wordings: Wordings | None = None,
        beyond: LookUp | None = None,
    ) -> None:
        self.decoder = decoder
        self.book = book
        self.options = options
        self.prior = prior
        self.wordings = wordings
        self.lookup = lookup
        self.beyond = beyond
        self.several = dict(several or {})
        self.fusions = fusions
        self.scope = tuple(book.scope if scope is None else scope)
        self.systems = {True: systems[0], False: systems[1]}
        self._prefixes = {think: self._prefix(system) for think, system in self.systems.items()}
        self._empty = {think: len(self.prompt("", think)) for think in self.systems}  # tokens of a prompt that says nothing
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
        prior = wordings = lookup = beyond = None
        severals: dict[str, Several] = {}
        if coder_folder is not None:
            stored = fusion.load(coder_folder)
            options = options or Options(**stored["params"])
            fusions = {mode: stored[mode] for mode in fusion.MODES if mode in stored}
            if any(part.weights.get(name) for part in fusions.values() for name in (PRIOR, CLAUSES, *NEARNESS)):
                prior = Prior.load(coder_folder)
                wordings = Wordings.load(coder_folder, prior)
            if any(part.weights.get(LOOKUP) for part in fusions.values()):
                lookup = LookUp.load(coder_folder)
                beyond = load_beyond(coder_folder)
            if prior is not None:
                severals = load_several(coder_folder)
        # by itself a model has nothing to decide with but its own reasoning
        options = options or Options()
        if coder_folder is None:
            options = replace(options, reason_first=True)
        decoder = Decoder.load(model_folder, options.batch_size, device, dtype)
        return cls(
            decoder, book, read_systems(model_folder), options, fusions, prior, lookup, scope, severals, wordings, beyond
        )

    def code(
        self,
        narratives: Sequence[str],
        think: bool = True,
        code_type: str | None = None,
        day: date | None = None,
    ) -> list[Prediction]:
        """Code narratives; with `code_type` only codes of that type, with `day` only codes in force on that day.

        With `think` each answer has its reasoning: written for the decided answer, or, with `Options.reason_first`, by
        the model before it answers.
        """
        codes = self.codes(code_type, day)
        first = think and self.options.reason_first
        pieces = [
            (i, start, narrative[start:end])
            for i, narrative in enumerate(narratives)
            for start, end in self._windows(narrative, think)
        ]
        texts = [text for _, _, text in pieces]
        way = "think" if first else "direct"
        mode = self.fusions[way]
        finds = [self.lookup.find(text, self.book) if self.lookup else [] for text in texts]
        reads = self.read(texts, codes)
        others = self.sources(texts, finds, reads, codes, mode)
        trust = self.lookup.trust if self.lookup else {}
        weighed: dict[int, Weighed] = {}

        def unsettled(i: int, scores: Floats) -> bool:
            own = {name: values[i] for name, values in others.items()}
            weighed[i] = weigh(scores, own, finds[i], codes.labels, mode, trust)
            return not weighed[i].settled

        answers = self.answers(texts, codes, first, unsettled)
        most = self.options.max_codes
        decisions = [decide(weighed[i], answer.lines, codes.labels, mode, most) for i, answer in enumerate(answers)]
        several = self.several.get(way)
        if several is not None:
            decisions = [
                extend(decision, text, read.pieces, own, answer.lines[0].scores, codes.labels, several, most)
                for decision, text, read, own, answer in zip(decisions, texts, reads, finds, answers, strict=True)
            ]
        decisions = [settle(decision, own, codes.labels, self.book) for decision, own in zip(decisions, finds, strict=True)]
        reasons: Sequence[tuple[str | None, bool]] = [(answer.reasoning, True) for answer in answers]
        if think and not first:
            reasons = self._reasons(texts, decisions, finds, codes)
        parts: list[list[Prediction]] = [[] for _ in narratives]
        for (i, offset, text), decision, own, reason in zip(pieces, decisions, finds, reasons, strict=True):
            found: tuple[Finding, ...] = ()
            if self.beyond is not None and code_type in (None, "ICD10"):
                pairs = [codes.labels[number] for number in decision.numbers]
                found = tuple(outside(text, self.beyond, own, pairs, numbers(codes.labels), self.book, day))
            whole = (several is None or decision.missing < several.doubt) and not (found and decision.numbers)
            settled = whole and reason[1] and decision.confidence >= mode.least(decision.ground)
            parts[i].append(self._prediction(text, offset, decision, own, reason[0], settled, codes, found))
        return [merge(part, self.options.top_k) for part in parts]

    def answers(self, texts: Sequence[str], codes: CodeSet, first: bool, further: Further | None = None) -> list[Answer]:
        """The model's own answers under the code table; with `first` it reasons before. See `Decoder.constrained` for
        `further`."""
        return self.decoder.constrained(
            self.decoder.encode_all([self._prompt_text(text, first) for text in texts]),
            codes,
            think=first,
            max_reasoning=self.options.max_reasoning,
            max_codes=self.options.max_codes,
            beam=self.options.beam,
            cutoff=self.options.cutoff,
            prefix=self._prefixes[first],
            guard=self.guard if first else None,
            narratives=[as_read(text) for text in texts],
            further=further,
        )

    @cached_property
    def reader(self) -> Reader:
        """What reads a text with the lexical prior. Only for a coder that has one."""
        assert self.prior is not None
        return Reader(self.prior, self.wordings)

    def read(self, texts: Sequence[str], codes: CodeSet) -> list[Read]:
        """What the lexical prior reads in each text; nothing at all without one."""
        return self.reader.read(texts, codes) if self.prior is not None else [Read({}, []) for _ in texts]

    def sources(
        self, texts: Sequence[str], finds: Sequence[Sequence[Find]], reads: Sequence[Read], codes: CodeSet, mode: Fusion
    ) -> dict[str, Floats]:
        """Log-probabilities or scores [texts, codes] of every source of a mode but the answer itself."""
        sources: dict[str, Floats] = {}
        for name in reads[0].sources if reads else ():
            if mode.weights.get(name):
                sources[name] = np.stack([own.sources[name] for own in reads])
        if texts and self.lookup is not None and mode.weights.get(LOOKUP):
            sources[LOOKUP] = np.stack([self.lookup.scores(own, codes.labels) for own in finds])
        if texts and mode.weights.get(DIRECT):
            prompts = [self.prompt(text, False) for text in texts]
            sources[DIRECT], _ = self.decoder.scores(
                prompts, codes, self.options.beam, self.options.cutoff, self._prefixes[False]
            )
        return sources

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

    def _reasons(
        self, texts: Sequence[str], decisions: Sequence[Decision], finds: Sequence[Sequence[Find]], codes: CodeSet
    ) -> list[tuple[str, bool]]:
        """Reasoning for decided answers, and whether every code's quotation holds."""
        facts = knowledge(self.book)
        scripts: list[tuple[Script, bool]] = []
        for text, decision, own in zip(texts, decisions, finds, strict=True):
            pairs = [codes.labels[number] for number in decision.numbers]
            quotes = {
                pair: [span.text for span in self._spans(text, own, pair, decision.pieces.get(number))]
                for pair, number in zip(pairs, decision.numbers, strict=True)
            }
            scripts.append(script_for(text, pairs, quotes, facts))
        written = explain(
            self.decoder,
            [self.prompt(text, True) for text in texts],
            [script for script, _ in scripts],
            self._prefixes[True],
        )
        return [(trace, held) for trace, (_, held) in zip(written, scripts, strict=True)]

    def _prediction(
        self,
        text: str,
        offset: int,
        decision: Decision,
        finds: Sequence[Find],
        reasoning: str | None,
        settled: bool,
        codes: CodeSet,
        findings: tuple[Finding, ...],
    ) -> Prediction:
        items = []
        for number, sure in zip(decision.numbers, decision.sure, strict=True):
            entry = codes.entries[number]
            pair = (entry.code_type, entry.code)
            spans = quoted(reasoning, text, entry.code) if reasoning else ()
            spans = spans or self._spans(text, finds, pair, decision.pieces.get(number))
            moved = tuple(Evidence(span.text, span.start + offset, span.end + offset, span.source) for span in spans)
            items.append(CodedItem(*pair, entry.short_title, sure, moved))
        best = fusion.highest(decision.fused, self.options.top_k).tolist()
        answered = decision.numbers or [codes.none]
        completion = format_completion(reasoning, "\n".join(codes.line(number) for number in answered))
        written = self.decoder.encode(completion) if reasoning is not None else codes.lines(answered, self.decoder.newline)
        return Prediction(
            REVIEW if not settled else CODED if items else NONE,
            tuple(items),
            decision.confidence,
            reasoning,
            tuple((*codes.labels[i], float(np.exp(decision.fused[i]))) for i in best),
            findings,
            completion,
            len(written) + 1,
        )

    def _spans(
        self, text: str, finds: Sequence[Find], pair: Pair, piece: tuple[int, int] | None = None
    ) -> tuple[Evidence, ...]:
        """Where a code was read, without a trace: its known wordings, else what the prior cannot do without (of its own
        piece, where it has one).
        """
        found = tuple(
            Evidence(text[find.start : find.end], find.start, find.end, WORDING)
            for find in finds
            if find.pair == pair and find.kind != DENIED
        )
        if not found and self.prior is not None:
            start, end = piece or (0, len(text))
            found = tuple(
                replace(span, start=span.start + start, end=span.end + start)
                for span in leave_one_out(self.prior, text[start:end], pair)
            )
        return found

    def _windows(self, narrative: str, think: bool) -> list[tuple[int, int]]:
        room = self.decoder.model.context - ANSWER_ROOM - (self.options.max_reasoning if think else 0)
        modes = (think, False) if think else (False,)
        if any(self._empty[mode] >= room for mode in modes):
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
    known). Raises `UserError` where no trained model lies.
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
