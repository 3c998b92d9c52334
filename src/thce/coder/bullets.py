"""The bullets that hold for a decided answer, as a script the model chooses from.

Quotations are the known wording, else what the lexical prior cannot do without, else a clause of the text. Each bullet
is judged by the verifier before it is offered; only where no quotation holds is the first offered all the same, and the
verdict then says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thce.answers import NONE_ANSWER, format_answer, format_completion
from thce.coder.evidence import CLAUSE
from thce.coder.script import Script, Step
from thce.reasoning import grammar
from thce.reasoning.build import decisions, none_quotes, one_line, place
from thce.reasoning.grammar import ANSWER, EVIDENCE, REASONS
from thce.reasoning.knowledge import Knowledge
from thce.reasoning.verify import SUPPORTED, verify

Pair = tuple[str, str]

_PLACES = 6
_CLAUSES = 8


def script_for(
    narrative: str, pairs: Sequence[Pair], quotes: Mapping[Pair, Sequence[str]], facts: Knowledge
) -> tuple[Script, bool]:
    """The script for an answer (no pairs: "no code") and whether every code has a quotation that holds.

    `quotes` are the preferred quotations of a code, best first.
    """
    if not pairs:
        return _none(narrative, facts), True
    chosen = {pair: [quote for text in quotes.get(pair, ()) if (quote := one_line(text))] for pair in pairs}
    clauses = [quote for match in CLAUSE.finditer(narrative) if (quote := one_line(match[0]))][:_CLAUSES]
    first = {pair: (own or clauses or ["-"])[0] for pair, own in chosen.items()}
    steps: list[Step] = []
    held = True
    for pair in pairs:
        offered = [quote for quote in chosen[pair] if _holds(narrative, pair, quote, first, facts)][:1]
        offered = offered or [quote for quote in clauses if _holds(narrative, pair, quote, first, facts)]
        held = held and bool(offered)
        offered = offered or [first[pair]]
        first[pair] = offered[0]
        evidence = _written(EVIDENCE, offered)
        placed = list(dict.fromkeys(place(pair, facts, pick, len(pairs) == 1) for pick in range(_PLACES)))
        reasons = decisions(narrative, offered[0], pair, facts) if len(pairs) == 1 and len(offered) == 1 else []
        last = [grammar.write(ANSWER, pick, code=pair[1]) for pick in range(len(grammar.FORMS[ANSWER]))]
        here = len(steps)
        steps += [
            Step(tuple(evidence), (here + 1,) * len(evidence)),
            Step(tuple(placed), (here + 2,) * len(placed)),
            Step(tuple(last), (here + 3,) * len(last)),
        ]
        if reasons:
            steps.append(Step(tuple(reasons), (here + 4,) * len(reasons)))
    return tuple(steps), held


def _none(narrative: str, facts: Knowledge) -> Script:
    """Why the text supports no code: what it says of a condition, as far as that holds, else what only a reader can
    tell."""
    lines: list[str] = []
    for reason, checkable in sorted(REASONS.items(), key=lambda one: not one[1]):
        if lines and not checkable:
            break
        for quote in dict.fromkeys(none_quotes(narrative, reason)):
            bullet = grammar.write(reason, 0, quote=quote)
            text = format_completion(f"{bullet}\n- Code: none", NONE_ANSWER)
            if verify(narrative, text, facts.book).evidence:
                lines += _written(reason, [quote])
    last = [grammar.write(ANSWER, pick, code="none") for pick in range(len(grammar.FORMS[ANSWER]))]
    steps = [Step(tuple(last), (2,) * len(last))]
    if lines:
        steps.insert(0, Step(tuple(dict.fromkeys(lines)), (1,) * len(dict.fromkeys(lines))))
    else:
        steps = [Step(tuple(last), (1,) * len(last))]
    return tuple(steps)


def _holds(narrative: str, pair: Pair, quote: str, others: Mapping[Pair, str], facts: Knowledge) -> bool:
    """Whether a quotation holds as evidence of a code, in a plain trace beside the quotations of the other codes."""
    lines, answer = [], []
    for code, other in others.items():
        entry = facts.book.find(*code)
        if entry is None:
            return False
        text = quote if code == pair else other
        lines += [grammar.write(EVIDENCE, 0, quote=text), place(code, facts, 0), grammar.write(ANSWER, 0, code=code[1])]
        answer.append((*code, entry.short_title))
    claims = verify(narrative, format_completion("\n".join(lines), format_answer(answer)), facts.book).claims
    at = 3 * list(others).index(pair)
    return len(claims) > at and claims[at].status == SUPPORTED


def _written(kind: str, quotes: Sequence[str]) -> list[str]:
    return [grammar.write(kind, pick, quote=quote) for quote in quotes for pick in range(len(grammar.FORMS[kind]))]
