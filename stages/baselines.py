"""Baselines: simple methods fitted on what the models are trained on, and their answers to every test set."""

import _bootstrap
from thce import files, params
from thce.codes.book import open as open_book
from thce.evaluation import baselines, score
from thce.evaluation.data import matched, read_items, to_prediction
from thce.seeds import derive
from thce.settings.evaluation import BaselinesParams, EvaluateParams

PREPARED = "data/prepared"
OUT = "data/predictions/baselines.jsonl"


def main() -> None:
    # 1 parameters and material: the rows of all stages, and the wordings the base model reads
    settings = params.load(BaselinesParams)
    numbers = params.load(EvaluateParams)
    seed = derive(params.load_scalar("seed"), "evaluate")
    rows = [item for stage in (1, 2, 3) for item in read_items(f"{PREPARED}/stage{stage}/train.jsonl")]
    texts = (row["text"] for row in files.read_jsonl(f"{PREPARED}/pretrain.jsonl"))
    known = baselines.material(rows, texts)
    tests = {name: read_items(f"{PREPARED}/test_{name}.jsonl") for name in numbers.test_sets}

    # 2 every method answers every test row
    items = [item for part in tests.values() for item in part]
    narratives = [item.narrative for item in items]
    answered = {name: method(known, narratives) for name, method in baselines.methods(settings).items()}
    written = [
        baselines.prediction_row(item, name, guess)
        for name, guesses in answered.items()
        for item, guess in zip(items, guesses, strict=True)
    ]

    # 3 numbers
    use = score.scoring(open_book("data/codes"), seed, numbers.resamples, numbers.bins, numbers.precision)
    metrics = {}
    for name in answered:
        predictions = {row["id"]: to_prediction(row) for row in written if row["system"] == name}
        part = {test: score.score_set(group, matched(group, predictions), use) for test, group in tests.items()}
        metrics[name] = part | {"all": {"no_code": score.no_code(items, matched(items, predictions))}}

    # 4 outputs
    files.write_jsonl(OUT, written)
    fitted = {"rows": len(known.rows), "wordings": len(known.wordings)}
    files.write_json("metrics/baselines.json", {"fitted_on": fitted, "systems": metrics})


if __name__ == "__main__":
    _bootstrap.run(main)
