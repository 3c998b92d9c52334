"""Preference pairs: the most instructive contrast, capped per code, never a chosen side that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from thce.codes.book import CodeBook
from thce.codes.book import open as open_book
from thce.codes.tables import build
from thce.reasoning import pairs
from thce.reasoning.pairs import BROKEN, UNFAITHFUL, WRONG, Judged, Pair, Sample

pytestmark = pytest.mark.unit

NOTE = {
    "narrative": "Patient has acute bronchitis, no organism found.",
    "codes": [{"code_type": "ICD10", "code": "J20.9"}],
}
GOOD = (
    '<think>\n- Documented: "acute bronchitis"\n- Category: J20 Acute bronchitis\n- Code: J20.9\n</think>\n'
    "ICD10: J20.9 (Acute bronchitis, unspecified)"
)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeBook]:
    folder = tmp_path_factory.mktemp("codes")
    build(Path("data/code_databases"), folder)
    yield open_book(folder)


@pytest.mark.parametrize(
    ("text", "stopped", "fault"),
    [
        (GOOD, True, None),
        (GOOD, False, BROKEN),
        (GOOD.replace("acute bronchitis", "chest cold", 1), True, UNFAITHFUL),
        (
            GOOD.replace("J20.9", "J40").replace(
                "Acute bronchitis, unspecified", "Bronchitis, not specified as acute or chronic"
            ),
            True,
            WRONG,
        ),
        ("ICD10: J20.9 (Acute bronchitis, unspecified)", True, BROKEN),
        ("", True, BROKEN),
    ],
)
def test_a_sample_is_judged_by_answer_form_and_claims(book: CodeBook, text: str, stopped: bool, fault: str | None) -> None:
    assert pairs.judge(NOTE, Sample(text, stopped), book).fault == fault


def test_a_right_sample_stands_against_the_bad_one_most_like_it() -> None:
    judged = [
        Judged("cold in chest J20.9", None, 5),
        Judged("cold J20.9", None, 3),
        Judged("cold in chest J40", WRONG, 5),
        Judged("something else altogether J40", WRONG, 5),
    ]
    assert pairs.choose(judged, "trace", ("neighbour", "n")) == Pair("cold in chest J20.9", "cold in chest J40", "own", WRONG)


def test_an_unfinished_sample_is_rejected_only_where_there_is_no_other() -> None:
    good, broken, other = (
        Judged("cold J20.9", None, 3),
        Judged("cold J20.9 and", BROKEN, 4),
        Judged("gout M10.9", UNFAITHFUL, 3),
    )
    assert pairs.choose([good, broken, other], "trace", None) == Pair("cold J20.9", "gout M10.9", "own", UNFAITHFUL)
    assert pairs.choose([good, broken], "trace", None) == Pair("cold J20.9", "cold J20.9 and", "own", BROKEN)


def test_where_every_sample_fails_the_built_trace_is_chosen() -> None:
    assert pairs.choose([Judged("b", BROKEN, 3)], "trace", None) == Pair("trace", "b", "mended", BROKEN)


def test_a_trace_of_several_codes_completes_a_sample_that_lacks_some() -> None:
    two = "ICD10: I10 (Essential (primary) hypertension)\nICD10: J20.9 (Acute bronchitis, unspecified)"
    one, other = two.partition("\n")[::2]
    assert pairs.choose([Judged(one, WRONG, 3)], two, None) == Pair(two, one, "completed", WRONG)
    wrong = "ICD10: I11 (Hypertensive heart disease)"  # a code, but not one of them: it lacks one all the same
    assert pairs.choose([Judged(wrong, WRONG, 3)], two, None) == Pair(two, wrong, "completed", WRONG)
    for sample in ("NONE: (no code supported by the text)", f"{other}\n{one}\nCPT: 99213 (Office visit)", "no answer"):
        found = pairs.choose([Judged(sample, WRONG, 3)], two, None)
        assert found is not None and found.origin == "mended"


def test_where_no_sample_fails_a_built_negative_is_rejected_or_nothing() -> None:
    good = [Judged("g", None, 3)]
    code = "ICD10: J20.9 (Acute bronchitis, unspecified)"
    assert pairs.choose(good, code, ("denied", "n")) == Pair("g", "n", "built", "denied")
    nothing = "NONE: (no code supported by the text)"
    assert pairs.choose(good, nothing, ("denied", "n")) == Pair("g", "n", "uncoded", "denied")
    assert pairs.choose(good, "trace", None) is None


def test_the_mix_keeps_to_its_caps_and_repeats() -> None:
    found = [(f"own-{i}", f"C{i % 5}", Pair("c", "r", "own", WRONG)) for i in range(50)]
    found += [(f"built-{i}", f"D{i % 5}", Pair("c", "r", "built", "neighbour")) for i in range(50)]
    mixed = pairs.mix(found, 0.25, 4, 24, 3)
    origins = Counter(pair.origin for _, pair in mixed)
    assert origins == {"own": 18, "built": 6}
    codes = Counter(dict((name, code) for name, code, _ in found)[name] for name, _ in mixed)
    assert max(codes.values()) <= 4
    without = [(f"none-{i}", pairs.NO_CODE, Pair("c", "r", "own", WRONG)) for i in range(9)]
    assert len(pairs.mix(without, 0.25, 4, 24, 3)) == 9  # texts without a code are as many as they are
    both = pairs.mix([*found, *((name, code, replace(pair, origin="uncoded")) for name, code, pair in without)], 0.25, 4, 24, 3)
    assert sum(pair.origin in ("built", "uncoded") for _, pair in both) == 6  # they share the place of built pairs
    mended = [(f"mended-{i}", f"E{i}", Pair("c", "r", "mended", WRONG)) for i in range(50)]
    origins = Counter(pair.origin for _, pair in pairs.mix([*mended, *found], 0.25, 4, 32, 3))
    assert origins == {"own": 20, "mended": 4, "built": 8}  # the model's own contrasts go first
    completed = [(f"completed-{i}", f"F{i}", Pair("c", "r", "completed", WRONG)) for i in range(3)]
    every = Counter(pair.origin for _, pair in pairs.mix([*mended, *completed, *found], 0.25, 4, 32, 3))
    assert every == {"own": 20, "completed": 3, "mended": 1, "built": 8}
    assert mixed == pairs.mix(found, 0.25, 4, 24, 3) and mixed != pairs.mix(found, 0.25, 4, 24, 4)
