"""What was worked out for one edit and serves the next: prompts read by the text encoders, canvases seen by the VAE.

A designer asks for the same words and the same selection again and again, with other seeds. Reading words takes the
largest network of some models, which may have to be fetched from another memory first. What is remembered belongs to
the network that made it and goes with it.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar

import torch

PROMPTS = 16  # calls of encode_prompt, for each network: a few MB each at most
CHANGED = "changed_by"  # attribute of a network: what it works with besides its weights
PLAIN = (str, int, float, bool, type(None), torch.device, torch.dtype)

T = TypeVar("T")


class Memo(Generic[T]):
    """The `kept` results used last, by key."""

    def __init__(self, kept: int) -> None:
        self._kept, self._results = kept, OrderedDict[Hashable, T]()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is remembered under `key`, else what `make` gives. What it raises is not remembered."""
        if key in self._results:
            self._results.move_to_end(key)
            return self._results[key]
        made = self._results[key] = make()
        if len(self._results) > self._kept:
            self._results.popitem(last=False)
        return made


_prompts: weakref.WeakKeyDictionary[torch.nn.Module, Memo[Any]] = weakref.WeakKeyDictionary()


def forget() -> None:
    """Everything."""
    _prompts.clear()


@contextlib.contextmanager
def remembering(pipe: Any) -> Iterator[None]:
    """While it lasts, `pipe.encode_prompt` answers from memory where it was asked the same before.

    Not where an answer depends on more than its arguments say: pictures among them, adapters on a text encoder that
    are not told of by its attribute CHANGED.
    """
    encode, encoders = getattr(pipe, "encode_prompt", None), _encoders(pipe)
    if encode is None or not encoders or any(getattr(e, "_hf_peft_config_loaded", False) for e in encoders):
        yield
        return
    memo = _prompts.setdefault(encoders[0], Memo(PROMPTS))

    def remembered(*args: Any, **kwargs: Any) -> Any:
        key = key_of((args, kwargs))
        if key is None:
            return encode(*args, **kwargs)
        whole = (
            type(pipe).__name__,
            _words(pipe),
            tuple((str(e.dtype), getattr(e, CHANGED, ())) for e in encoders),
            key,
        )
        return copied(memo.get(whole, lambda: encode(*args, **kwargs)))

    pipe.encode_prompt = remembered
    try:
        yield
    finally:
        del pipe.encode_prompt  # the class's own shows again


def key_of(value: Any) -> Hashable | None:
    """A key for arguments that are words, numbers, and lists and dicts of them; None for anything else."""
    if isinstance(value, PLAIN):
        return (type(value).__name__, value)
    if isinstance(value, list | tuple):
        parts = [key_of(part) for part in value]
        return None if None in parts else ("list", *parts)
    if isinstance(value, dict):
        return key_of(sorted((str(name), part) for name, part in value.items()))
    return None


def copied(value: Any) -> Any:
    """The same with every tensor copied: who gets it may change it in place."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, list | tuple):
        return type(value)(copied(part) for part in value)
    return value


def _encoders(pipe: Any) -> list[torch.nn.Module]:
    parts = (getattr(pipe, f"text_encoder{suffix}", None) for suffix in ("", "_2", "_3"))
    return [part for part in parts if part is not None]


def _words(pipe: Any) -> tuple[Hashable, ...]:
    """What textual inversions add to the tokenizers."""
    tokenizers = (getattr(pipe, f"tokenizer{suffix}", None) for suffix in ("", "_2", "_3"))
    return tuple(tuple(sorted(t.get_added_vocab())) for t in tokenizers if t is not None)
