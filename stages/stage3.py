"""Stage 3: preference tuning of the stage-2 model on its own better and worse answers."""

import _bootstrap
import _launch
from thce import files, params
from thce.modeling import dpo, runtime
from thce.seeds import derive
from thce.settings.modeling import Stage3Params


def main() -> None:
    settings = params.load(Stage3Params)
    seed = derive(params.load_scalar("seed"), "stage3")
    runtime.start(params.load_scalar("threads"), seed)

    root = _bootstrap.ROOT
    points, metrics = dpo.train_stage(
        root / "models" / "stage2", root / "models" / "stage3", root / "data" / "pairs", settings, seed
    )

    if runtime.main_process():
        files.write_json("metrics/stage3.json", metrics)
        files.write_json("metrics/plots/stage3_rewards.json", points)


if __name__ == "__main__":
    _launch.run(main)
