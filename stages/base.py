"""Base model: tokenizer and a small Llama from the seed, taught the code tables; or a pretrained model made ready."""

import _bootstrap
from thce import files, params
from thce.modeling import base, chat, fit, headstart, runtime
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
    base.check(settings)
    texts = [row["text"] for row in files.read_jsonl("data/prepared/pretrain.jsonl")]
    narratives = [row["messages"] for row in files.read_jsonl("data/prepared/stage1/train.jsonl")]
    traces = [row["messages"] for row in files.read_jsonl("data/prepared/stage2/train.jsonl")]
    chats = [chat.prompt_text(messages[:-1]) + messages[-1]["content"] for messages in [*narratives, *traces]]
    answers = [messages[-1]["content"] for messages in traces] if settings.code_tokens else []
    names = tokenizers.names(scope_codes(), answers) if settings.code_tokens else []
    tokenizer = tokenizers.train(texts + chats, settings.vocabulary, names, tokenizers.pieces(answers))

    # 4 model: the first layer is taught alone, on wordings and narratives, then becomes part of the whole
    model = base.scratch(settings, tokenizer, seed)
    points: list[dict[str, float]] = []
    metrics: dict[str, float] = {"parameters": model.num_parameters(), "vocabulary": len(tokenizer)}
    if settings.epochs > 0:
        loud = tokenizers.spoken(tokenizer, names)
        system = narratives[0][0]["content"]
        examples = [headstart.example(tokenizer, system, *text.split("\n", 1)) for text in texts]
        for rows, asked in ((narratives, None), (traces, frozenset(loud))):
            for first, user, answer in rows:
                examples.append(headstart.example(tokenizer, first["content"], user["content"], answer["content"], asked))
        layer, points, share = headstart.teach(tokenizer, examples, settings, seed)
        headstart.install(model, layer, [*loud, *headstart.openings(examples)])
        metrics |= {"examples": len(examples), "first_answers_right": round(share, 4)}

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
