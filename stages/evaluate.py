"""Evaluate: every stage and the whole system on every test set, scored, compared, and checked for leaks."""

from collections import Counter, defaultdict
from dataclasses import replace

import _bootstrap
from thce import files, params
from thce.codes.book import TABLES
from thce.codes.book import open as open_book
from thce.errors import UserError
from thce.evaluation import baselines, influence, leaks, running, score, summary, taxonomy
from thce.evaluation.data import Item, Prediction, capped, read_items, read_predictions, to_prediction
from thce.modeling import runtime
from thce.seeds import derive
from thce.settings.evaluation import EvaluateParams

PREPARED = "data/prepared"
OUT = "data/predictions"
PLOTS = "metrics/plots"


def main() -> None:
    # 1 parameters, test sets, training material
    settings = params.load(EvaluateParams)
    seed = derive(params.load_scalar("seed"), "evaluate")
    runtime.start(params.load_scalar("threads"), seed)
    book = open_book("data/codes")
    tests = {name: read_items(f"{PREPARED}/test_{name}.jsonl") for name in settings.test_sets}
    trained = [item for stage in (1, 2, 3) for item in read_items(f"{PREPARED}/stage{stage}/train.jsonl")]
    texts = [row["text"] for row in files.read_jsonl(f"{PREPARED}/pretrain.jsonl")]

    # 2 nothing of the tests may have been seen
    everything = [item for part in tests.values() for item in part]
    leaked = leaks.check(
        (*texts, *(item.narrative for item in trained)), everything, book, [name for name in tests if "unseen" in name]
    )
    if leaked["narrative"] or leaked["phrase"] or leaked["code"]:
        raise UserError(PREPARED, f"test leaks: {leaked['examples'][0]}", "mend the split (stages narratives, prepare)")

    # 3 the answers
    def some(rows: int) -> list[Item]:
        return [item for part in tests.values() for item in capped(part, rows)]

    whole = running.whole_system("models/stage3", "models/coder", book)
    whole.decoder.batch_size = settings.batch_size
    reasons = whole.options.think
    options = replace(whole.options, max_reasoning=settings.max_new_tokens, batch_size=settings.batch_size)
    written: dict[str, list[dict[str, object]]] = {}
    for stage in ("stage1", "stage2", "stage3"):
        model = running.model_alone(f"models/{stage}", book, options)
        think = stage != "stage1"
        rows = running.free(model, some(settings.free_rows), stage, think, settings.max_new_tokens)
        rows += running.constrained(model, some(settings.constrained_rows), stage, "constrained", think)
        if think:
            rows += running.constrained(model, some(settings.think_rows), stage, "direct", False)
        written[stage] = rows
    asked = some(settings.system_rows)
    fused = running.constrained(whole, asked, "system", "fused", reasons)
    written["system"] = fused + running.retriever(whole, asked, "retriever")
    if reasons and whole.options.reason_first:  # else the answers are the same
        written["system"] += running.constrained(whole, some(settings.think_rows), "system", "direct", False)
    dials = influence.Dials(settings.influence_rows, seed, settings.resamples)
    influences = influence.influence(tests, whole, model, reasons, dials)

    # 4 the numbers
    use = score.scoring(book, seed, settings.resamples, settings.bins, settings.precision)
    found: dict[tuple[str, str], dict[str, Prediction]] = defaultdict(dict)
    for row in (row for rows in written.values() for row in rows):
        prediction = to_prediction(row)
        found[prediction.system, prediction.mode][prediction.id] = prediction
    floor = read_predictions(f"{OUT}/baselines.jsonl")
    numbers = summary.systems(tests, found, use)
    items, answers = summary.answered(everything, found["system", "fused"])
    status = {str(row["id"]): str(row["status"]) for row in fused}
    metrics = {
        "setup": {
            "scope": len(book.scope),
            "releases": {name: book.release(name)["release"] for name in TABLES},
            "rows": {name: len(part) for name, part in tests.items()},
            "resamples": settings.resamples,
            "precision": settings.precision,
            "reasoning": reasons,
        },
        "systems": numbers,
        "best_baseline": summary.best_baselines(tests, floor),
        "compare": summary.comparisons(tests, found, floor, use),
        "review": {
            name: summary.review(*summary.answered(part, found["system", "fused"]), status) for name, part in tests.items()
        },
        "influence": influences,
        "leaks": leaked | {"shuffled": leaks.shuffled(items, [one.answer for one in answers], seed)},
    }

    # 5 what is shown beside the numbers
    wordings = defaultdict(list)
    for wording, code in baselines.material(trained, texts).wordings:
        wordings[code].append(wording)
    errors = taxonomy.report(items, answers, taxonomy.Taxonomy(book, wordings), settings.examples)
    frequency = Counter(code for item in trained for code in item.gold)
    chosen = {"system": found["system", "fused"], "retriever": found["retriever", "retriever"]}
    if floor:
        strongest = summary.strongest(tests, floor)
        chosen[strongest] = floor[strongest, "baseline"]
    sure = {"system": found["system", "fused"], "stage3": found["stage3", "constrained"]}
    plots = {
        "accuracy": summary.accuracy_plot(numbers, files.read_json("metrics/baselines.json")["systems"]),
        "strata": summary.strata_plot(tests, chosen, frequency, use),
        "confusion": summary.confusion_plot(tests, found["system", "fused"], use),
        "reliability": summary.reliability_plot(tests, sure, use),
        "risk_coverage": summary.risk_plot(tests, sure),
    }

    # 6 outputs
    for name, rows in written.items():
        files.write_jsonl(f"{OUT}/{name}.jsonl", rows)
    files.write_json("metrics/evaluate.json", metrics)
    files.write_json("metrics/errors.json", errors)
    for name, rows in plots.items():
        files.write_json(f"{PLOTS}/{name}.json", rows)


if __name__ == "__main__":
    _bootstrap.run(main)
