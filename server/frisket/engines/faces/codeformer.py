"""CodeFormer: a face as 16 x 16 words of a learned book, guessed by a transformer, drawn with as much of the input as
asked for.

Built after Zhou et al., "Towards Robust Blind Face Restoration with Codebook Lookup Transformer" (NeurIPS 2022), in the
size of its published weights (codeformer.pth); names of tensors are those of that file. The weights come under the
S-Lab License 1.0: not for commercial use.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SIDE = 512
WIDTH = 64
LEVELS = (1, 2, 2, 4, 4, 8)  # times WIDTH channels at 512, 256 ... 16 px
WORDS, WORD = 1024, 256  # in the book, numbers of each
WITH_ATTENTION = 16  # px
TOKENS, TOKEN, HEADS, LAYERS = 256, 512, 8, 9
JOINED = {"32": 256, "64": 256, "128": 128, "256": 128}  # px where the input is brought in: channels


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, width, eps=1e-6)


class _Residual(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(before), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = _norm(after), nn.Conv2d(after, after, 3, padding=1)
        if before != after:
            self.conv_out = nn.Conv2d(before, after, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.conv1(functional.silu(self.norm1(x)))
        made = self.conv2(functional.silu(self.norm2(made)))
        return made + (self.conv_out(x) if hasattr(self, "conv_out") else x)


class _Attention(nn.Module):
    """Every place looks at every other one, with one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.norm(x)
        q, k, v = (part(seen).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v))
        made = functional.scaled_dot_product_attention(q, k, v)
        return x + self.proj_out(made.transpose(1, 2).unflatten(2, x.shape[2:]))


class _Halved(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class _Doubled(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2, mode="nearest"))


class _Row(nn.Module):
    """Blocks one after another; `taps`: indices of those whose output is kept or changed on the way, by its side."""

    def __init__(self, blocks: list[nn.Module], taps: dict[str, int]) -> None:
        super().__init__()
        self.blocks, self.taps = nn.ModuleList(blocks), {index: side for side, index in taps.items()}


def _encoder() -> _Row:
    blocks: list[nn.Module] = [nn.Conv2d(3, WIDTH, 3, padding=1)]
    taps, side, before = {}, SIDE, WIDTH
    for level in LEVELS:
        for number in range(2):
            blocks.append(_Residual(before, WIDTH * level))
            before = WIDTH * level
            if number and str(side) in JOINED:
                taps[str(side)] = len(blocks) - 1
            if side == WITH_ATTENTION:
                blocks.append(_Attention(before))
        if side > WITH_ATTENTION:
            blocks.append(_Halved(before))
            side //= 2
    blocks += [_Residual(before, before), _Attention(before), _Residual(before, before)]
    return _Row([*blocks, _norm(before), nn.Conv2d(before, WORD, 3, padding=1)], taps)


def _generator() -> _Row:
    before = WIDTH * LEVELS[-1]
    blocks: list[nn.Module] = [nn.Conv2d(WORD, before, 3, padding=1)]
    blocks += [_Residual(before, before), _Attention(before), _Residual(before, before)]
    taps, side = {}, WITH_ATTENTION
    for level in reversed(LEVELS):
        for number in range(2):
            blocks.append(_Residual(before, WIDTH * level))
            before = WIDTH * level
            if not number and str(side) in JOINED:
                taps[str(side)] = len(blocks) - 1
            if side == WITH_ATTENTION:
                blocks.append(_Attention(before))
        if side < SIDE:
            blocks.append(_Doubled(before))
            side *= 2
    return _Row([*blocks, _norm(before), nn.Conv2d(before, 3, 3, padding=1)], taps)


class _Join(nn.Module):
    """What is drawn, stretched and shifted by what was seen at the same size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encode_enc = _Residual(2 * width, width)
        self.scale, self.shift = (
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)
            )
            for _ in range(2)
        )

    def forward(self, seen: torch.Tensor, drawn: torch.Tensor, share: float) -> torch.Tensor:
        both = self.encode_enc(torch.cat([seen, drawn], dim=1))
        return drawn + share * (drawn * self.scale(both) + self.shift(both))


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(TOKEN, HEADS)
        self.linear1, self.linear2 = nn.Linear(TOKEN, 2 * TOKEN), nn.Linear(2 * TOKEN, TOKEN)
        self.norm1, self.norm2 = nn.LayerNorm(TOKEN), nn.LayerNorm(TOKEN)

    def forward(self, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """(tokens, b, numbers)"""
        seen = self.norm1(x)
        x = x + self.self_attn(seen + place, seen + place, seen, need_weights=False)[0]
        return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))


class CodeFormer(nn.Module):
    """(b, 3, 512, 512), RGB -1...1, and how near to stay to the input, 0...1 -> the like."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.generator = _encoder(), _generator()
        self.quantize = nn.ModuleDict({"embedding": nn.Embedding(WORDS, WORD)})
        self.position_emb = nn.Parameter(torch.zeros(TOKENS, TOKEN))
        self.feat_emb = nn.Linear(WORD, TOKEN)
        self.ft_layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.idx_pred_layer = nn.Sequential(nn.LayerNorm(TOKEN), nn.Linear(TOKEN, WORDS, bias=False))
        self.fuse_convs_dict = nn.ModuleDict({side: _Join(width) for side, width in JOINED.items()})

    def forward(self, x: torch.Tensor, fidelity: float) -> torch.Tensor:
        seen = {}
        for index, block in enumerate(self.encoder.blocks):
            x = block(x)
            if index in self.encoder.taps:
                seen[self.encoder.taps[index]] = x
        x = _like(self._words(x), x)
        for index, block in enumerate(self.generator.blocks):
            x = block(x)
            side = self.generator.taps.get(index)
            if side and fidelity > 0:
                x = self.fuse_convs_dict[side](seen[side], x, fidelity)
        return x

    def _words(self, x: torch.Tensor) -> torch.Tensor:
        """The likeliest word of the book at each place."""
        tokens, place = self.feat_emb(x.flatten(2).permute(2, 0, 1)), self.position_emb.unsqueeze(1)
        for layer in self.ft_layers:
            tokens = layer(tokens, place)
        chosen = self.idx_pred_layer(tokens).argmax(dim=2)
        return self.quantize["embedding"](chosen).permute(1, 2, 0).unflatten(2, x.shape[2:])


def _like(content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """`content` with the mean and spread that `style` has in each channel."""
    (own_spread, own), (spread, mean) = (
        (torch.sqrt(torch.var(x, dim=(2, 3), keepdim=True) + 1e-5), x.mean(dim=(2, 3), keepdim=True))
        for x in (content, style)
    )
    return (content - own) / own_spread * spread + mean
