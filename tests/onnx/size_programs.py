"""Small programs that compute with sizes as users write them. Each says which inputs it takes, by letters for their sizes, and
which decisions on sizes it takes (`relies_on`: parts of the guards' texts, in order; none: it holds for every size)."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import frazil as fz
from frazil.nn import functional as F

#: Sizes to record with, and others to run the file with.
EXAMPLE = {"b": 2, "t": 6, "c": 4, "n": 5, "h": 8, "w": 10}
OTHERS = (
    {"b": 3, "t": 8, "c": 6, "n": 7, "h": 12, "w": 9},
    {"b": 1, "t": 2, "c": 2, "n": 2, "h": 5, "w": 4},
    {"b": 5, "t": 13, "c": 3, "n": 11, "h": 16, "w": 16},
    {"b": 4, "t": 1, "c": 1, "n": 1, "h": 3, "w": 3},
    {"b": 7, "t": 16, "c": 8, "n": 20, "h": 9, "w": 32},
)


@dataclass(frozen=True)
class SizeProgram:
    """`inputs`: the shape of each tensor, letters or numbers, "b t 3"; `i64 b t` is one of small integers."""

    run: Callable[..., Any]
    inputs: tuple[str, ...]
    relies_on: tuple[str, ...]


PROGRAMS: dict[str, SizeProgram] = {}


def program(*inputs: str, relies_on: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the decorated function to the table."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        assert function.__name__ not in PROGRAMS
        PROGRAMS[function.__name__] = SizeProgram(function, inputs, relies_on)
        return function

    return add


# --- arithmetic on sizes --------------------------------------------------------------------------------------------------------


@program("b t c")
def unpack_and_join(x):
    b, t, c = x.shape
    return x.view(b * t, c)


_FILTERS = fz.arange(54.0).reshape(1, 3, 2, 3, 3).cos()
_A_FILTER_FOR_EACH = (
    "style.shape[1] == 2 is True",
    "x.shape[0]*x.shape[1] == 2*style.shape[0] is True",
    "style.shape[0] < 1 is False",
    "x.shape[2] < 1 is False",
    "x.shape[3] < 1 is False",
)


@program(
    "b 2 h w",
    "b 2",
    relies_on=_A_FILTER_FOR_EACH,
)
def filters_of_each_image(x, style):
    b = style.shape[0]
    w = _FILTERS * style.view(b, 1, 2, 1, 1)
    y = F.conv2d(x.reshape(1, b * 2, *x.shape[2:]), w.view(b * 3, 2, 3, 3), padding=1, groups=b)
    wide = F.conv_transpose2d(y, w.view(b * 3, 2, 3, 3), stride=2, groups=b)
    return y.view(b, 3, *y.shape[2:]), wide.view(b, 2, *wide.shape[2:])


@program(
    "b 2 h w",
    "b 2",
    relies_on=_A_FILTER_FOR_EACH,
)
def gradients_of_filters_of_each_image(x, style):
    b = style.shape[0]
    style = style.detach().requires_grad_()
    w = (_FILTERS * style.view(b, 1, 2, 1, 1)).view(b * 3, 2, 3, 3)
    y = F.conv2d(x.reshape(1, b * 2, *x.shape[2:]), w, padding=1, groups=b)
    return fz.autograd.grad((y * y).sum(), style)[0]


@program("b t c")
def size_calls(x):
    return x.reshape(x.size(0), x.size(-1) * x.size(1)) + len(x)


@program("b t c")
def numel(x):
    return x.sum() / x.numel(), x.view(x.numel()), x.view(x.nelement() // x.shape[0], -1)


@program("b t c")
def view_minus_one(x):
    return x.view(-1), x.view(x.shape[0], -1), x.view(-1, x.shape[-1])


@program("b t 8", relies_on=("x.shape[2] % 4 == 0 is True",))
def split_heads(x):
    b, t, d = x.shape
    h = 4
    q = x.view(b, t, h, d // h).transpose(1, 2)
    return q.transpose(1, 2).contiguous().view(b, t, h * (d // h))


@program("b t 12", relies_on=("x.shape[2] % 6 == 0 is True",))
def split_heads_minus_one(x):
    q, k, v = x.reshape(*x.shape[:2], 3, 2, -1).permute(2, 0, 3, 1, 4)
    return F.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, dim=-1) @ v


@program("b t c")
def scale_by_sqrt(x):
    return x / math.sqrt(x.shape[-1]), x * x.shape[1] ** -0.5, x / x.size(-1) ** 0.5


@program("b t c")
def scale_by_numpys_sqrt(x):
    return x / np.sqrt(x.shape[-1]), x * np.sqrt(x.shape[0] / 2)


@program("n")
def floats_of_sizes(x):
    n = x.shape[0]
    return x * (n / 3), x + 1.0 / (n + 1), x - n * 0.5, x / max(n, 1), (2 - n) * x, x * (n**2)


@program("n")
def int_of_half(x):
    return x[: int(x.shape[0] * 0.5)], x[: int(x.shape[0] / 2)], x[int(x.shape[0] // 2) :]


@program("n")
def ceil_floor_round(x):
    n = x.shape[0]
    return x[: math.ceil(n / 2)], x[: math.floor(n / 2)], x[: round(n / 2)], x[math.floor(0.25 * n) :], x[: math.trunc(n / 3)]


@program("n")
def fractions_of_a_size_rounded(x):
    n = x.shape[0]
    return (
        x[: math.ceil(n * 0.3)],
        x[math.floor(n * 0.3) :],
        x[: round(n * 0.7)],
        x[: math.trunc(n * 0.3)],
        x[-math.ceil(n * 0.1) :],
    )


@program("n", relies_on=("x.shape[0] == 5 is True",))
def square_root_of_a_size(x):
    side = int(math.sqrt(x.shape[0]))
    return x[: side * side].view(side, side), x[: math.isqrt(x.shape[0])], x[: int(x.shape[0] ** 0.5)]


@program("n", relies_on=("x.shape[0] + 1 == 6 is True",))
def logarithm_of_a_size(x):
    return x * math.log(x.shape[0] + 1), x * math.log2(x.shape[0] + 1)


@program("b t")
def minimum_and_maximum(x):
    b, t = x.shape
    return x[:, : min(t, 3)], x[: max(b - 2, 0)], x[:, : min(b, t)], fz.zeros(max(b, t, 4))


@program("b t")
def absolute_and_remainder(x):
    b, t = x.shape
    return x[:, : abs(b - t) + t % 2], x[:, t % 3 :], fz.ones(divmod(t, 3)), x * (-t % 4)


@program("n", relies_on=("x.shape[0] == 5 is True",))
def power_of_two_above(x):
    n = x.shape[0]
    return F.pad(x, (0, 2 ** math.ceil(math.log2(n)) - n))


@program("b t c")
def torch_size_operations(x):
    shape = x.shape
    flat = x.reshape(shape[:-1] + (1, shape[-1]))
    longer = x.expand((2,) + tuple(shape))
    wide = fz.zeros(shape[:2] + x.shape[:1])
    twice = fz.ones(shape[:1] * 2)
    return flat, longer, wide, twice, shape.numel() * fz.ones(1)


@program("b t c")
def size_as_list(x):
    shape = list(x.shape)
    shape[1] = shape[1] * 2
    return fz.zeros(shape), fz.zeros([s + 1 for s in x.shape]), fz.ones(*reversed(x.shape))


@program("b t c")
def named_shape(x):
    sizes = dict(zip("btc", x.shape, strict=True))
    return x.reshape(sizes["b"], sizes["t"] * sizes["c"])


# --- through helper functions ---------------------------------------------------------------------------------------------------


def _rearrange(x, heads):
    b, t, c = x.shape
    return x.reshape(b, t, heads, c // heads).permute(0, 2, 1, 3)


def _halves(n, *, extra=0):
    return n // 2 + extra, n - n // 2


class _Geometry:
    def __init__(self, x):
        self.batch, self.time = x.shape[0], x.shape[1]
        self.cells = self.batch * self.time

    @property
    def last(self):
        return self.time - 1


@program("b t 8", relies_on=("x.shape[2] % 4 == 0 is True",))
def shapes_through_helpers(x):
    first, second = _halves(x.shape[1])
    return _rearrange(x, 2)[:, :, :first], _rearrange(x, 4)[:, :, second:]


@program("b t c")
def sizes_in_an_object(x):
    geometry = _Geometry(x)
    return x.view(geometry.cells, -1), x[:, geometry.last], x[:, geometry.last - 1 :]


@program("b c h w")
def space_to_depth(x):
    b, c, h, w = x.shape
    x = x[:, :, : h // 2 * 2, : w // 2 * 2]
    x = x.reshape(b, c, h // 2, 2, w // 2, 2)
    return x.permute(0, 1, 3, 5, 2, 4).reshape(b, c * 4, h // 2, w // 2)


@program("b c h w")
def patches(x):
    b, c, h, w = x.shape
    p = 2
    x = F.pad(x, (0, -w % p, 0, -h % p))
    hh, ww = x.shape[2] // p, x.shape[3] // p
    return x.reshape(b, c, hh, p, ww, p).permute(0, 2, 4, 3, 5, 1).reshape(b, hh * ww, p * p * c)


@program("b c h w")
def tokens_of_an_image_and_back(x):
    b, c, h, w = x.shape
    tokens = x.flatten(2).transpose(1, 2)
    return tokens.transpose(1, 2).reshape(b, c, h, w) * 2, tokens.unflatten(1, (h, w))


@program("b t 6", relies_on=("x.shape[2] % 2 == 0 is True",))
def grouped_channels_shuffled(x):
    b, t, c = x.shape
    return x.view(b, t, 2, c // 2).transpose(2, 3).reshape(b, t, c)


# --- creation -------------------------------------------------------------------------------------------------------------------


@program("b t")
def creation(x):
    b, t = x.shape
    return (
        fz.zeros(b, t),
        fz.ones((t, b)),
        fz.full((b, 2), 3.5),
        fz.full([t], b),
        fz.empty(b, 0),
        fz.zeros(x.shape),
        fz.zeros(x.size()),
        fz.eye(t),
    )


@program("b t")
def creation_like(x):
    return fz.zeros_like(x), fz.ones_like(x) * 2, fz.full_like(x, 7.0), x.new_zeros(x.shape[1]), x.new_ones(3, x.shape[0])


@program("b t")
def counting(x):
    b, t = x.shape
    return (
        fz.arange(t),
        fz.arange(1, t + 1),
        fz.arange(t - 1, -1, -1),
        fz.arange(0, t, 2),
        fz.arange(b * t).view(b, t),
        fz.arange(t, dtype=fz.float32) / t,
        fz.linspace(0, 1, t),
    )


@program("b t")
def a_size_in_a_tensor(x):
    return x + fz.tensor(x.shape[1]), x * fz.tensor([x.shape[0], x.shape[1]]).sum(), fz.as_tensor(x.shape[1]) - 1


@program("b t")
def position_grid(x):
    rows, columns = fz.meshgrid(fz.arange(x.shape[0]), fz.arange(x.shape[1]), indexing="ij")
    return x * (rows * x.shape[1] + columns)


# --- slicing --------------------------------------------------------------------------------------------------------------------


@program("b t c")
def halves(x):
    n = x.shape[1]
    return x[:, : n // 2], x[:, n // 2 :], x[:, -(n // 2) :], x[..., : x.shape[-1] // 2]


@program("b t")
def last_of_another_size(x):
    k = x.shape[0]
    return x[:, -k:], x[:, :-k], x[:, k:], x[:, : -(k - 1)]


@program("b t")
def single_elements(x):
    b, t = x.shape
    return x[:, t - 1], x[b - 1, 0], x[b // 2], x[:, t // 2 : t // 2 + 1], x.select(1, t - 1)


@program("b t")
def narrow_and_steps(x):
    t = x.shape[1]
    return x.narrow(1, t // 2, t - t // 2), x[:, :: max(t // 4, 1)] if False else x[:, ::2], x[:, 1::3], x[:, t // 3 :: 2]


@program("b t")
def writes_by_sizes(x):
    y = x.clone()
    t = x.shape[1]
    y[:, : t // 2] = 0
    y[:, t - 1] += 1
    y[:, t // 2 :] *= 2
    return y


@program("b t")
def shifted(x):
    return fz.cat([x[:, 1:], x.new_zeros(x.shape[0], 1)], dim=1), fz.cat([x[:, -1:], x[:, :-1]], 1), x[:, 1:] - x[:, :-1]


# --- repeating, splitting, joining ----------------------------------------------------------------------------------------------


@program("b t c", relies_on=("x.shape[1] >= 1 is True",))
def expanding(x):
    b, t, c = x.shape
    return x[:, :1].expand(-1, t, -1), x.mean(1, keepdim=True).expand(b, t, c), x[:, None].expand(b, 3, t, c), x.expand_as(x)


@program("b t")
def repeating(x):
    b, t = x.shape
    return x.repeat(2, 1), x.repeat(1, b), x.repeat(t, 1, 1), x.repeat_interleave(2, dim=1), fz.tile(x, (1, 2))


@program(
    "1 1 c",
    "b t c",
    relies_on=(
        "token.shape[0] == 1 is True",
        "token.shape[2] == x.shape[2] is True",
        "token.shape[1] == 1 is True",
    ),
)
def class_token(token, x):
    return fz.cat([token.expand(x.shape[0], -1, -1), x], dim=1), fz.cat([token.expand(len(x), 1, x.shape[2]), x], 1)


@program("b 8 c", relies_on=("x.shape[1] == 8 is True",))
def chunks_of_a_fixed_axis(x):
    a, b = x.chunk(2, dim=1)
    c, d, e = x.split([2, 3, 3], dim=1)
    return a * b, c.sum(1) + d.sum(1) * e.sum(1), [part * 2 for part in x.split(4, 1)], x.tensor_split(3, 1)[1]


@program("b t")
def two_parts_of_a_dynamic_axis(x):
    t = x.shape[1]
    first, second = x.split([t // 2, t - t // 2], dim=1)
    return first * 2, second.sum(1)


@program("b t c")
def stacking(x):
    return fz.stack([x, x * 2], 1).reshape(x.shape[0], -1), fz.cat([x, x], -1).view(*x.shape[:-1], 2 * x.shape[-1])


@program(
    "b t",
    "b t",
    relies_on=(
        "y.shape[0] == x.shape[0] is True",
        "y.shape[1] == x.shape[1] is True",
    ),
)
def interleaving(x, y):
    return fz.stack((x, y), dim=-1).flatten(-2), fz.stack((x, y), 1).view(2 * x.shape[0], -1)


@program("b t")
def rolling_and_flipping(x):
    t = x.shape[1]
    return x.roll(1, 1), x.roll(t // 2, 1), fz.roll(x, shifts=-1, dims=1), x.flip(1), x.roll((1, 2), (0, 1)), x.rot90()


@program("b 9", relies_on=("x.shape[1] < 4 is False",))
def windows(x):
    return x.unfold(1, 3, 2), x.unfold(1, 4, 1).mean(-1)


@program("b t", relies_on=("x.shape[1] + 3 < 4 is False",))
def windows_of_a_dynamic_axis(x):
    return F.pad(x, (3, 0)).unfold(1, 4, 1).sum(-1)


@program("b t")
def frames(x):
    """Split into overlapping frames, and add them up again."""
    size, step = 4, 2
    count = (x.shape[1] + size - step) // step
    padded = F.pad(x, (0, (count - 1) * step + size - x.shape[1]))
    index = fz.arange(count)[:, None] * step + fz.arange(size)
    return padded[:, index]


@program("b t c")
def pad_to_a_multiple(x):
    t = x.shape[1]
    padded = F.pad(x, (0, 0, 0, (4 - t % 4) % 4))
    blocks = padded.view(x.shape[0], -1, 4, x.shape[2])
    return blocks.mean(2), padded[:, :t], F.pad(x, (0, 0, t // 2, -t % 3))


# --- images ---------------------------------------------------------------------------------------------------------------------


@program("b 2 h w")
def resizing(x):
    return (
        F.interpolate(x, scale_factor=1.5, mode="nearest"),
        F.interpolate(x, scale_factor=2, mode="nearest"),
        F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
        F.interpolate(x, size=(x.shape[2] * 2, x.shape[3] + 3), mode="bilinear", align_corners=True),
        F.interpolate(x, size=(7, 5), mode="nearest"),
    )


@program(
    "b 2 h w",
    "b 2 8 8",
)
def resizing_to_another(x, y):
    return F.interpolate(y, size=x.shape[-2:], mode="nearest") + x, F.interpolate(x, size=y.shape[2:], mode="bilinear")


@program("b 2 h w", relies_on=("x.shape[2] < 2 is False", "x.shape[3] < 2 is False"))
def downsampling_and_back(x):
    y = F.max_pool2d(x, 2)
    y = F.interpolate(y, size=x.shape[2:], mode="nearest")
    return x + y


@program("b 2 h w", relies_on=("x.shape[2] > 0 is True", "x.shape[3] > 0 is True"))
def pooling_by_the_size(x):
    return x.mean((2, 3)), F.adaptive_avg_pool2d(x, 1).flatten(1), x.amax((-2, -1)), x.flatten(2).mean(-1)


@program("b 4 h w", relies_on=("x.shape[1] % 4 == 0 is True",))
def pixels_shuffled(x):
    return F.pixel_shuffle(x, 2), F.pixel_unshuffle(x[..., : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2], 2)


@program("b 2 h w")
def centre_crop(x):
    h, w = x.shape[-2:]
    top, left = (h - 3) // 2, (w - 3) // 2
    return x[..., top : top + 3, left : left + 3]


@program("b 3 h w")
def coordinate_channels(x):
    b, _, h, w = x.shape
    ys = fz.linspace(-1, 1, h).view(1, 1, h, 1).expand(b, 1, h, w)
    xs = fz.linspace(-1, 1, w).view(1, 1, 1, w).expand(b, 1, h, w)
    return fz.cat([x, ys, xs], dim=1)


# --- masks and tables -----------------------------------------------------------------------------------------------------------


@program("b t t", relies_on=("scores.shape[1] == scores.shape[2] is True",))
def causal_mask(scores):
    t = scores.shape[-1]
    mask = fz.tril(fz.ones(t, t))
    return F.softmax(scores.masked_fill(mask == 0, float("-inf")), dim=-1)


@program("b t 4")
def causal_attention(x):
    t = x.size(1)
    mask = fz.triu(fz.full((t, t), float("-inf")), diagonal=1)
    return F.softmax(x @ x.transpose(1, 2) / math.sqrt(x.size(-1)) + mask, -1) @ x


@program(
    "b t 4",
    "32 4",
    "32 32",
)
def tables_up_to_a_size(x, table, mask):
    t = x.shape[1]
    y = x + table[:t]
    return y + mask[:t, :t].sum(1)[None, :, None], y + table[None, :t, :], y + F.embedding(fz.arange(t), table)


@program("b t")
def mask_by_positions(x):
    positions = fz.arange(x.shape[1])
    window = (positions[None, :] - positions[:, None]).abs() <= 2
    return fz.where(window, x[:, None, :], 0.0).sum(-1), x.masked_fill(positions > x.shape[1] // 2, 0.0)


@program("b t 3", "i64 b")
def mask_by_lengths(x, lengths):
    mask = fz.arange(x.shape[1])[None, :] < lengths[:, None]
    return (x * mask[..., None]).sum(1) / lengths.clamp(min=1)[:, None]


@program("b t")
def relative_positions(x):
    t = x.shape[1]
    distance = fz.arange(t)[:, None] - fz.arange(t)[None, :] + (t - 1)
    table = fz.arange(2 * t - 1, dtype=fz.float32)
    return table[distance] + x[:, None, :]


@program("b t 8", relies_on=("(x.shape[2] + 1)//2 == max(1, x.shape[2])//2 is True",))
def sinusoidal_positions(x):
    _, t, d = x.shape
    position = fz.arange(t, dtype=fz.float32)[:, None]
    rate = fz.exp(fz.arange(0, d, 2) * (-math.log(10000.0) / d))
    table = fz.zeros(t, d)
    table[:, 0::2] = fz.sin(position * rate)
    table[:, 1::2] = fz.cos(position * rate)
    return x + table


@program("b t 8", relies_on=("x.shape[2] % 2 == 0 is True",))
def rotary_positions(x):
    half = x.shape[-1] // 2
    angles = fz.outer(fz.arange(x.shape[1], dtype=fz.float32), 1.0 / 100 ** (fz.arange(half) / half))
    a, b = x[..., :half], x[..., half:]
    return fz.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], dim=-1)


# --- data-dependent sizes -------------------------------------------------------------------------------------------------------


@program("b t")
def chosen_by_mask(x):
    chosen = x[x > 0]
    return chosen * 2, chosen.sum() / max(chosen.shape[0], 1), fz.arange(chosen.numel())


@program("b t")
def nonzero_positions(x):
    rows, columns = fz.nonzero(x > 0, as_tuple=True)
    found = (x > 0).nonzero()
    return x[rows, columns], found[:, 0] * x.shape[1] + found[:, 1], len(found) + x.sum()


@program("b t 3")
def rows_by_mask(x):
    return x[x[..., 0] > 0].sum(0), x[:, fz.arange(x.shape[1]) % 2 == 0]


@program("n 3", "i64 n", relies_on=("labels.shape[0] == x.shape[0] is True",))
def sorted_groups(x, labels):
    order = fz.argsort(labels, stable=True)
    changed = labels[order][1:] != labels[order][:-1]
    return x[order], fz.nonzero(changed).shape[0] + 1 + 0 * x.sum(), x[labels == labels[0]]


@program("b n")
def top_of_at_most(x):
    k = min(3, x.shape[1])
    values, indices = x.topk(k)
    return values, indices, x.topk(k=min(2, x.size(-1)), dim=-1, largest=False).values, x.sort(descending=True)[0][:, :k]


@program("b n", "i64")
def index_by_a_tensor(x, i):
    return x[:, i], x[0, i], x.index_select(1, i.reshape(1))


@program("b t 3", "i64 b", relies_on=("x.shape[0] == lengths.shape[0] is True",))
def last_step_of_each(x, lengths):
    last = (lengths - 1).clamp(min=0).clamp(max=x.shape[1] - 1)
    return x[fz.arange(x.shape[0]), last], x.gather(1, last.view(-1, 1, 1).expand(-1, 1, x.shape[2])).squeeze(1)


# --- decisions ------------------------------------------------------------------------------------------------------------------


@program("b t", relies_on=("x.shape[1] > 4 is True",))
def branch_on_a_size(x):
    if x.shape[1] > 4:
        return x[:, :4]
    return x


@program("b t", relies_on=("x.shape[1] % 2 == 0 is True",))
def assertion_on_a_size(x):
    assert x.shape[1] % 2 == 0, "the length must be even"
    return x.view(x.shape[0], -1, 2).sum(-1)


@program("n n", relies_on=("x.shape[1] == x.shape[0] is True",))
def assertion_that_says_nothing_new(x):
    assert x.dim() == 2 and x.shape[0] >= 0 and x.shape[-1] == x.shape[1]
    return x @ x


@program(
    "b t",
    "b t",
    relies_on=("x.shape[0] == y.shape[0] is True",),
)
def sizes_of_two_inputs(x, y):
    return x + y, fz.cat([x, y], 1), x.view(-1) * y.reshape(-1)


@program("b t")
def text_of_sizes(x):
    name = f"{tuple(x.shape)}"
    print(f"{name}: {x.shape[0]:3d} rows of {x.numel() / x.shape[0]:.1f} elements", end="")
    return x * len(x.shape)


@program("b t", relies_on=("x.shape[1] == 6 is True",))
def loop_over_a_size(x):
    total = x[:, 0]
    for i in range(1, x.shape[1]):
        total = total * 0.5 + x[:, i]
    return total


@program("b t", relies_on=("x.shape[0] == 2 is True",))
def iteration_over_a_tensor(x):
    return fz.stack([row * 2 for row in x])


@program("b t", relies_on=("x.shape[1] == 6 is True",))
def enumeration_of_a_split(x):
    return sum(i * part for i, part in enumerate(x.unbind(1)))


@program("b t", relies_on=("x.shape[0] == 2 is True",))
def list_times_size(x):
    return fz.stack([x[0]] * x.shape[0])


@program("b t", relies_on=("(x.shape[1] + 1)//2 < x.shape[1] is True",))
def chunks_of_a_dynamic_axis(x):
    return x.chunk(2, dim=1)[0]


@program("b t", relies_on=("(x.shape[1] + 3)//4 == 2 is True",))
def blocks_of_a_dynamic_axis(x):
    return [block.sum(1) for block in x.split(4, dim=1)]


@program("n", relies_on=("x.shape[0] == 5 is True",))
def size_as_a_key(x):
    table = {4: 1.0, 5: 2.0, 7: 3.0}
    return x * table[x.shape[0]]


@program("b t", relies_on=("x.shape[0] == 2 is True",))
def membership(x):
    return x * 2 if x.shape[0] in {2, 4, 8} else x


@program("b 2 h w")
def resizing_by_an_uneven_factor(x):
    return F.interpolate(x, scale_factor=0.3, mode="bilinear")


# --- more of what programs do --------------------------------------------------------------------------------------------------


@program("b t c")
def products_and_sums_of_shapes(x):
    count = functools.reduce(operator.mul, x.shape[1:])
    return x.view(-1, count) / sum(x.shape), x.reshape(math.prod(x.shape[:2]), -1), x.reshape(int(np.prod(x.shape[:0])), -1)


@program("b t c")
def numpy_product_of_a_shape(x):
    return x.reshape(x.shape[0], np.prod(x.shape[1:]))


@program("b t c", relies_on=("x.shape[2] > 0 is True",))
def pooling_over_the_whole_length(x):
    return F.max_pool1d(x, x.shape[2]).squeeze(2), F.avg_pool1d(x, x.size(2)), F.max_pool1d(x, kernel_size=x.size()[2:])


@program("b c h w", relies_on=("x.shape[2] > 0 is True", "x.shape[3] > 0 is True"))
def pooling_over_the_whole_image(x):
    return (
        F.avg_pool2d(x, x.size()[2:]).view(x.size(0), -1),
        F.max_pool2d(x, kernel_size=x.shape[-2:]),
        F.adaptive_max_pool2d(x, 1),
    )


@program("b c h w", relies_on=("x.shape[3] - x.shape[3]//2 > 0 is True", "x.shape[2] - x.shape[2]//2 > 0 is True"))
def pooling_to_a_grid(x):
    return F.adaptive_avg_pool2d(x, (3, 2)), F.adaptive_max_pool2d(x, 2), F.adaptive_avg_pool1d(x.flatten(2), 4)


@program(
    "b t",
    "b t",
    relies_on=(
        "x.shape[0] == y.shape[0] is True",
        "x.shape[1] == y.shape[1] is True",
    ),
)
def shapes_compared(x, y):
    if x.shape == y.shape:
        return x + y
    return x[:, :1] + y[:, :1]


@program("b t", relies_on=("x.shape[0]*x.shape[1] != 0 is True",))
def emptiness(x):
    return x if x.numel() == 0 else x * 2


@program(
    "n",
    relies_on=(
        "x.shape[0]//2 > 1 is True",
        "x.shape[0]//4 > 1 is False",
    ),
)
def halving(x):
    n = x.shape[0]
    while n > 1:
        x, n = x[: n // 2] + x[n - n // 2 :], n // 2
    return x


@program("b t c")
def shape_in_a_tensor(x):
    return fz.tensor(x.shape) * 2, fz.tensor([x.shape[0], 3]).float(), x.sum() * fz.tensor(float(1) / 2)


@program("b t", "i64 b")
def one_hot_of_a_size(x, i):
    n = x.shape[1]
    return F.one_hot(i.clamp(max=n - 1), n), (x * F.one_hot(i.clamp(max=n - 1), num_classes=n)).sum(1)


@program("b t 3", relies_on=("x.shape[2] == 3 is True",))
def scatter_by_sizes(x):
    t = x.shape[1]
    y = fz.zeros(x.shape[0], t + 1, 3)
    y[:, fz.arange(t)] = x
    y[:, -1] = x.shape[0]
    return y, fz.zeros(t, 3).index_add(0, fz.arange(t).flip(0), x[0])


@program("b t c")
def strided_convolution_and_reshape(x):
    y = F.conv1d(x.transpose(1, 2).reshape(-1, 1, x.shape[1]), fz.ones(2, 1, 3), stride=2, padding=1)
    return y.reshape(x.shape[0], x.shape[2], 2, -1).mean(2), y.flatten(1).unflatten(0, (x.shape[0], -1))


@program("b t 4")
def attention_windows(x):
    """Blocks of four positions, each attending to itself, the last one padded."""
    b, t, c = x.shape
    blocks = math.ceil(t / 4)
    y = F.pad(x, (0, 0, 0, blocks * 4 - t)).view(b * blocks, 4, c)
    y = F.softmax(y @ y.transpose(1, 2), -1) @ y
    return y.view(b, blocks * 4, c)[:, :t]


@program("b t 4", relies_on=("x.shape[2] == 4 is True",))
def shifted_windows(x):
    t = x.shape[1]
    y = F.pad(x, (0, 0, 0, (-t) % 2)).roll(-1, dims=1)
    y = y.reshape(x.shape[0], y.shape[1] // 2, 2, 4).flip(2).reshape(x.shape[0], -1, 4)
    return y.roll(1, dims=1)[:, :t]


@program(
    "b n 2",
    "b t 2",
    relies_on=(
        "x.shape[0] == y.shape[0] is True",
        "x.shape[2] == y.shape[2] is True",
    ),
)
def distances(x, y):
    return fz.cdist(x, y).argmin(-1), ((x[:, :, None] - y[:, None]) ** 2).sum(-1), fz.einsum("bnd,btd->bnt", x, y)


@program("b t c")
def sorted_by_length(x):
    order = x.sum((1, 2)).argsort(descending=True)
    back = fz.empty_like(order)
    back[order] = fz.arange(len(order))
    return x[order][back], fz.zeros(len(order)).scatter(0, order, 1.0)
