"""Base model: tokenizer and a small Llama from the seed, taught the code tables; or a pretrained model made ready."""

import random

import _bootstrap
from thce import files, params
from thce.modeling import base, chat, fit, runtime
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

    # 4 model, and its first training on titles, terms and phrases
    model = base.scratch(settings, tokenizer, seed)
    metrics = {"parameters": model.num_parameters(), "vocabulary": len(tokenizer)}
    points: list[dict[str, float]] = []
    if settings.epochs > 0:
        bounded = [line for line in texts if line.strip()]

        def encode(index: int, chop: random.Random) -> fit.Row:
            head, _, tail = bounded[index].partition("\n")
            pieces = chat.cut(head, chop, settings.chop)
            ids = [token for piece in pieces for token in tokenizer.encode(piece, add_special_tokens=False)]
            return {
                "input_ids": ids + tokenizer.encode("\n" + tail, add_special_tokens=False) + [chat.stop_id(tokenizer)]
            }

        rows = fit.epochs_of(encode, len(bounded), settings.epochs, settings.batch_size, seed)
        points, trained = fit.fit(
            "base",
            model,
            tokenizer,
            rows,
            {},
            fit.Settings(
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                micro_batch=settings.batch_size,
                learning_rate=settings.learning_rate,
                warmup=settings.warmup,
                weight_decay=settings.weight_decay,
                max_grad_norm=1.0,
                max_length=settings.context,
                save_steps=500,
                precision=settings.precision,
            ),
            seed,
            None,
        )
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
