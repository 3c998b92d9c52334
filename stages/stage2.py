"""Stage 2: supervised fine-tuning on reasoning and answer."""

import _bootstrap
import _launch
from thce import files, params
from thce.modeling import runtime, sft
from thce.seeds import derive
from thce.settings.modeling import Stage2Params


def main() -> None:
    settings = params.load(Stage2Params)
    seed = derive(params.load_scalar("seed"), "stage2")
    runtime.start(params.load_scalar("threads"), seed)

    models = _bootstrap.ROOT / "models"
    prepared = _bootstrap.ROOT / "data" / "prepared"
    train = sft.messages(prepared / "stage2" / "train.jsonl")
    if settings.replay:  # answers without reasoning, so that they are not forgotten
        train += sft.messages(prepared / "stage1" / "train.jsonl", settings.replay)
    val = sft.messages(prepared / "stage2" / "val.jsonl")
    points, metrics = sft.train_stage("stage2", models / "stage1", models / "stage2", train, val, settings, seed)

    if runtime.main_process():
        files.write_json("metrics/stage2.json", metrics)
        files.write_json("metrics/plots/stage2_loss.json", points)


if __name__ == "__main__":
    _launch.run(main)
