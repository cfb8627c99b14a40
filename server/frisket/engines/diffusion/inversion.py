"""Textual inversions: words whose meaning was learned, as vectors beside those of the vocabulary (Gal et al. 2022).

For one call the text encoders look up more words than they have, in tokenizers of their own. Both are put aside
afterwards, and nothing was written into either.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import AddedToken

from frisket.engines.diffusion.addons import Addon, unsuitable
from frisket.engines.diffusion.memo import CHANGED
from frisket.errors import ModelDamaged, ModelFileUnusable, ParameterOutOfRange
from frisket.models.record import Record

PAIRS = (("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1"))  # those of SDXL, by who saved them
MOST_WORDS = 75  # vectors of one file: more than a prompt holds
OLD_END = 2  # `eos_token_id` of old configurations: they take the highest id for the end, and new words are higher


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word `id` stands for: for each text encoder (n, width) vectors. stamp: of the file's bytes."""

    id: str
    stamp: str
    vectors: tuple[torch.Tensor, ...]

    @property
    def tokens(self) -> list[str]:
        return [f"<{self.id}:{number}>" for number in range(len(self.vectors[0]))]


def read(addon: Addon, pipe: Any, model: Record) -> Meaning:
    """The embedding, as many vectors as it has for each text encoder of `pipe`.

    Raises AddonUnsuitable for one that was learned with other encoders, ModelFileUnusable for no embedding,
    ModelDamaged for values that are no numbers.
    """
    tensors, encoders = load_file(addon.file), _encoders(pipe)
    pair = next((names for names in PAIRS if set(tensors) == set(names)), None)
    if pair is not None:
        found = [tensors[name] for name in pair]
    elif len(tensors) == 1:
        found = [value if value.ndim > 1 else value[None] for value in tensors.values()]
    else:
        raise ModelFileUnusable(path=addon.file, reason=f"it is no embedding: it holds {', '.join(sorted(tensors))}")
    widths = [encoder.get_input_embeddings().weight.shape[1] for _, encoder, _ in encoders]
    if any(value.ndim != 2 or not 0 < len(value) <= MOST_WORDS for value in found) or len(set(map(len, found))) > 1:
        raise ModelFileUnusable(path=addon.file, reason="it is no embedding: its shapes make no sense")
    if [value.shape[1] for value in found] != widths:
        made_for = f"text encoders of widths {', '.join(str(value.shape[1]) for value in found)}"
        raise unsuitable(addon, model, f"{made_for}, here {', '.join(map(str, widths))}")
    vectors = tuple(value.float() for value in found)
    if not all(value.isfinite().all() for value in vectors):
        suggestion = f"Run `frisket models verify {addon.record.id}`, or remove it and get it again."
        raise ModelDamaged(model=addon.record.id, findings="it holds values that are no numbers", suggestion=suggestion)
    return Meaning(addon.record.id, addon.stamp, vectors)


def check_said(meanings: Sequence[Meaning], *prompts: str) -> None:
    """Raises ParameterOutOfRange for an embedding that no prompt says."""
    for meaning in meanings:
        if not any(_word(meaning).search(prompt) for prompt in prompts):
            wanted = f"one that the prompt says; {meaning.id} is in neither prompt and would do nothing"
            raise ParameterOutOfRange(name="embeddings", value=meaning.id, wanted=wanted)


@contextlib.contextmanager
def known(pipe: Any, meanings: Sequence[Meaning]) -> Iterator[None]:
    """While it lasts, the pipeline's prompts may say these words, in whichever case, each as a word by itself."""
    if not meanings:
        yield
        return
    with contextlib.ExitStack() as stack:
        for number, (suffix, encoder, tokenizer) in enumerate(_encoders(pipe)):
            stack.enter_context(_taught(pipe, f"tokenizer{suffix}", tokenizer, encoder, meanings, number))

        def said(prompt: Any, tokenizer: Any) -> Any:
            if not isinstance(prompt, str):
                return [said(part, tokenizer) for part in prompt]
            for meaning in meanings:
                words = " ".join(meaning.tokens)
                prompt = _word(meaning).sub(lambda _, words=words: words, prompt)
            return prompt

        pipe.maybe_convert_prompt = said
        stack.callback(lambda: vars(pipe).pop("maybe_convert_prompt", None))
        yield


class _Vocabulary(torch.nn.Module):
    """An encoder's vectors, and some more under the ids behind."""

    def __init__(self, own: torch.nn.Module, more: torch.Tensor) -> None:
        super().__init__()
        self.own, self.more = own, more

    @property
    def weight(self) -> torch.Tensor:
        return self.own.weight  # type: ignore[return-value]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        size = self.weight.shape[0]
        vectors = self.own(ids.clamp(max=size - 1))
        new = ids >= size
        vectors[new] = self.more.to(vectors)[ids[new] - size]
        return vectors


@contextlib.contextmanager
def _taught(
    pipe: Any, name: str, tokenizer: Any, encoder: Any, meanings: Sequence[Meaning], number: int
) -> Iterator[None]:
    own = encoder.get_input_embeddings()
    larger = copy.deepcopy(tokenizer)
    words = [token for meaning in meanings for token in meaning.tokens]
    larger.add_tokens([AddedToken(word, normalized=False) for word in words])
    first, size = larger.convert_tokens_to_ids(words[0]), own.weight.shape[0]
    gap = torch.zeros(max(0, first - size), own.weight.shape[1])  # ids that a tokenizer has and the encoder has not
    more = torch.cat([gap, *(meaning.vectors[number] for meaning in meanings)])
    ends = [part for part in encoder.modules() if getattr(part, "eos_token_id", None) == OLD_END]
    before = getattr(encoder, CHANGED, ())
    try:
        encoder.set_input_embeddings(_Vocabulary(own, more))
        setattr(pipe, name, larger)
        setattr(encoder, CHANGED, (*before, *(meaning.stamp for meaning in meanings)))
        for part in ends:
            part.eos_token_id = tokenizer.eos_token_id
        yield
    finally:
        for part in ends:
            part.eos_token_id = OLD_END
        setattr(pipe, name, tokenizer)
        encoder.set_input_embeddings(own)
        vars(encoder).pop(CHANGED, None)
        if before:
            setattr(encoder, CHANGED, before)


def _encoders(pipe: Any) -> list[tuple[str, Any, Any]]:
    """Suffix, text encoder and tokenizer, of those that there are."""
    found = []
    for suffix in ("", "_2"):
        encoder, tokenizer = getattr(pipe, f"text_encoder{suffix}", None), getattr(pipe, f"tokenizer{suffix}", None)
        if encoder is not None and tokenizer is not None:
            found.append((suffix, encoder, tokenizer))
    return found


def _word(meaning: Meaning) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(meaning.id)}(?![\w-])", re.IGNORECASE)
