"""How much of a prompt a model reads: what is beyond is cut off by every pipeline without a word."""

from __future__ import annotations

from typing import Any

from frisket.engines.diffusion.table import Row, Takes, Traits
from frisket.engines.spec import Degradation, DegradationKind, Report, Work

TOKENIZERS = ("tokenizer_3", "tokenizer_2", "tokenizer")  # the first that there is reads the most


def tell_cut(reader: Any, row: Row, traits: Traits, work: Work, report: Report) -> None:
    """Tells of a prompt, and of a negative one, that is longer than what is read. reader: the pipeline that does."""
    tokenizer = next((t for t in (getattr(reader, name, None) for name in TOKENIZERS) if t is not None), None)
    if tokenizer is None or Takes.PROMPT not in row.takes:
        return
    spelled = getattr(reader, "maybe_convert_prompt", None)  # learned words are several tokens
    most = min(traits.tokens, int(tokenizer.model_max_length))
    for name, words in (("prompt", work.prompt), ("negative prompt", work.negative_prompt)):
        tokens = count(tokenizer, spelled(words, tokenizer) if spelled else words)
        if tokens > most:
            detail = f"The model read {most} of the {tokens} tokens of the {name}; the words behind them had no effect."
            report.told(Degradation(DegradationKind.PROMPT_CUT, detail))


def count(tokenizer: Any, words: str) -> int:
    """Tokens of `words`, with those that begin and end a text; without those of a conversation around it."""
    return len(tokenizer(words, truncation=False, verbose=False).input_ids) if words else 0
