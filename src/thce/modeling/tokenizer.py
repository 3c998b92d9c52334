"""A byte-level BPE tokenizer for the small model: short merges, single digits, and the chat template inside."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from thce.answers import THINK_CLOSE, THINK_OPEN
from thce.modeling.chat import PAD, START, STOP, TEMPLATE

MARKS = (THINK_OPEN, THINK_CLOSE, "ICD10:", "CPT:", "HCPCS:", "NONE:")
"""Ordinary added tokens, not special ones: special tokens vanish when a completion is decoded."""


_OPENING = r'(?:(?<=[ (\n]")|(?<=\Auser\n))'
"""Places after which a word is read as if a blank stood before it: an opening quotation mark and the start of the user's
text. A quoted word then has the same tokens as in the narrative it is copied from."""

_BEHIND = r"(?<=[\[({*“‘]|\w[=>])(?= *[^\W\d_])"
"""Places right behind a sign (`[gout]`, `Dx=gout`) from which a word follows: it is read as if one more blank stood there, so
that a quotation can begin with it. A slash is none of the signs: abbreviations are full of them."""

_ADDED = r"(?<=[\[({*“‘]|\w[=>]) (?= *[^\W\d_])"
"""That blank, once it is there."""

_TURNED_DOWN = re.compile(r" not ([A-Z0-9][A-Z0-9.]{2,8})(?=,|$)", re.M)
_BLOCK = re.compile(r" \([A-Z0-9]+-[A-Z0-9]+\)$", re.M)
_BULLET = re.compile(r"^- [A-Z][\w']*(?: [a-z][\w']*)*(?:: (?:nothing|it) says(?= \")|:|(?= [\"A-Z0-9]))", re.M)
_OFTEN = 20
"""Bullets that begin alike, from which on the beginning is worth a token."""


def train(
    texts: Iterable[str], vocabulary: int, names: Iterable[str] = (), pieces: Iterable[str] = ()
) -> PreTrainedTokenizerFast:
    """Train on `texts` until the vocabulary (bytes, marks and merges) has `vocabulary` entries; `pieces` and `names` come on
    top.

    Digits stand alone, so every code can be spelled; spaces go with the word that follows. A name is one token where a blank
    stands before it: a small model then chooses among codes at once instead of digit by digit. A piece is one token as it is.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(r"\n"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.normalizer = normalizers.Replace(Regex(rf"{_OPENING}(?=\w)|{_BEHIND}"), " ")
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace(Regex(f"{_OPENING} |{_ADDED}"), "")])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(MARKS),
        special_tokens=[PAD, START, STOP],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    whole = [*sorted(set(pieces)), *(f" {name}" for name in sorted(set(names)))]
    tokenizer.add_tokens([AddedToken(piece, special=False, normalized=False) for piece in whole])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=STOP,
        extra_special_tokens=[START],
        clean_up_tokenization_spaces=False,
        model_max_length=100_000,
    )
    fast.chat_template = TEMPLATE
    return fast


def names(codes: Collection[str], traces: Collection[str]) -> list[str]:
    """What the reasoning in `traces` chooses among, to be one token each: `codes`, and the neighbours it turns down with their
    "not".

    A neighbour has a token of its own because the code just named is on the model's tongue: asked for another code it says the
    same one again.
    """
    found = {f"not {code}" for trace in traces for code in _TURNED_DOWN.findall(trace) if code in codes}
    return sorted(found.union(codes))


def pieces(traces: Collection[str]) -> list[str]:
    """What the reasoning in `traces` writes again and again, to be one token each: blocks in brackets, beginnings of
    bullets."""
    begun = Counter(beginning for trace in traces for beginning in _BULLET.findall(trace))
    blocks = {block for trace in traces for block in _BLOCK.findall(trace)}
    return sorted(blocks.union(beginning for beginning, count in begun.items() if count >= _OFTEN))


def spoken(tokenizer: PreTrainedTokenizerBase, names: Iterable[str]) -> list[int]:
    """Ids of the tokens that answers and conclusions are made of: type marks and `names`, each with its blank."""
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary[name] for name in (*MARKS, *(f" {name}" for name in names)) if name in vocabulary)


def extend(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A pretrained tokenizer made fit for this project: think tags as plain tokens, a pad token of its own, our template."""
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in (THINK_OPEN, THINK_CLOSE)])
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        tokenizer.add_special_tokens({"pad_token": PAD})
    tokenizer.eos_token = STOP
    tokenizer.chat_template = TEMPLATE
    return tokenizer
