"""The further sections of the report, each a piece of HTML from the metric files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from thce.evaluation.charts import Axis, Dot, Line, bars, dots, heat, legend, lines, percent, rounded_up, stacked
from thce.evaluation.report_words import figure, interval, ordered_sets, row, table, title_of
from thce.evaluation.taxonomy import KINDS
from thce.evaluation.validity import CLASSES

if TYPE_CHECKING:
    from thce.evaluation.report import Sources

STRATA = ("tier", "code_type", "billing", "training", "kind")


def failures(sources: Sources) -> str:
    """Kinds of error with examples, the most confused pairs, and chapters against chapters."""
    errors = sources.errors
    wrong = errors["wrong"] or 1
    kinds = [(KINDS[kind], n) for kind, n in errors["kinds"].items() if n]
    chart = bars(
        [(name, float(n), f"{n}  ({percent(n / wrong)})") for name, n in sorted(kinds, key=lambda part: -part[1])], 400
    )
    shown = "".join(
        f"<details><summary>{escape(KINDS[kind])} ({errors['kinds'][kind]})</summary>{''.join(map(_example, rows))}</details>"
        for kind, rows in sorted(errors["examples"].items(), key=lambda part: -errors["kinds"][part[0]])
    ).replace("<details>", "<details open>", 3)
    pairs = [
        row(
            [
                f'<td class="text">{escape(part["gold"])}</td>',
                f'<td class="text">{escape(part["answered"])}</td>',
                str(part["n"]),
            ]
        )
        for part in errors["pairs"]
    ]
    counts = Counter((_short(part["gold"]), _short(part["answered"])) for part in sources.plots["confusion"])
    order = sorted({name for pair in counts for name in pair}, key=_chapter_order)
    golds = [name for name in order if any(gold == name for gold, _ in counts)]
    return (
        f"<p>The whole system on all test sets: {errors['wrong']} of {errors['rows']} rows are not exactly right. "
        "Each is sorted by what the code tables say about the right and the given code.</p>"
        + figure(chart)
        + f"<h3>Examples</h3>{shown or '<p class=note>None are shown.</p>'}<h3>Most confused pairs</h3>"
        + table(["right", "answered", "rows"], pairs, (0, 1))
        + "<h3>Chapters</h3><p class='note'>Rows: chapter of the right code (HCPCS letter, CPT section); columns: of the "
        "first answer; numbers: rows with at most one code.</p>" + figure(heat(golds, order, counts, "confusion by chapter"))
    )


def _chapter_order(name: str) -> tuple[int, int, str]:
    kind, _, rest = name.partition(" ")
    number = int(rest) if rest.isdigit() else 0
    return {"ICD": 0, "CPT": 1, "HCPCS": 2}.get(kind, 3), number, rest


def _short(name: str) -> str:
    return name.replace("ICD10 ", "ICD ").partition("-")[0]


def _example(part: Mapping[str, Any]) -> str:
    text = escape(part["narrative"])
    for span in part["evidence"]:
        text = text.replace(escape(span), f"<mark>{escape(span)}</mark>", 1)
    right, given = (escape("; ".join(part[key])) for key in ("gold", "answered"))
    return (
        f"<blockquote>{text}<br><small>right: {right}<br>answered: {given} &middot; "
        f"<code>{escape(part['id'])}</code></small></blockquote>"
    )


def strata(sources: Sources) -> str:
    """Accuracy by wording, code type, frequency and kind of note."""
    systems = list(dict.fromkeys(part["system"] for part in sources.plots["strata"]))
    colour = {name: {"system": 0, "retriever": 3}.get(name, 1) for name in systems}
    charts = []
    order = ["easy", "partial", "novel", "frequent", "middle", "rare", "never", "unknown"]
    for stratum in STRATA:
        found = [part for part in sources.plots["strata"] if part["stratum"] == stratum]
        values = sorted(
            {part["value"] for part in found}, key=lambda value: (order.index(value) if value in order else 99, value)
        )
        chart = []
        for value in values:
            marks = [
                Dot(
                    part["exact"],
                    part["low"],
                    part["high"],
                    colour[part["system"]],
                    f"{title_of(part['system'])}, n = {part['n']}",
                )
                for part in found
                if part["value"] == value
            ]
            size = next(part["n"] for part in found if part["value"] == value)
            chart.append((f"{title_of(value)} ({size})", marks))
        charts.append(figure(dots(chart, title=title_of(stratum)), title_of(stratum)))
    return (
        "<p>Exact answers of rows with at most one code, over all test sets. <em>easy</em>, <em>partial</em>, "
        "<em>novel</em>: all, some or none of the content words of the wording stand in the official title. Thirds: "
        "the codes by how often they are billed, and by how many training narratives they have. In brackets the "
        "rows.</p>" + legend([(title_of(name), colour[name]) for name in systems]) + "".join(charts)
    )


def confidence(sources: Sources) -> str:
    """Reliability and risk-coverage, before and after calibration, and what the review threshold does."""
    systems = {"system": 0, "stage3": 1}
    reliability = [
        Line(
            title_of(name),
            series,
            [(p["confidence"], p["accuracy"]) for p in sources.plots["reliability"] if p["system"] == name],
        )
        for name, series in systems.items()
    ]
    risk = [
        Line(
            title_of(name), series, [(p["coverage"], p["risk"]) for p in sources.plots["risk_coverage"] if p["system"] == name]
        )
        for name, series in systems.items()
    ]
    evaluate = sources.evaluate
    rows = []
    for name, mode in (("system", "fused"), ("stage3", "constrained")):
        part = evaluate["systems"].get(name, {}).get(mode, {}).get("all", {}).get("calibration")
        if part:
            shares = [percent(part["accuracy"]), percent(part["confidence"])]
            numbers = [f"{part[key]:.3f}" for key in ("ece", "ece_adaptive", "brier", "log_loss", "aurc")]
            ends = [percent(part["coverage_at_precision"]), str(part["n"])]
            rows.append(row([f"{title_of(name)}, {title_of(mode)}", *shares, *numbers, *ends]))
    precision = percent(evaluate["setup"]["precision"])
    reviewed = []
    for name in ordered_sets(evaluate):
        part = evaluate["review"][name]
        sides = ["&ndash;" if part[key] is None else percent(part[key]) for key in ("exact_answered", "exact_review")]
        reviewed.append(row([escape(title_of(name)), percent(part["coverage"]), *sides, str(part["n"])]))
    share = Axis("confidence", 0, 1, True)
    charts = figure(lines(reliability, share, Axis("right", 0, 1, True), 420, True, True), "Reliability")
    wrong = Axis("wrong among answered", 0, 1, True)
    charts += figure(lines(risk, Axis("answered", 0, 1, True), wrong, 420), "Errors among the most confident")
    head = ["", "right", "mean confidence", "ECE", "ECE, equal bins", "Brier", "log loss", "AURC"]
    return (
        "<p>Confidence was fitted on validation rows. The first answer counts here, over rows with at most one code. "
        "A point on the diagonal means: of the answers given with 80 % confidence, 80 % are right.</p>"
        + legend([(title_of("system"), 0), ("stage 3 alone, not calibrated", 1)])
        + f'<div class="pair">{charts}</div>'
        + table([*head, f"coverage at {precision}", "rows"], rows)
        + f"<p class='note'>Coverage at {precision} precision is read off the test rows themselves: what the ranking would "
        "allow at best.</p><h3>The review threshold, fitted on validation</h3>"
        + table(["", "answered without review", "exact among those", "exact among the others", "rows"], reviewed)
    )


def free_running(sources: Sources) -> str:
    """Validity of unconstrained completions, and the reasoning, per stage over all test sets."""
    validity: list[tuple[str, dict[str, float]]] = []
    rows = []
    traces = {
        "present": "reasons",
        "closed": "closed",
        "format": "well-formed",
        "evidence": "quotes true",
        "placement": "place true",
        "decision": "decision true",
        "faithful": "faithful",
        "faithful_but_wrong": "faithful but wrong",
    }
    series = {"valid": 2, "no_code": 0, "out_of_scope": 3, "header": 1, "retired": 1, "nonexistent": 4, "malformed": 5}
    for stage in ("stage1", "stage2", "stage3"):
        modes = sources.evaluate["systems"].get(stage, {})
        parts = [part for name, part in modes.get("free", {}).items() if name != "all"]
        if not parts:
            continue
        weights = [part["exact"]["n"] for part in parts]
        validity.append(
            (
                title_of(stage),
                {kind: _mean([p["free"]["validity"][kind] for p in parts], weights) for kind in reversed(CLASSES)},
            )
        )
        mean = [_mean([p["free"][key] for p in parts], weights) for key in ("stopped", "new_tokens")]
        agree = _mean([p["free"]["description"]["agree"] for p in parts], weights)
        reason = [
            "&ndash;"
            if all(key not in p["free"]["reasoning"] for p in parts)
            else percent(_mean([p["free"]["reasoning"].get(key) or 0.0 for p in parts], weights))
            for key in traces
        ]
        rows.append(row([title_of(stage), percent(mean[0]), f"{mean[1]:.0f}", percent(agree), *reason]))
    names = [
        (title_of(kind), series[kind]) for kind in ("valid", "no_code", "out_of_scope", "header", "nonexistent", "malformed")
    ]
    return (
        "<p>Without the code table, a model may write anything. This is what it has learned; with the table, every "
        "answer is a billable code in scope, by construction.</p>"
        + legend(names)
        + figure(stacked(validity, series, "validity of unconstrained answers"))
        + table(["", "stopped by itself", "tokens", "code fits description", *traces.values()], rows)
        + "<p class='note'>Faithful: every claim of the trace holds in the text and the code tables, and the trace concludes "
        "the code that is answered. It is checked by a program, without knowing the right code.</p>"
    )


def influence(sources: Sources) -> str:
    """Evidence deleted, evidence alone, and the trace of another narrative, per test set."""
    found = sources.evaluate["influence"]
    sets = [name for name in ordered_sets(sources.evaluate) if name in found]
    asked, swapped = [], []
    for name in sets:
        gone, alone = found[name]["deletion"], found[name]["sufficiency"]
        parts = [gone["fall"], gone["other_fall"], gone["beyond_other"], gone["changed"], gone["other_changed"]]
        cells = [_share(part) for part in (*parts, alone["kept"], alone["fall"])]
        asked.append(row([escape(title_of(name)), *cells, str(gone["fall"]["n"])]))
        whole, rest = found[name]["swap"], found[name]["swap_without_code"]
        cells = [_share(part[side]) for part in (whole, rest) for side in ("trace", "narrative")]
        swapped.append(row([escape(title_of(name)), *cells, f"{whole['trace']['n']}, {rest['trace']['n']}"]))
    head = ["fall", "fall without other words", "difference", "other answer", "other answer without other words"]
    return (
        "<p>The whole system, asked again with the words it quotes for its code taken out, with as many other words taken "
        "out, and with the quoted words alone. <em>Fall</em>: how far the probability of its first answer falls, in "
        "percentage points. Evidence that matters has a large difference; evidence that suffices keeps the answer.</p>"
        + table(["", *head, "evidence alone: answer kept", "evidence alone: fall", "rows"], asked)
        + "<p>Stage 3 alone, answering behind the trace it wrote for another narrative with another answer: does the answer "
        "go with the trace or with the narrative? The rest is a third answer. Where answers follow the narrative, the trace "
        "explains nothing.</p>"
        + table(
            ["", "follows the trace", "follows the narrative", "trace without its code: trace", "the same: narrative", "rows"],
            swapped,
        )
    )


def _share(part: Mapping[str, Any]) -> str:
    if not part["n"]:
        return "&ndash;"
    return f"{percent(part['value'])}<small>{interval(part)}</small>"


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / (sum(weights) or 1)


def training(sources: Sources) -> str:
    """The chain of models: examples, tokens, steps and loss, and the loss curves."""
    stages = sources.stages
    rows = []
    origin = "random weights" if "examples" in stages.get("base", {}) else "`base.source`, as it is"
    for name, parent in (("base", origin), ("stage1", "base"), ("stage2", "stage 1"), ("stage3", "stage 2")):
        part = stages.get(name)
        if part is None:
            continue
        loss = part.get("val_loss") or part.get("held_out") or {}
        before, after = (
            value.get("loss") if isinstance(value := loss.get(key), dict) else value for key in ("before", "after")
        )
        size = part.get("examples") or part.get("pairs") or part.get("rows")
        unit = " pairs" if name == "stage3" else " rows"
        tokens = f"{part['tokens']:,}" if "tokens" in part else "&ndash;"
        losses = "&ndash;" if before is None or after is None else f"{before:.3f} &rarr; {after:.3f}"
        steps = f"{part['steps']:,}" if "steps" in part else "&ndash;"
        seen = f"{size:,}{unit}" if size else "&ndash;"
        rows.append(row([title_of(name), f'<td class="text">{parent}</td>', seen, tokens, steps, losses]))
    size = stages.get("base", {}).get("parameters")
    intro = f"<p>One model of {size:,} parameters goes through all stages.</p>" if size else ""
    figures = []
    for name in ("base_loss", "stage1_loss", "stage2_loss", "stage3_rewards"):
        points = sources.plots.get(name) or []
        key = "margin" if name == "stage3_rewards" else "loss"
        data = [(float(p["step"]), float(p[key])) for p in points if p.get(key) is not None]
        if len(data) > 1:
            low, high = min(0.0, *(y for _, y in data)), rounded_up(max(y for _, y in data))
            label = "reward margin" if key == "margin" else "training loss"
            chart = lines([Line(label, 0, data)], Axis("step", data[0][0], data[-1][0]), Axis(label, low, high), 350)
            figures.append(figure(chart, title_of(name.split("_")[0])))
    head = ["", "starts from", "trained on", "tokens", "steps", "held-out loss"]
    return intro + table(head, rows, (1,)) + _material(stages) + f'<div class="pair">{"".join(figures)}</div>'


def _material(stages: Mapping[str, Mapping[str, Any]]) -> str:
    """What the rows are made of: narratives, preference pairs, and the weights of the whole system."""
    lines: list[str] = []
    train = stages.get("narratives", {}).get("files", {}).get("train")
    if train:
        codes, rows = train["distinct_codes"], train["rows"]
        lines.append(f"{rows:,} training narratives over {codes} codes; no narrative serves two stages while there are enough.")
    pairs = stages.get("pairs", {}).get("train")
    if pairs:
        origin = ", ".join(f"{name} {n}" for name, n in sorted(pairs["origin"].items()))
        lines.append(
            f"Preference pairs by where the rejected side comes from: {origin}. Of the stage-2 model's own samples "
            f"{percent(pairs['samples_good'])} had no fault."
        )
    fitted = stages.get("calibrate", {})
    for mode, name in (("think", "when it reasons first"), ("direct", "when it decides first")):
        if mode in fitted:
            weights = ", ".join(f"{source} {weight:.2f}" for source, weight in sorted(fitted[mode]["weights"].items()))
            lines.append(f"Weights of the whole system {name}, fitted on {fitted[mode]['rows']} validation rows: {weights}.")
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def leak_check(sources: Sources) -> str:
    """What was looked for, what was found, and the shuffled gold."""
    found = sources.evaluate["leaks"]
    rows = [
        row([f'<td class="text">{label}</td>', str(found[key]), "clean" if not found[key] else '<span class="bad">leak</span>'])
        for key, label in (
            ("narrative", "test narratives that are training texts"),
            ("phrase", "held-out wordings that stand in a training text"),
            ("code", "right codes written out in the test narrative"),
        )
    ]
    shuffled = found["shuffled"]
    return (
        f"<p>Looked for in {found['training_texts']:,} training texts; the evaluation stops when one is found.</p>"
        + table(["looked for", "found", ""], rows, (0,))
        + f"<p>Against a shuffled gold the whole system scores {percent(shuffled['exact'])}; chance gives "
        f"{percent(shuffled['chance'])}.</p>"
    )


def limits(sources: Sources) -> str:
    """What a reader must not conclude."""
    scope = sources.evaluate["setup"]["scope"]
    return (
        "<ul><li>The narratives are synthetic and short. On real notes every published system falls far below its "
        f"score on clean text; nothing here says how this one would do.</li><li>Only {scope} codes can be answered. "
        "On real text many right codes lie outside, and each is a miss.</li><li>Known wordings are a look-up task: "
        "the phrase baselines show how far look-up goes. Skill is what remains on unseen wordings.</li><li>Training "
        "and test sentences come from one grammar, though from disjoint parts of it.</li><li>100 % is not the "
        "reference: professional coders agree on complete code sets in 54 to 68 % of cases.</li><li>Intervals cover "
        "the choice of test rows, not the random seed of training. Rows with one wording are resampled "
        "together.</li><li>CPT descriptions are this project's own words; they are not the official ones.</li></ul>"
    )
