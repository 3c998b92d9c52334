"""Calibrate the coder: lexical prior, known wordings, fusion weights, confidence and review threshold, fitted on validation."""

from dataclasses import asdict
from typing import Any

import _bootstrap
from thce import files, params
from thce.coder import calibrate, further, fusion, lookup, near, outside, prior
from thce.coder.coder import Coder, Options
from thce.codes.book import open as open_book
from thce.modeling import runtime
from thce.seeds import derive
from thce.settings.coder import CoderParams

OUT = "models/coder"


def main() -> None:
    # 1 parameters and model
    settings = params.load(CoderParams)
    seed = derive(params.load_scalar("seed"), "calibrate")
    runtime.start(params.load_scalar("threads"), seed)
    book = open_book("data/codes")
    options = Options(
        max_reasoning=settings.max_new_tokens,
        max_codes=settings.max_codes,
        top_k=settings.top_k,
        beam=settings.beam,
        cutoff=settings.cutoff,
        batch_size=settings.batch_size,
        think=settings.think,
        reason_first=settings.reason_first,
    )
    coder = Coder.load("models/stage3", book, options=options)
    labels = coder.codes().labels

    # 2 the prior and the known wordings, from training material alone
    records = [row for stage in (1, 2, 3) for row in files.read_jsonl(f"data/prepared/stage{stage}/train.jsonl")]
    wordings = list(files.read_jsonl("data/prepared/pretrain.jsonl"))
    texts, targets = calibrate.material(wordings, records, labels)
    coder.prior = prior.fit(
        texts,
        targets,
        labels,
        dim=settings.prior_dim,
        epochs=settings.prior_epochs,
        learning_rate=settings.prior_learning_rate,
        dropout=settings.prior_dropout,
        seed=derive(seed, "prior"),
    )
    coder.prior.save(OUT)
    coder.prior = prior.Prior.load(OUT)  # what is fitted below is what will be loaded: vectors in half precision
    known = lookup.gather(calibrate.wordings_of(wordings, records))
    outside.save(outside.wordings(book, known), OUT)
    coder.wordings = near.Wordings.of(known, coder.prior)
    coder.wordings.save(OUT)
    coder.wordings = near.Wordings.load(OUT, coder.prior)

    # 3 the validation rows: their right codes, and how far a known wording is to be trusted
    held = [row for stage in (2, 1) for row in files.read_jsonl(f"data/prepared/stage{stage}/val.jsonl")]
    val = list({row["_metadata"]["id"]: row for row in held}.values())[: settings.calibration_rows]
    visits = list(files.read_jsonl("data/prepared/val_visits.jsonl"))
    place = {label: i for i, label in enumerate(labels)}
    truth = [[pair for pair in calibrate.pairs_of(row) if pair in place] for row in val]
    gold = [[place[pair] for pair in pairs] or [len(labels) - 1] for pairs in truth]
    narratives = [calibrate.narrative_of(row) for row in val]
    untrusted = lookup.LookUp(known, {})
    finds = [untrusted.find(text, book) for text in narratives]
    coder.lookup = lookup.LookUp(known, lookup.measure(finds, truth))
    coder.lookup.save(OUT)
    crossed = calibrate.crossed_lookup(finds, truth, labels)
    reads = coder.read(narratives, coder.codes())
    told = calibrate.names_of(finds, labels, coder.lookup.trust)

    # 4 fit the ways of answering
    result: dict[str, Any] = {"params": asdict(options)}
    metrics: dict[str, Any] = {
        "prior": {"texts": len(texts), "features": len(coder.prior.vocabulary)},
        "lookup": {"wordings": len(known), "trust": coder.lookup.trust},
    }
    for mode in ("direct", "think") if settings.reason_first else ("direct",):
        first = mode == "think"
        every = calibrate.sources_of(coder, narratives, finds, reads, first)
        every[fusion.LOOKUP] = crossed
        sources = {name: every[name] for name in calibrate.source_names(first, settings.fusion)}
        fitted = calibrate.fit_mode(sources, gold, settings.target_precision, told)
        result[mode] = asdict(fitted.fusion)
        metrics[mode] = fitted.metrics

        # 5 when a further piece of a text earns a code: validation and its visits, beside their twins with unknown wordings
        if not settings.fusion:
            continue
        made = [(calibrate.narrative_of(row), calibrate.pairs_of(row)) for row in visits]
        made += further.twins([*val, *visits], known, derive(seed, "twins"))
        made_texts = [text for text, _ in made]
        made_finds = [coder.lookup.find(text, book) for text in made_texts]
        made_reads = coder.read(made_texts, coder.codes())
        others = calibrate.sources_of(coder, made_texts, made_finds, made_reads, first)
        made_gold = [[place[pair] for pair in pairs] for _, pairs in made]
        twinned = len(made) > len(visits)
        cases = further.cases(coder, every, narratives, finds, reads, gold, fitted.fusion, twinned)
        cases += further.cases(coder, others, made_texts, made_finds, made_reads, made_gold, fitted.fusion, twinned)
        several, metrics[mode]["several"] = further.fit(
            cases, labels, settings.max_codes, fitted.fusion, settings.target_precision
        )
        if several:
            result[mode]["several"] = asdict(several)

    # 6 outputs
    files.write_json(f"{OUT}/{fusion.SETTINGS}", result)
    files.write_json("metrics/calibrate.json", metrics)


if __name__ == "__main__":
    _bootstrap.run(main)
