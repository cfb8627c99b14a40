"""Tokenizers for tiny models, trained here on six sentences, in the layouts that published models have."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportOptionalIterable=false, reportIndexIssue=false, reportOperatorIssue=false
from __future__ import annotations

import functools
import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

CORPUS = (
    "a photo of a cat sitting on a red sofa , high quality . an oil painting of the sea at night . replace the sky "
    "with a sunset and remove the person from the image . a watercolor fox , blurry , low quality . extend the picture "
    "to the left with trees . a blue car on the road , detailed , 4k . make it winter . "
)
START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 120
MARKS = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
    "<|video_pad|>", "<think>", "</think>",
)  # fmt: skip
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def letters() -> list[str]:
    """The 256 characters that byte-level vocabularies write bytes as."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + n) for n in range(len(rest))]


@functools.cache
def clip_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's layout: bytes, bytes that end a word, merges, the start and the end mark (the highest number)."""
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    trained.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=10_000, end_of_word_suffix="</w>", show_progress=False, min_frequency=1)
    trained.train_from_iterator([CORPUS] * 2, trainer)
    found = json.loads(trained.to_str())["model"]["merges"][:MERGES]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in found]
    words = [*letters(), *(c + "</w>" for c in letters()), *("".join(m) for m in merges), START, END]
    vocabulary: dict[str, int] = {}
    for word in words:
        vocabulary.setdefault(word, len(vocabulary))
    return vocabulary, merges


def clip_tokenizer(pad: str = END):
    from transformers import CLIPTokenizer

    vocabulary, merges = clip_vocabulary()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77, pad_token=pad)


def write_old_clip_tokenizer(folder: Path) -> None:
    """As published Stable Diffusion models have it: vocab.json and merges.txt, no tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = clip_vocabulary()
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True} | marks
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "special_tokens_map.json").write_text(json.dumps(marks))


def t5_tokenizer():
    from transformers import T5Tokenizer

    words = sorted(set(CORPUS.split()))
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [("▁" + word, -3.0 - 0.01 * n) for n, word in enumerate(words)]
    have = {piece for piece, _ in pieces}
    pieces += [(c, -8.0) for c in map(chr, range(33, 127)) if c not in have]
    pieces += [(f"<extra_id_{n}>", 0.0) for n in range(99, -1, -1)]
    return T5Tokenizer(vocab=pieces, extra_ids=100, model_max_length=512)


def qwen_tokenizer():
    from transformers import AddedToken, Qwen2Tokenizer

    vocabulary = {c: n for n, c in enumerate(letters())} | {END: 256}
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[], model_max_length=4096)
    tokenizer.add_tokens([AddedToken(mark, special=True) for mark in MARKS])
    tokenizer.chat_template = CHAT
    return tokenizer
