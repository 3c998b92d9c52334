"""Base model: tokenizer and a small Llama from the seed, taught the code tables; or a pretrained model made ready."""

import random

import _bootstrap
from thce import files, params
from thce.modeling import bag, base, chat, fit, runtime
from thce.modeling import tokenizer as tokenizers
from thce.seeds import derive
from thce.settings.modeling import BaseParams

OUT = _bootstrap.ROOT / "models" / "base"


def main() -> None:
    # 1 parameters
    settings = params.load(BaseParams)
    seed = derive(params.load_scalar("seed"), "base")
    runtime.start(params.load_scalar("threads"), seed)

    # 2 a pretrained model needs no first training
    if settings.source != "scratch":
        model, tokenizer = base.pretrained(settings)
        fit.save(model, tokenizer, OUT, prompts=None)
        files.write_json("metrics/base.json", {"parameters": model.num_parameters(), "vocabulary": len(tokenizer)})
        files.write_json("metrics/plots/base_loss.json", [])
        return

    # 3 tokenizer, from training text alone
    texts = [row["text"] for row in files.read_jsonl("data/prepared/pretrain.jsonl")]
    chats = []
    for stage in ("stage1", "stage2"):
        for row in files.read_jsonl(f"data/prepared/{stage}/train.jsonl"):
            *prompt, answer = row["messages"]
            chats.append(chat.prompt_text(prompt) + answer["content"])
    codes = scope_codes() if settings.code_tokens else []
    tokenizer = tokenizers.train(texts + chats, settings.vocabulary, codes)

    # 4 model: token vectors first, then the whole on titles, terms and phrases
    model = base.scratch(settings, tokenizer, seed)
    metrics = {"parameters": model.num_parameters(), "vocabulary": len(tokenizer)}
    if settings.bag_epochs:
        metrics["bag"] = bag.teach(model, tokenizer, texts, settings.bag_epochs, settings.chop, settings.spread, seed)
    points: list[dict[str, float]] = []
    if settings.epochs > 0:

        def encode(index: int, chop: random.Random) -> fit.Row:
            return base.wording_row(tokenizer, texts[index], chop, settings.chop, settings.titles)

        rows = fit.epochs_of(encode, len(texts), settings.epochs, settings.batch_size, seed)
        points, trained = fit.fit("base", model, tokenizer, rows, {}, fit.Settings.of_base(settings), seed, None)
        metrics |= trained

    # 5 outputs
    fit.save(model, tokenizer, OUT, prompts=None)
    files.write_json("metrics/base.json", metrics)
    files.write_json("metrics/plots/base_loss.json", points)


def scope_codes() -> list[str]:
    """The codes in scope and, for ICD-10-CM, their categories, which the reasoning names."""
    scope = files.read_json("data/codes/scope.json")
    categories = {row["code"][:3] for row in scope if row["code_type"] == "ICD10"}
    return sorted(categories | {row["code"] for row in scope})


if __name__ == "__main__":
    _bootstrap.run(main)
