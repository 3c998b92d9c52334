"""The first two sections of the report: results, and whether each stage is worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from thce.evaluation.charts import Dot, dots, legend, percent
from thce.evaluation.report_words import interval, ordered_sets, row, table, title_of

if TYPE_CHECKING:
    from thce.evaluation.report import Sources

MODES = ("fused", "constrained", "retriever", "direct", "free")


def results(sources: Sources) -> str:
    """Systems by test sets, and the same as a picture for the sets of one code or none."""
    evaluate = sources.evaluate
    sets = ordered_sets(evaluate)
    systems: list[tuple[str, str, Mapping[str, Any]]] = [
        (f"{title_of(name)}, {title_of(mode)}" if mode != name else title_of(name), name, part)
        for name in ("system", "retriever", "stage3", "stage2", "stage1")
        for mode, part in sorted(evaluate["systems"].get(name, {}).items(), key=lambda part: MODES.index(part[0]))
    ]
    floors = [(title_of(name), name, part) for name, part in sources.baselines["systems"].items()]
    best = {
        name: max((part[name]["exact"]["value"] for _, _, part in [*systems, *floors] if name in part), default=0.0)
        for name in sets
    }
    rows = []
    for group, members in (("Models", systems), ("Baselines, fitted on the same training rows", floors)):
        rows.append(f'<tr class="group"><td colspan="{len(sets) + 1}">{group}</td></tr>')
        for label, name, part in members:
            cells = [escape(label)]
            for test in sets:
                floor = group != "Models" and evaluate["best_baseline"].get(test) == name
                cells.append(_cell(part.get(test), best[test], floor))
            rows.append(row(cells))
    pictures = [name for name in ("unseen_phrase", "distractors", "known", "contrast", "no_code") if name in sets]
    shown = [("system", "fused", 0), ("stage3", "constrained", 2), ("retriever", "retriever", 3)]
    chart = []
    for test in pictures:
        marks = [
            Dot(part["exact"], part["low"], part["high"], series, f"{title_of(name)}, n = {part['n']}")
            for name, mode, series in [*shown, (evaluate["best_baseline"].get(test), "baseline", 1)]
            for part in sources.plots["accuracy"]
            if (part["test_set"], part["system"], part["mode"]) == (test, name, mode)
        ]
        chart.append((title_of(test), marks))
    return (
        "<p>Share of narratives answered exactly: the right code or codes and no other. Below each value the 95 % "
        "bootstrap interval and the number of rows. Shaded: the best of a column. "
        '<span class="even">&#9670;</span> marks the best baseline of a test set, chosen on the test itself, so in '
        "its favour.</p>"
        + table(["", *(title_of(name) for name in sets)], rows)
        + legend([*((title_of(name), series) for name, _, series in shown), ("best baseline", 1)])
        + f"<figure>{dots(chart, title='exact answers by test set')}</figure>"
        + _details(evaluate, sets)
    )


def _cell(part: Mapping[str, Any] | None, best: float, floor: bool) -> str:
    if part is None:
        return '<td class="even">&ndash;</td>'
    exact = part["exact"]
    kinds = " ".join(name for name, on in (("best", exact["value"] == best > 0), ("floor", floor)) if on)
    small = f"{interval(exact, '&ndash;')} &middot; {exact['n']}"
    return f'<td class="{kinds}">{percent(exact["value"])}<small>{small}</small></td>'


def _details(evaluate: Mapping[str, Any], sets: Sequence[str]) -> str:
    """How near the whole system is where it is not exact, and how it does on sets and groups."""
    system = evaluate["systems"]["system"]["fused"]
    rows = []
    for name in sets:
        part = system.get(name, {})
        if "top_5" in part:
            types = ", ".join(f"{kind} {percent(value['value'])}" for kind, value in part["code_type"].items())
            groups = percent(part["groups"]["value"]) + f" of {part['groups']['n']}" if "groups" in part else "&ndash;"
            numbers = [percent(part[key]) for key in ("category", "chapter", "top_3", "top_5", "top_10")]
            rows.append(row([escape(title_of(name)), *numbers, f"{part['mrr']:.3f}", groups, f'<td class="text">{types}</td>']))
    head = [
        "Whole system",
        "category (ICD-10)",
        "chapter",
        "top 3",
        "top 5",
        "top 10",
        "MRR",
        "groups all right",
        "exact by code type",
    ]
    html = table(head, rows, (8,))
    several = [name for name in ("multi", "unseen_multi", "visits") if name in system]
    if several:
        names = {
            "micro_precision": "precision", "micro_recall": "recall", "macro_f1": "macro-F1", "example_f1": "F1 per note",
            "jaccard": "Jaccard", "over_coded": "notes over-coded", "under_coded": "notes under-coded",
        }  # fmt: skip
        rows = []
        for name in several:
            part = system[name]
            cells = "".join(f"<td>{percent(part[key])}</td>" for key in names)
            rows.append(
                f"<tr><td>{escape(title_of(name))}</td><td>{percent(part['micro_f1']['value'])}</td>{cells}"
                f"<td>{part['codes_answered']:.2f} ({part['codes_gold']:.2f})</td></tr>"
            )
        html += table(["Whole system, several codes", "micro-F1", *names.values(), "codes answered (gold)"], rows)
    found = system["all"]["no_code"]
    return html + (
        f"<p>&ldquo;No code&rdquo; over all test sets: precision {percent(found['precision'])}, recall "
        f"{percent(found['recall'])}.</p>"
    )


def worth(sources: Sources) -> str:
    """Paired comparisons: every stage with its parent, reasoning with none, the system with what it must beat."""
    names = {
        "stage2_vs_stage1": "stage 2 (reasoning) vs stage 1",
        "stage2_vs_stage1_free": "the same, unconstrained",
        "stage3_vs_stage2": "stage 3 (preferences) vs stage 2",
        "stage3_vs_stage2_free": "the same, unconstrained",
        "stage3_vs_stage2_holds": "the same: reasoning that holds",
        "stage2_reasoning_vs_direct": "stage 2: reasoning vs none",
        "stage3_reasoning_vs_direct": "stage 3: reasoning vs none",
        "system_reasoning_vs_direct": "whole system: reasoning vs none",
        "system_vs_stage3": "whole system vs stage 3 alone",
        "system_vs_retriever": "whole system vs lexical prior alone",
        "system_vs_best_baseline": "whole system vs best baseline",
    }
    compare, sets = sources.evaluate["compare"], ordered_sets(sources.evaluate)
    rows = []
    for key, label in names.items():
        if key in compare:
            rows.append(row([label, *(_difference(compare[key].get(name)) for name in sets)]))
    return (
        "<p>Difference in exact answers (in one line: in reasoning that holds) on the same rows, in percentage points, with "
        "the paired 95 % bootstrap interval. "
        '<span class="good">Green</span>: better; <span class="bad">red</span>: worse; grey: the interval holds 0, so these '
        "rows do not tell them apart. No correction for the number of comparisons.</p>"
        + table(["", *(title_of(name) for name in sets)], rows)
    )


def _difference(part: Mapping[str, Any] | None) -> str:
    if part is None:
        return '<td class="even">&ndash;</td>'
    kind = "good" if part["low"] > 0 else "bad" if part["high"] < 0 else "even"
    small = f"{part['low'] * 100:+.1f} to {part['high'] * 100:+.1f} &middot; {part['n']}"
    return f'<td><span class="{kind}">{part["difference"] * 100:+.1f}</span><small>{small}</small></td>'
