"""Stage 3: preference tuning of the stage-2 model on its own better and worse answers, then reinforcement learning if asked."""

import shutil
from pathlib import Path
from typing import Any

import _bootstrap
import _launch
from thce import files, params
from thce.modeling import checkpoints, dpo, runtime
from thce.seeds import derive
from thce.settings.modeling import Stage3Params


def main() -> None:
    settings = params.load(Stage3Params)
    seed = derive(params.load_scalar("seed"), "stage3")
    runtime.start(params.load_scalar("threads"), seed)

    root = _bootstrap.ROOT
    out = root / "models" / "stage3"
    tuned = checkpoints.folder() / "stage3_tuned" if settings.rlvr_steps else out
    points, metrics = dpo.train_stage(root / "models" / "stage2", tuned, root / "data" / "pairs", settings, seed)
    if settings.rlvr_steps:
        metrics["rlvr"] = reinforce(tuned, out, settings, seed)
        shutil.rmtree(tuned)

    if runtime.main_process():
        files.write_json("metrics/stage3.json", metrics)
        files.write_json("metrics/plots/stage3_rewards.json", points)


def reinforce(parent: Path, out: Path, settings: Stage3Params, seed: int) -> dict[str, Any]:
    """Go on from `parent` with the verdict `pairs` gives as the reward: right, true in every part, and finished."""
    from thce.codes.book import open as open_book
    from thce.modeling import rlvr
    from thce.reasoning import pairs

    book = open_book("data/codes")

    def good(row: dict[str, Any], text: str, stopped: bool) -> bool:
        fact = {"narrative": row["prompt"][-1]["content"], "codes": row["_metadata"]["codes"]}
        return pairs.judge(fact, pairs.Sample(text, stopped), book).fault is None

    train, val = (list(files.read_jsonl(f"data/prepared/stage3/{part}.jsonl")) for part in ("train", "val"))
    return rlvr.train_stage(parent, out, train, val, good, settings, derive(seed, "rlvr"))


if __name__ == "__main__":
    _launch.run(main)
