"""`metrics/report.html`: one page, from metric files alone, that a sceptical reader understands in two minutes."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from thce.errors import UserError
from thce.evaluation import report_results
from thce.evaluation import report_sections as sections
from thce.evaluation.charts import percent
from thce.evaluation.report_style import STYLE
from thce.evaluation.report_words import interval, ordered_sets, title_of
from thce.files import read_json

STAGES = ("codes", "narratives", "prepare", "base", "stage1", "stage2", "pairs", "stage3", "calibrate")
PLOTS = ("accuracy", "strata", "confusion", "reliability", "risk_coverage")
CURVES = ("base_loss", "stage1_loss", "stage2_loss", "stage3_rewards")
LIMIT = 1_000_000
"""Bytes a report may have."""


class Sources(NamedTuple):
    """The metric files: of the evaluation, of the baselines, of the errors, of every stage, and plot data by name."""

    evaluate: dict[str, Any]
    baselines: dict[str, Any]
    errors: dict[str, Any]
    stages: dict[str, dict[str, Any]]
    plots: dict[str, list[dict[str, Any]]]


def load(folder: Path | str = "metrics") -> Sources:
    """Everything the report is made of. Evaluation, baselines and plots must exist; of the other stages what is there."""
    folder = Path(folder)
    stages = {name: read_json(folder / f"{name}.json") for name in STAGES if (folder / f"{name}.json").is_file()}
    plots = {name: read_json(folder / "plots" / f"{name}.json") for name in PLOTS}
    plots |= {
        name: read_json(folder / "plots" / f"{name}.json") for name in CURVES if (folder / "plots" / f"{name}.json").is_file()
    }
    return Sources(
        read_json(folder / "evaluate.json"),
        read_json(folder / "baselines.json"),
        read_json(folder / "errors.json"),
        stages,
        plots,
    )


def page(sources: Sources) -> str:
    """The whole page. Raises `UserError` if it would be larger than `LIMIT`."""
    parts = [
        ("results", "Results", report_results.results(sources)),
        ("stages", "Is each stage worth it?", report_results.worth(sources)),
        ("errors", "Where it fails", sections.failures(sources)),
        ("strata", "Easy and hard rows", sections.strata(sources)),
        ("confidence", "Can the confidence be trusted?", sections.confidence(sources)),
        ("free", "What the models write by themselves", sections.free_running(sources)),
        ("training", "What was trained on what", sections.training(sources)),
        ("leaks", "Leak check", sections.leak_check(sources)),
        ("limits", "What the numbers do not say", sections.limits(sources)),
    ]
    if sources.evaluate.get("influence"):
        place = [name for name, _, _ in parts].index("training")
        parts.insert(place, ("influence", "What an answer hangs on", sections.influence(sources)))
    menu = " ".join(f'<a href="#{name}">{escape(title)}</a>' for name, title, _ in parts)
    body = "".join(f'<section id="{name}"><h2>{escape(title)}</h2>{html}</section>' for name, title, html in parts)
    setup = sources.evaluate["setup"]
    releases = ", ".join(f"{name} {release}" for name, release in sorted(setup["releases"].items()))
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>THCE: evaluation report</title>'
        f"<style>{STYLE}</style></head><body><header><h1>Evaluation report</h1>"
        f'<p class="lead">Clinical narratives in, billing codes out. {setup["scope"]} codes in scope ({escape(releases)}); '
        f"{sum(setup['rows'].values())} test narratives in {len(setup['rows'])} test sets."
        f"</p>{verdict(sources)}<nav>{menu}</nav></header>{body}"
        "<footer>Made from the files in <code>metrics/</code> alone. Research software: not for unsupervised billing.</footer>"
        "</body></html>\n"
    )
    if len(text.encode()) > LIMIT:
        raise UserError("metrics/report.html", f"would have {len(text.encode())} bytes", "lower evaluate.examples")
    return text


def verdict(sources: Sources) -> str:
    """Cards with the numbers that matter most, and the comparison with the best baseline in words."""
    fused = sources.evaluate["systems"]["system"]["fused"]
    cards = []
    for name, what in (
        ("unseen_phrase", "exact codes, wordings never trained on"),
        ("known", "exact codes, known wordings in new sentences"),
        ("multi", "micro-F1, several codes per note"),
        ("unseen_multi", "micro-F1, several codes, each in a wording never trained on"),
        ("visits", "micro-F1, several codes told one by one, half of them in wordings never trained on"),
        ("distractors", "exact codes beside conditions that must not be coded"),
        ("no_code", "texts without a code left uncoded"),
    ):
        if name in fused:
            part = fused[name]["micro_f1"] if name in ("multi", "unseen_multi", "visits") else fused[name]["exact"]
            shown = f"{interval(part)} %, n = {part['n']}"
            cards.append(
                f'<div class="card"><b>{percent(part["value"])}</b><span>{escape(what)}</span><span>{shown}</span></div>'
            )
    return f'<div class="cards">{"".join(cards)}</div>' + sentences(sources.evaluate)


def sentences(evaluate: Mapping[str, Any]) -> str:
    """Where the whole system stands against the best baseline, one line per outcome."""
    outcome: dict[str, list[str]] = {"ahead": [], "behind": [], "even": []}
    compared = evaluate["compare"].get("system_vs_best_baseline", {})
    for name in ordered_sets(evaluate):
        if (part := compared.get(name)) is None:
            continue
        kind = "ahead" if part["low"] > 0 else "behind" if part["high"] < 0 else "even"
        rival = evaluate["best_baseline"][name]
        outcome[kind].append(f"{title_of(name)} ({part['difference'] * 100:+.1f} points against {title_of(rival)})")
    words = {
        "ahead": ("good", "Better than the best baseline"),
        "behind": ("bad", "Worse than the best baseline"),
        "even": ("even", "Not distinguishable from the best baseline"),
    }
    rows = [
        f'<li><span class="{words[kind][0]}">{words[kind][1]}</span>: {escape("; ".join(names))}.</li>'
        for kind, names in outcome.items()
        if names
    ]
    return f"<ul>{''.join(rows)}</ul>" if rows else ""
