"""What the narratives teach about wordings nobody here wrote: official Alphabetic Index phrases, for development only.

    THCE_REFERENCE=/folder/with/reference/files python benchmarks/index_phrases.py

A TF-IDF + linear SVM is fitted on official titles, on these and the inclusion terms, and on both with the training
narratives of `data/prepared`, and asked for the code of every index phrase whose code is in scope; last the whole system
(`models/stage3`, `models/coder`), ICD-10-CM codes alone, its first code, on all phrases and on those that no wording of the
phrasebook equals in any order of its words. The tiers say how much of a phrase's wording stands in the official title.
Nothing of the index is trained on. The file is `dev/icd10cm_index_open.jsonl.gz`.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence, Set
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import LinearSVC

from thce import files
from thce.coder.coder import Coder
from thce.codes.book import open as open_book
from thce.errors import UserError
from thce.narratives import phrasebook


def fit(texts: list[str], codes: list[str]):  # type: ignore[no-untyped-def]
    """Character and word n-grams, one linear class per code."""
    features = FeatureUnion(
        [
            ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, min_df=1)),
            ("words", TfidfVectorizer(sublinear_tf=True)),
        ]
    )
    return make_pipeline(features, LinearSVC(tol=0.1, max_iter=50, random_state=17)).fit(texts, codes)


def bag(phrase: str) -> str:
    """The words of a phrase in alphabetical order."""
    return " ".join(sorted(phrasebook.key(phrase).split()))


def main() -> int:
    folder = os.environ.get("THCE_REFERENCE")
    path = Path(folder or "") / "dev" / "icd10cm_index_open.jsonl.gz"
    if not folder or not path.is_file():
        print("set THCE_REFERENCE to a folder that holds dev/icd10cm_index_open.jsonl.gz", file=sys.stderr)
        return 2
    book = open_book("data/codes")
    scope = {entry.code: entry for entry in book.scope if entry.code_type == "ICD10"}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [row for row in map(json.loads, stream) if len(row["codes"]) == 1 and row["codes"][0] in scope]

    titles = [(entry.title, code) for code, entry in scope.items()]
    official = [(text, code) for code, entry in scope.items() for text in (entry.title, *book.terms("ICD10", code))]
    narratives = []
    for stage in (1, 2, 3):
        for row in files.read_jsonl(f"data/prepared/stage{stage}/train.jsonl"):
            codes = row["_metadata"]["codes"]
            if len(codes) == 1 and codes[0]["code_type"] == "ICD10":
                narratives.append(((row.get("messages") or row["prompt"])[1]["content"], codes[0]["code"]))
    print(f"{'fitted on':44}{'rows':>8}" + "".join(f"{tier:>16}" for tier in ("easy", "partial", "novel")))

    def show(name: str, count: int, answers: Sequence[str], known: Set[str] = frozenset()) -> None:
        right: dict[str, list[bool]] = defaultdict(list)
        for row, answer in zip(rows, answers, strict=True):
            if bag(row["phrase"]) not in known:
                right[row["overlap_tier"]].append(answer == row["codes"][0])
        shares = (f"{100 * sum(right[t]) / len(right[t]):9.1f} % ({len(right[t])})" for t in ("easy", "partial", "novel"))
        print(f"{name:44}{count:8}" + "".join(f"{share:>16}" for share in shares), flush=True)

    phrases = [row["phrase"] for row in rows]
    for name, material in (
        ("official titles", titles),
        ("official titles and inclusion terms", official),
        ("the same and the training narratives", official + narratives),
    ):
        model = fit([text for text, _ in material], [code for _, code in material])
        show(name, len(material), model.predict(phrases).tolist())
    coder = Coder.load("models/stage3", book, "models/coder")
    found = coder.code(phrases, think=False, code_type="ICD10")
    answers = [one.codes[0].code if one.codes else "" for one in found]
    show("the whole system", 0, answers)
    written = phrasebook.read("data/phrasebook", {(entry.code_type, entry.code): entry.title for entry in book.scope})
    show("the same, phrases the phrasebook lacks", 0, answers, {bag(phrase.text) for phrase in written})
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
