"""`metrics/model_card.md`: the model card, with the hub's metadata block, from the same files as the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thce.evaluation.charts import percent
from thce.evaluation.report import Sources
from thce.evaluation.report_words import ordered_sets, title_of

NAME = "thce"


def text(sources: Sources) -> str:
    """The card as Markdown."""
    evaluate = sources.evaluate
    fused = evaluate["systems"]["system"]["fused"]
    setup, sets = evaluate["setup"], [name for name in ordered_sets(evaluate) if name in fused]
    size = sources.stages.get("base", {}).get("parameters")
    releases = ", ".join(f"{name} {release}" for name, release in sorted(setup["releases"].items()))
    floors = sources.baselines["systems"]
    rows = []
    for name in sets:
        best = evaluate["best_baseline"].get(name)
        least = floors[best][name]["exact"]["value"] if best else None
        floor = "-" if least is None else f"{percent(least)} ({title_of(best)})" if least else f"{percent(least)} (all)"
        rows.append(f"| {title_of(name)} | {_value(fused[name]['exact'])} | {floor} | {fused[name]['exact']['n']} |")
    none, sure = fused["all"]["no_code"], fused["all"]["calibration"]
    return "\n".join(
        [
            *_metadata(fused, sets),
            "",
            "# THCE: a tiny reasoning model for medical coding",
            "",
            f"Reads a short clinical narrative and answers with billing codes ({setup['scope']} codes in scope: "
            f"{releases}), with a short reasoning that a program can check, or says that no code is supported.",
            "",
            "## Use",
            "",
            "Research and teaching. **Not for unsupervised billing**: a person must check every code. Not trained on "
            "patient data; not tested on real notes. Using CPT needs a licence of the American Medical Association; "
            "the CPT labels here are the project's own.",
            "",
            "## Model",
            "",
            *([f"- {size:,} parameters, Llama architecture, safetensors"] if size else []),
            "- stage 1: answers alone; stage 2: reasoning and answer; stage 3: preference tuning (DPO)",
            "- answers are decoded under the code table and fused with known and nearest wordings, deciding words and "
            "a lexical prior; confidence is calibrated on validation",
            "",
            "## Results",
            "",
            "Exact answers of the whole system with 95 % bootstrap intervals, against the best baseline of each test "
            "set (chosen on the test set itself).",
            "",
            "| test set | whole system | best baseline | rows |",
            "|---|---|---|---|",
            *rows,
            "",
            f'- "No code": precision {percent(none["precision"])}, recall {percent(none["recall"])}',
            *(
                [f"- Calibration: ECE {sure['ece']:.3f}; coverage at {percent(setup['precision'])} precision "
                 f"{percent(sure['coverage_at_precision'])}"] if sure else []
            ),
            *_stage_lines(evaluate),
            "",
            "## Data",
            "",
            "Synthetic narratives, written by a grammar around the project's own phrasebook. Sentences of the test "
            "sets and held-out wordings never occur in training; the pipeline stops if one does.",
            "",
            "## Limits",
            "",
            f"Short synthetic English text; {setup['scope']} codes only; one release of each code set; training and "
            "test share a grammar. Under the code table no code outside of the scope is answered; a model that "
            "writes freely may. See the report for errors by kind.",
            "",
        ]
    )  # fmt: skip


def _metadata(fused: Mapping[str, Any], sets: list[str]) -> list[str]:
    lines = [
        "---",
        "license: apache-2.0",
        "language: en",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags: [medical-coding, icd-10-cm, hcpcs, reasoning, dpo, synthetic]",
        "model-index:",
        f"- name: {NAME}",
        "  results:",
    ]
    for name in sets:
        lines += [
            "  - task: {type: text-generation, name: medical coding}",
            f"    dataset: {{type: thce-{name.replace('_', '-')}, name: THCE synthetic test set ({title_of(name)})}}",
            "    metrics:",
            f"    - {{type: exact_match, value: {fused[name]['exact']['value']}, name: exact match}}",
        ]
    return [*lines, "---"]


def _value(part: Mapping[str, Any]) -> str:
    return f"{percent(part['value'])} ({100 * part['low']:.1f} to {100 * part['high']:.1f})"


def _stage_lines(evaluate: Mapping[str, Any]) -> list[str]:
    lines = []
    for child, parent in (("stage2", "stage1"), ("stage3", "stage2")):
        part = evaluate["compare"].get(f"{child}_vs_{parent}", {}).get("unseen_phrase")
        if part:
            verdict = "better" if part["low"] > 0 else "worse" if part["high"] < 0 else "not distinguishable"
            lines.append(
                f"- {title_of(child)} against {title_of(parent)}, unseen wording: {100 * part['difference']:+.1f} "
                f"points ({100 * part['low']:+.1f} to {100 * part['high']:+.1f}), {verdict}"
            )
    return lines
