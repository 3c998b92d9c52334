"""Stage 1: supervised fine-tuning on answers alone."""

import _bootstrap
import _launch
from thce import files, params
from thce.modeling import runtime, sft
from thce.seeds import derive
from thce.settings.modeling import Stage1Params


def main() -> None:
    settings = params.load(Stage1Params)
    seed = derive(params.load_scalar("seed"), "stage1")
    runtime.start(params.load_scalar("threads"), seed)

    models = _bootstrap.ROOT / "models"
    prepared = _bootstrap.ROOT / "data" / "prepared"
    train = sft.messages(prepared / "stage1" / "train.jsonl")
    val = sft.messages(prepared / "stage1" / "val.jsonl")
    points, metrics = sft.train_stage("stage1", models / "base", models / "stage1", train, val, settings, seed)

    if runtime.main_process():
        files.write_json("metrics/stage1.json", metrics)
        files.write_json("metrics/plots/stage1_loss.json", points)


if __name__ == "__main__":
    _launch.run(main)
