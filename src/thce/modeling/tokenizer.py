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


_NAMED = re.compile(r" (\([A-Z0-9]+-[A-Z0-9]+\))$| (not ([A-Z0-9][A-Z0-9.]{2,8}))(?=,|$)", re.M)


_BULLET = re.compile(r"^- [A-Z][\w']*(?: [a-z][\w']*)*(?:: (?:nothing|it) says(?= \")|:|(?= [\"A-Z0-9]))", re.M)
_OFTEN = 20  # bullets of a beginning that is worth a token


def train(texts: Iterable[str], vocabulary: int, whole: Iterable[str] = ()) -> PreTrainedTokenizerFast:
    """Train on `texts` until the vocabulary (bytes, marks and merges) has `vocabulary` entries; `whole` comes on top.

    Digits stand alone, so every code can be spelled; spaces go with the word that follows. What is in `whole` is one token,
    with the blank before it, or as a beginning of bullets ("- Code:"): a small model then chooses among codes at once instead
    of digit by digit.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(r"\n"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.normalizer = normalizers.Replace(Regex(f"{_OPENING}(?=\\w)"), " ")
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace(Regex(f"{_OPENING} "), "")])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(MARKS),
        special_tokens=[PAD, START, STOP],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    pieces = [name if name.startswith("- ") else f" {name}" for name in sorted(set(whole))]
    tokenizer.add_tokens([AddedToken(piece, special=False, normalized=False) for piece in pieces])
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


def names(codes: Collection[str], texts: Iterable[str]) -> list[str]:
    """What `train` makes one token each: the codes, and of the reasoning in `texts` the beginnings of bullets, the blocks in
    brackets, and the neighbours that are turned down, these with their "not".

    A neighbour has a token of its own because the code just named is on the model's tongue: asked for another code it says the
    same one again.
    """
    found: set[str] = set(codes)
    begun: Counter[str] = Counter()
    for text in texts:
        begun.update(_BULLET.findall(text))
        found.update(match[1] or match[2] for match in _NAMED.finditer(text) if not match[3] or match[3] in codes)
    return sorted(found.union(begin for begin, count in begun.items() if count >= _OFTEN))


def spoken(tokenizer: PreTrainedTokenizerBase, whole: Iterable[str]) -> list[int]:
    """Ids of the tokens that answers and conclusions are made of: type marks, codes and neighbours."""
    vocabulary = tokenizer.get_vocab()
    spoken_names = (f" {name}" for name in whole if not name.startswith(("(", "- ")))
    return sorted(vocabulary[name] for name in (*MARKS, *spoken_names) if name in vocabulary)


def extend(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A pretrained tokenizer made fit for this project: think tags as plain tokens, a pad token of its own, our template."""
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in (THINK_OPEN, THINK_CLOSE)])
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        tokenizer.add_special_tokens({"pad_token": PAD})
    tokenizer.eos_token = STOP
    tokenizer.chat_template = TEMPLATE
    return tokenizer
