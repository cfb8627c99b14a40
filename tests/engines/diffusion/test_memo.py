"""What is remembered is what would have been worked out, and is forgotten when it no longer would be."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frisket.engines.diffusion.table import ROWS
from frisket.models.families import Family, Purpose

torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]
Zoo = Callable[[Family], Path]


def opened(family: Family, zoo_folder: Zoo) -> Any:
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.opening import opened

    folder = zoo_folder(family)
    return opened(folder, record_of(family, folder), ROWS[family][Purpose.INPAINT])


def counted(pipe: Any) -> list[int]:
    """How often the text encoder worked."""
    calls: list[int] = []
    pipe.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    return calls


def ask(pipe: Any, prompt: str = "a red sofa", count: int = 1) -> Any:
    return pipe.encode_prompt([prompt], torch.device("cpu"), count, True, ["blurry"])


def test_the_last_used_are_kept_and_failures_are_not():
    from frisket.engines.diffusion.memo import Memo

    memo, made = Memo(2), []

    def make(value: int) -> Callable[[], int]:
        return lambda: (made.append(value), value)[1]

    for value in (1, 2, 1, 3, 1, 2):
        assert memo.get(value, make(value)) == value
    assert made == [1, 2, 3, 2]
    with pytest.raises(ZeroDivisionError):
        memo.get("bad", lambda: 1 // 0)
    assert memo.get("bad", lambda: 7) == 7


@pytest.mark.parametrize(("value", "known"), [
    ((["a", None, 1.5], {"b": True}), True),
    (([object()],), False),
    ({"image": [b"x"]}, False),
])  # fmt: skip
def test_only_plain_arguments_make_a_key(value: Any, known: bool):
    from frisket.engines.diffusion.memo import key_of

    assert (key_of(value) is not None) is known


def test_keys_tell_types_apart():
    from frisket.engines.diffusion.memo import key_of

    assert len({key_of(value) for value in (1, True, "1", 1.0, ["1"], [["1"]])}) == 6


@pytest.mark.parametrize("family", [Family.SD15, Family.SDXL, Family.SD3])
def test_the_same_words_are_read_once_and_give_the_same(family: Family, zoo_folder: Zoo):
    from frisket.engines.diffusion.memo import copied, remembering

    pipe = opened(family, zoo_folder)
    call = {"prompt": ["a red sofa"], "negative_prompt": ["blurry"], "device": torch.device("cpu")}
    names = {"num_images_per_prompt": 1, "do_classifier_free_guidance": True}
    more = {"prompt_2": None, "prompt_3": None} if family is Family.SD3 else {}
    fresh = pipe.encode_prompt(**call, **names, **more)
    calls = counted(pipe)
    with remembering(pipe):
        first = pipe.encode_prompt(**call, **names, **more)
        read = len(calls)
        for tensor in copied(first):
            if tensor is not None:
                tensor.zero_()
        second = pipe.encode_prompt(**call, **names, **more)
    assert read > 0
    assert len(calls) == read
    assert all((a == b).all() for a, b in zip(fresh, second, strict=True) if a is not None)
    assert "encode_prompt" not in vars(pipe)


def test_other_words_numbers_and_tokens_are_read_anew(zoo_folder: Zoo):
    from frisket.engines.diffusion.memo import remembering

    pipe = opened(Family.SD15, zoo_folder)
    calls = counted(pipe)
    with remembering(pipe):
        for prompt, count in (("a red sofa", 1), ("a blue car", 1), ("a red sofa", 2)):
            ask(pipe, prompt, count)
        read = len(calls)
        ask(pipe)
        assert len(calls) == read
    assert read == 6  # the prompt and the negative prompt, three times
    pipe.tokenizer.add_tokens(["<style>"])
    pipe.text_encoder.resize_token_embeddings(len(pipe.tokenizer))
    with remembering(pipe):
        ask(pipe)
    assert len(calls) == read + 2


def test_a_sibling_shares_what_is_remembered_only_for_its_own_class(zoo_folder: Zoo):
    from frisket.engines.diffusion.memo import remembering
    from frisket.engines.diffusion.opening import sibling

    pipe = opened(Family.SD15, zoo_folder)
    other = sibling(pipe, ROWS[Family.SD15][Purpose.VARIATION])
    calls = counted(pipe)
    for one in (pipe, other, pipe, other):
        with remembering(one):
            ask(one)
    assert len(calls) == 4
