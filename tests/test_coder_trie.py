"""The tree of codes: exactly the given sequences, in little memory, for a few codes or for the whole of ICD-10-CM."""

from __future__ import annotations

import pytest
from coder_models import untaught
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st

from thce.answers import parse
from thce.coder import trie
from thce.coder.decode import Decoder, read_tokenizer
from thce.errors import UserError

pytestmark = pytest.mark.unit

SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=25, unique=True)


def prefix_free(sequences: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return [one for one in sequences if not any(other != one and other[: len(one)] == one for other in sequences)]


def walk(tree: trie.Trie, node: int, path: tuple[int, ...]) -> dict[tuple[int, ...], int]:
    if tree.count[node] == 0:
        return {path: int(tree.leaf[node])}
    found: dict[tuple[int, ...], int] = {}
    for child in range(tree.first[node], tree.first[node] + tree.count[node]):
        found |= walk(tree, child, (*path, int(tree.token[child])))
    return found


@settings(max_examples=60, deadline=None)
@given(SEQUENCES)
def test_every_path_from_root_to_leaf_is_one_of_the_sequences(drawn: list[tuple[int, ...]]) -> None:
    sequences = prefix_free(drawn)
    tree = trie.build(sequences)
    assert walk(tree, 0, ()) == {sequence: i for i, sequence in enumerate(sequences)}


@settings(max_examples=60, deadline=None)
@given(SEQUENCES)
def test_a_node_knows_what_is_below_it_and_where_the_next_choice_is(drawn: list[tuple[int, ...]]) -> None:
    tree = trie.build(prefix_free(drawn))
    for node in range(len(tree.token)):
        below = set(walk(tree, node, ()).values())
        assert set(tree.order[tree.low[node] : tree.high[node]].tolist()) == below
        here = node
        while tree.count[here] == 1:
            here = int(tree.first[here])
        assert tree.end[node] == here
        if node:
            assert tree.chain(node)[0] == tree.token[node]


@pytest.mark.parametrize("sequences", [[], [[]], [[1, 2], [1]], [[1], [1]]])
def test_what_cannot_be_told_apart_is_refused(sequences: list[list[int]]) -> None:
    with pytest.raises(ValueError):
        trie.build(sequences)


def test_every_line_in_scope_begins_with_its_spelled_code_and_reads_back() -> None:
    codes = trie.CodeSet(book().scope, read_tokenizer(untaught()))
    for number, entry in enumerate(codes.entries):
        line = codes.tokens(number)
        assert line[: len(codes.spelled[number])] == codes.spelled[number]
        read = parse(codes.tokenizer.decode(line, skip_special_tokens=False))
        assert (read.codes[0].code_type, read.codes[0].code) == (entry.code_type, entry.code)
        assert read.descriptions == (entry.short_title,)
    assert parse(codes.line(codes.none)).none


def test_several_lines_have_the_tokens_of_their_text() -> None:
    decoder = Decoder.load(untaught())
    codes = trie.CodeSet(book().scope, decoder.tokenizer)
    for numbers in ([codes.none], [3], [5, 700, 0]):
        text = "\n".join(codes.line(number) for number in numbers)
        assert codes.lines(numbers, decoder.newline) == decoder.encode(text) == decoder.encode_all([text])[0]


def test_an_empty_code_set_is_a_user_error() -> None:
    with pytest.raises(UserError, match="no code is left"):
        trie.CodeSet([], read_tokenizer(untaught()))


def test_the_whole_of_icd_10_cm_fits_in_a_few_megabytes() -> None:
    table = (book().find("ICD10", code) for code in book().table("ICD10"))
    entries = [entry for entry in table if entry and entry.billable]
    codes = trie.CodeSet(entries, read_tokenizer(untaught()))
    assert len(codes) == len(entries) + 1 > 70_000
    assert codes.trie.nbytes < 10_000_000
