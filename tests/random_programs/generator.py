"""Random programs, as text: a Module whose `forward` is written statement by statement, each tried before the next is chosen.

A program is made from a seed and nothing else. Statements are templates over the variables that are there (name, shape, dtype, as
the example run gives them); what frazil itself refuses at the example is not taken. `xp` in the text is frazil or PyTorch.
"""

from __future__ import annotations

import linecache
import random
import textwrap
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import frazil as fz

from . import wide
from .templates import templates

#: Sizes of the example, and those to run the recording and the file at. Channels are fixed: weights have them.
EXAMPLE = {"b": 2, "t": 6}
OTHERS = ({"b": 3, "t": 5}, {"b": 5, "t": 9}, {"b": 1, "t": 4}, {"b": 4, "t": 1})
CHANNELS = 4

HEADER = """
class Model(xp.nn.Module):
    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        self.w = xp.nn.Parameter(xp.tensor(rng.uniform(-0.5, 0.5, (4, 4)).astype(dtype)))
        self.v = xp.nn.Parameter(xp.tensor(rng.uniform(-0.5, 0.5, (4,)).astype(dtype)))
        self.k = xp.nn.Parameter(xp.tensor(rng.uniform(-0.5, 0.5, (4, 4, 3)).astype(dtype)))
        self.register_buffer("mean", xp.tensor(rng.uniform(-0.5, 0.5, (4,)).astype(dtype)))
        self.register_buffer("count", xp.tensor(np.array(1.0, dtype)))

    def forward(self, x, y, ids):
"""


UNARY = templates(
    """
    {v}.tanh() | {v}.sigmoid() | xp.relu({v}) | {v}.abs() | xp.sin({v}) | xp.cos({v}) | -{v} | {v} * {v} |
    xp.sqrt({v}.abs() + 1) | xp.log1p({v}.abs()) | xp.exp({v}.clamp(-3, 1)) | xp.erf({v}) | F.gelu({v}) | F.silu({v}) |
    F.softplus({v}) | {v}.clamp(-1, 1) | {v}.clamp(min=0.25) | F.elu({v}) | F.leaky_relu({v}, 0.1) | 1 / ({v}.abs() + 1) |
    xp.expm1({v}.clamp(-2, 1)) | F.hardtanh({v}) | xp.atan({v}) | {v}.square() | {v}.pow(3).tanh() | F.logsigmoid({v}) |
    F.mish({v}) | {v}.detach() | {v}.clone()
    """
)
BINARY = templates(
    """
    {a} + {b} | {a} - {b} | {a} * {b} | {a} / ({b}.abs() + 1) | xp.maximum({a}, {b}) | xp.minimum({a}, {b}) |
    xp.where({a} > {n}, {a}, {b}) | xp.where({b} < {a}, {n}, {b}) | {a} + {n} * {b} | {a} * {n} - {b} |
    xp.atan2({a}, {b}.abs() + 1) | xp.lerp({a}, {b}, 0.3) | xp.hypot({a}, {b}) | xp.logaddexp({a}, {b}) | {n} - {a} |
    {a}.masked_fill({b} > 0, {n}) | xp.addcmul({a}, {a}, {b}, value=0.5) | {a} * ({b} > 0) | xp.fmod({a}, 2.0)
    """
)
SIZES = templates(
    """
    {v} * {n} | {v} / ({n} + 1) | {v} + xp.arange({k}, dtype={v}.dtype, device={v}.device).sum() |
    {v} * {n} ** -0.5 if {n} > 0 else {v} | {v}.sum() / {v}.numel() | xp.zeros({n}, 2, device={v}.device) + {v}.mean() |
    {v}.new_full(({n},), 0.5) * {v}.sum() | xp.arange({n}, device={v}.device).to({v}.dtype) |
    xp.ones({n}, {n}, device={v}.device).tril(-1).to({v}.dtype) | xp.eye({n}, device={v}.device).to({v}.dtype) * {v}.sum() |
    xp.linspace(0, 1, {n}, dtype={v}.dtype, device={v}.device) | {v} + len({w}) | {v} * float({n})
    """
)
#: `contiguous()` before `median`: PyTorch's reads what is not there in an expanded tensor.
REDUCTION = templates(
    """
    {v}.sum({d}) | {v}.mean({d}, keepdim=True) | {v}.amax({d}) | {v}.amin({d}, keepdim=True) | {v}.sum() | {v}.mean() |
    {v}.max() | {v}.var({d}, unbiased=False) | {v}.std({d}, correction=0, keepdim=True) + 1 | {v}.logsumexp({d}) |
    {v}.norm(dim={d}) | {v}.cumsum({d}) | {v}.max({d})[0] | {v}.min({d}, keepdim=True)[0] | {v}.tanh().prod({d}) |
    {v}.argmax({d}) | ({v} > 0).any({d}) | ({v} > -1).all({d}) | ({v} > 0).sum({d}) | {v}.argmin({d}, keepdim=True) |
    {v}.contiguous().median({d})[0] | {v}.tanh().cumprod({d}) | {v}.sum(({d},)) | F.normalize({v}, dim={d}) | {v}.abs().amax() |
    xp.logcumsumexp({v}, {d}) | {v}.mean(dim={d})
    """
)
INDEX = templates(
    """
    {v}[[0, -1]] | {v}[xp.tensor([0, 0, -1])] | {v}[ids[0]] | {v}.index_select({d}, ids[0]) | {v}[ids] |
    {v}.take_along_dim({v}.argmax({d}, keepdim=True), {d}) | {v}.gather({d}, {v}.argsort(dim={d}, stable=True)) |
    {v}.sort({d})[0] | {v}.topk(1, {d})[0] | {v}.index_add({d}, ids[0][:1], {v}.narrow({d}, 0, 1)) |
    F.one_hot(ids, 9).to({v}.dtype) | self.w[ids] | F.embedding(ids, self.w) | {v}.masked_fill({v} > 0.5, 0.25) |
    {v}.scatter_add({d}, {v}.argmin({d}, keepdim=True), {v}) | {v}.scatter({d}, {v}.argmin({d}, keepdim=True), 0.5) |
    {v}.repeat_interleave(2, {d}) | {v}.index_fill({d}, ids[0][:1], 0.5) | {v}[-1, ...] | {v}.take(ids)
    """
)
JOINING = templates(
    """
    xp.cat([{v}, {w}], {d}) | xp.stack([{v}, {w}], {d}) | xp.cat([{v}, {v} * 2, {w}], {d}) | F.pad({v}, (1, 1)) |
    F.pad({v}, (0, 2), value=0.5) | xp.cat([{v}[:1], {v}[1:]]) | {v}.repeat({ones}2) | xp.stack([{v}, {w}]).sum(0) |
    sum([{v}, {w}, {v}]) | xp.cat({v}.chunk(2, {d}), {d}) | F.pad({v}, (-1, 1)) | xp.hstack([{v}, {w}]) |
    xp.stack({v}.unbind(0), -1)
    """
)
STATE = templates(
    """
    self.count += 1 | self.mean.mul_(0.9).add_(y.detach().mean(0), alpha=0.1) | self.count.add_(x.detach().mean()) |
    self.mean.copy_(x.detach().amax((0, 1))) | self.mean[0] = 0.5
    """
)
#: Compared with numbers that no sum comes to but for rounding, which would decide then.
CONDITION = templates(
    """
    {v}.sum() > {n} | {v}.mean() < {v}.max() * {n} | {v}.abs().max() > 1.03 | ids.sum() % 2 == 0 | x.shape[1] > 4 |
    x.shape[0] > 1 and {v}.sum() < 0.013 | ({v} > 0.013).any() | not ({v} < {n}).all() | y.mean() > 0.013 or {v}.min() < -0.013 |
    int(ids.sum()) > 3
    """
)
UPDATE = templates(
    """
    {v} = {v} * 0.5 + {w} | {v} = xp.tanh({v} + {w}) | {v} = {v} - {w}.mean() | {v} = xp.where({w} > 0, {v}, -{v}) |
    {v} = {v} + {n} | {v} += {w} | {v} = {v}.clamp(-2, 2) | {v} = {v} * {w}.sigmoid()
    """
)
VIEW = templates(
    """
    {v}.transpose({d}, {e}) | {v}.permute({order}) | {v}.unsqueeze({d}) | {v}.reshape(-1) | {v}.flatten() | {v}[0] |
    {v}[-1] | {v}[1:] | {v}[:-1] | {v}[::2] | {v}[..., 0] | {v}[..., -1:] | {v}[None] | {v}.movedim({d}, {e}) |
    {v}.select({d}, -1) | {v}.narrow({d}, 0, 1) | {v}.reshape({v}.shape[0], -1) | {v}.contiguous().view(-1) |
    {v}.squeeze({d}) | {v}.expand_as({v}) | {v}.flip({d}) | {v}[..., :2] | {v}.chunk(2, {d})[0] | {v}.contiguous() |
    {v}.reshape(-1, {v}.shape[-1]) | {v}.unflatten(-1, (2, -1)) | {v}[{v}.shape[0] // 2:] | {v}.roll(1, {d}) |
    {v}.detach() | {v}.split(2, {d})[0] | {v}.swapaxes({d}, {e}) | {v}[..., 1::2] | {v}[:, None] | {v}.unbind({d})[0] |
    {v}.unfold({d}, 2, 1).clone() | {v}.tile(2) | {v}.ravel() | {v}.mT | {v}.flatten(0, 1) | {v}.expand(2, *{v}.shape)
    """
)
VIEW_2D = templates(
    """
    {v}.diagonal() | {v}.diagonal(dim1={d}, dim2={e}) | {v}[:, 0] | {v}[:, 1:] | {v}[1:, ::2] | {v}.tril() | {v}.triu(1) |
    {v}[:, -1:] | {v}.T
    """
)
LAYER = templates(
    """
    {v} @ self.w | F.linear({v}, self.w, self.v) | F.linear({v}, self.w) | F.layer_norm({v}, (4,), self.v) |
    F.layer_norm({v}, (4,)) | {v} @ self.v | {v} * self.v | F.softmax({v}, -1) | F.log_softmax({v}, -1) |
    F.rms_norm({v}, (4,)) | {v} + self.mean | {v} * self.count | F.glu({v}) | F.softmax({v}, 0)
    """
)
LAYER_3D = templates(
    """
    F.conv1d({v}.transpose(1, 2), self.k, self.v, padding=1) | F.max_pool1d({v}.transpose(1, 2), 2, ceil_mode=True) |
    F.avg_pool1d({v}.transpose(1, 2), 3, 1, 1) | {v} @ {v}.transpose(1, 2) | xp.bmm({v}, {v}.mT) |
    xp.einsum('btc,bsc->bts', {v}, {v}) | F.group_norm({v}.transpose(1, 2), 2) | xp.einsum('btc,cd->bdt', {v}, self.w) |
    F.scaled_dot_product_attention({v}, {v}, {v}) | F.scaled_dot_product_attention({v}, {v}, {v}, is_causal=True) |
    F.conv1d({v}.mT, self.k, stride=2, padding=2) | F.batch_norm({v}.mT, self.mean, self.v.detach().abs() + 1) |
    F.adaptive_avg_pool1d({v}.mT, 2) | F.interpolate({v}.mT, scale_factor=2) | F.instance_norm({v}.mT) |
    F.conv_transpose1d({v}.mT, self.k, stride=2)
    """
)
WRITE = templates(
    """
    {v}.add_({n}) | {v}.mul_({n}) | {v}.tanh_() | {v}.clamp_(-1, 1) | {v} += {n} | {v} *= 0.5 | {v}.zero_() |
    {v}.fill_({n}) | {v}.sigmoid_() | {v}[...] = {n} | {v}.masked_fill_({v} > 0, {n}) | {v}[{v} > 0] = {n} | {v}.relu_()
    """
)
WRITE_PARTS = templates(
    """
    {v}[0] = {n} | {v}[-1] = {v}[0] | {v}[1:] = {n} | {v}[..., 0] += 1 | {v}[::2] *= {n} | {v}[..., -1] = {v}[..., 0] * 2 |
    {v}[[0, -1]] = {n} | {v}[0].zero_() | {v}.transpose(0, -1)[0] = {n} | {v}.view_as({v}).mul_({n}) |
    {v}.unsqueeze(0).add_(1) | {v}.index_add_(0, ids[0][:1], {v}[:1].clone()) | {v}.select(-1, 0).fill_({n}) |
    {v}[..., 1:].tanh_() | {v}.flatten()[0] = {n} | {v}.detach().mul_(1) | {v}.index_fill_(0, ids[0][:1], {n})
    """
)


@dataclass
class Statement:
    """One line, or a header (`if`, `for`, `while`) with its body and, for `if`, the `else` branch."""

    text: str
    body: list[Statement] = field(default_factory=list)
    other: list[Statement] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield self.text
        for statement in self.body:
            yield from ("    " + line for line in statement.lines())
        if self.other:
            yield "else:"
            for statement in self.other:
                yield from ("    " + line for line in statement.lines())


@dataclass
class Program:
    """A module's text. `gradient`: what is asked for is not its results, but their gradients. `wide`: with the layers of
    `wide.py`."""

    seed: int
    statements: list[Statement]
    returned: list[str]
    gradient: bool = False
    wide: bool = False
    _classes: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def scripted(self) -> bool:
        """Whether control flow over tensors or sizes is in it."""
        return any(statement.body for statement in self.statements)

    @property
    def text(self) -> str:
        body = [line for statement in self.statements for line in statement.lines()]
        header = HEADER
        if self.wide:
            header = wide.MODULES + header.replace("\n    def forward", wide.LAYERS + "\n    def forward")
        return header + textwrap.indent("\n".join([*body, f"return {', '.join(self.returned)},"]), " " * 8) + "\n"

    def model(self, xp: Any, dtype: str = "float32") -> Any:
        """A new Module of this text, in frazil or PyTorch; scripted in frazil where it has control flow."""
        model = self.module(xp, dtype)().eval()
        if xp is not fz or not self.scripted:
            return model
        source = self.text
        linecache.cache[self._file] = (len(source), None, source.splitlines(True), self._file)  # where `script` reads it
        return fz.jit.script(model)

    @property
    def _file(self) -> str:
        """A name that no program of another text has."""
        return f"<random program {self.seed}, {zlib.crc32(self.text.encode()):08x}>"

    def module(self, xp: Any, dtype: str = "float32") -> Any:
        """The class, as it is written: not scripted."""
        key = xp.__name__, dtype
        if key not in self._classes:
            found: dict[str, Any] = {"xp": xp, "np": np, "F": xp.nn.functional, "dtype": dtype, "__name__": f"random_{self.seed}"}
            exec(compile(self.text, self._file, "exec"), found)
            self._classes[key] = found["Model"]
        return self._classes[key]


def arguments(sizes: dict[str, int], seed: int, dtype: str = "float32") -> list[np.ndarray]:
    """x [b, t, 4], y [b, 4], ids [b, t]: indices that are valid for every dimension."""
    rng = np.random.default_rng([seed, *sizes.values()])
    b, t = sizes["b"], sizes["t"]
    x, y = rng.uniform(-2, 2, (b, t, CHANNELS)), rng.uniform(-2, 2, (b, CHANNELS))
    return [x.astype(dtype), y.astype(dtype), rng.integers(0, min(b, t, CHANNELS), (b, t))]


@dataclass(frozen=True)
class Variable:
    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def floating(self) -> bool:
        return self.dtype.startswith("float")


class Grammar:
    """Chooses statements. A method named after a subject gives the text of an expression, or None where it finds no operand."""

    def __init__(self, seed: int, wide: bool = False) -> None:
        self.random = random.Random(seed)
        self.wide = wide
        self.count = 0
        self.variables: dict[str, Variable] = {}

    # --- operands --------------------------------------------------------------------------------

    def pick(self, holds: Callable[[Variable], bool] = lambda v: True) -> Variable | None:
        found = [v for v in self.variables.values() if holds(v)]
        if not found:
            return None
        recent = found[-4:]
        return self.random.choice(recent if self.random.random() < 0.6 else found)

    def floats(self, least: int = 0, most: int = 4) -> Variable | None:
        return self.pick(lambda v: v.floating and least <= v.ndim <= most)

    def like(self, v: Variable) -> Variable | None:
        """Another floating variable that broadcasts with `v`."""

        def fits(other: Variable) -> bool:
            pairs = zip(reversed(v.shape), reversed(other.shape), strict=False)
            return other.floating and other.ndim <= 4 and all(a == b or 1 in (a, b) for a, b in pairs)

        return self.pick(fits)

    def dim(self, v: Variable) -> int:
        return self.random.randrange(-v.ndim, v.ndim)

    def number(self) -> str:
        return self.random.choice(["0.5", "-1.5", "2", "1", "0.1", "3.0", "-1"])

    def threshold(self) -> str:
        return self.random.choice(["0.47", "-1.53", "2.03", "1.03", "0.13", "3.07", "-1.03"])

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    # --- expressions --------------------------------------------------------------------------------

    def unary(self) -> str | None:
        v = self.floats()
        return v and self.one(*UNARY).format(v=v.name)

    def binary(self) -> str | None:
        a = self.floats()
        b = a and self.like(a)
        return b and a and self.one(*BINARY).format(a=a.name, b=b.name, n=self.number())

    def size(self, v: Variable) -> str:
        d = self.random.randrange(v.ndim)
        return self.one("{v}.shape[{d}]", "{v}.size({d})", "({v}.shape[{d}] + 1)", "({v}.shape[{d}] // 2)").format(v=v.name, d=d)

    def sizes(self) -> str | None:
        """Sizes as numbers."""
        v = self.floats(1)
        w = v and self.pick(lambda w: w.ndim >= 1)
        return v and w and self.one(*SIZES).format(v=v.name, w=w.name, n=self.size(w), k=f"{w.name}.shape[0]")

    def reduction(self) -> str | None:
        v = self.floats(1)
        if v is None:
            return None
        d = self.dim(v)
        return self.one(*REDUCTION).format(v=v.name, d=d)

    def view(self) -> str | None:
        v = self.pick(lambda v: 1 <= v.ndim <= 4)
        if v is None:
            return None
        d, e = self.dim(v), self.dim(v)
        order = list(range(v.ndim))
        self.random.shuffle(order)
        choices = [*VIEW]
        if v.ndim >= 2:
            choices += VIEW_2D
        return self.random.choice(choices).format(v=v.name, d=d, e=e, order=", ".join(map(str, order)))

    def index(self) -> str | None:
        v = self.floats(1)
        if v is None:
            return None
        return self.one(*INDEX).format(v=v.name, d=self.dim(v))

    def joining(self) -> str | None:
        v = self.floats(1)
        if v is None:
            return None
        same = self.pick(lambda w: w.shape == v.shape and w.dtype == v.dtype) or v
        return self.one(*JOINING).format(v=v.name, w=same.name, d=self.dim(v), ones="1, " * (v.ndim - 1))

    def layer(self) -> str | None:
        wide = self.pick(lambda v: v.floating and v.ndim >= 1 and v.shape[-1] == CHANNELS)
        if wide is None:
            return None
        choices = [*LAYER]
        if wide.ndim == 3:
            choices += LAYER_3D
        return self.random.choice(choices).format(v=wide.name)

    def write(self) -> str | None:
        """A statement that writes in place."""
        v = self.pick(lambda v: v.floating and v.name not in ("x", "y"))
        if v is None:
            return None
        choices = [*WRITE]
        if v.ndim >= 1:
            choices += WRITE_PARTS
            if self.wide and self.random.random() < 0.5:
                return self.one(*wide.WRITE).format(v=v.name, d=self.dim(v))
        other = self.pick(lambda w: w.shape == v.shape and w.dtype == v.dtype and w.name != v.name)
        if other is not None:
            choices += ["{v}.add_({w})", "{v}.copy_({w})", "{v}.mul_({w})", "{v} += {w}", "{v}[...] = {w} * 2"]
        return self.random.choice(choices).format(v=v.name, n=self.number(), w=other.name if other else "")

    def state(self) -> str:
        return self.one(*STATE, *(wide.STATE if self.wide else ())).format(n=self.number())

    def of_two(self, choices: Sequence[str]) -> str | None:
        """An expression over a variable and another one of its shape."""
        v = self.floats(1)
        if v is None:
            return None
        w = self.pick(lambda w: w.shape == v.shape and w.dtype == v.dtype) or v
        return self.one(*choices).format(v=v.name, w=w.name, d=self.dim(v))

    def wide_layer(self) -> str | None:
        """A layer that only wide programs have."""
        ndim = self.one(2, 3, 3)
        v = self.pick(lambda v: v.floating and v.ndim == ndim and v.shape[-1] == CHANNELS)
        return v and self.one(*(wide.LAYER_3D if ndim == 3 and self.random.random() < 0.8 else wide.LAYER)).format(v=v.name)

    def condition(self) -> str | None:
        v = self.floats()
        return v and self.one(*CONDITION).format(v=v.name, n=self.threshold())

    # --- statements --------------------------------------------------------------------------------

    SUBJECTS = (
        ("unary", 4),
        ("binary", 4),
        ("reduction", 4),
        ("view", 6),
        ("index", 3),
        ("joining", 2),
        ("layer", 4),
        ("sizes", 2),
        ("write", 5),
        ("state", 1),
    )

    #: What only wide programs have beside that: templates, and how often one is taken.
    WIDE = (
        (wide.FEWER_DIGITS, 2),
        (wide.COMPLEX, 3),
        (wide.CHOOSING, 4),
        (wide.SCATTERED, 3),
        (wide.MANY, 2),
        (wide.ALONG, 3),
        (wide.LOSSES, 2),
    )

    def line(self, *, writes: bool = True) -> Statement | None:
        subjects = [(name, weight) for name, weight in self.SUBJECTS if writes or name not in ("write", "state")]
        if self.wide:
            subjects += [("wide_layer", 6), ("of_two", 12)]
        subject = self.random.choices([name for name, _ in subjects], [weight for _, weight in subjects])[0]
        if subject == "of_two":
            (choices,) = self.random.choices([choices for choices, _ in self.WIDE], [weight for _, weight in self.WIDE])
            text = self.of_two(choices)
        else:
            text = getattr(self, subject)()
        if text is None or subject in ("write", "state"):
            return Statement(text) if text else None
        self.count += 1
        return Statement(f"v{self.count} = {text}")

    def update(self) -> Statement | None:
        """A new value of a variable that keeps its shape and dtype: what a branch or a loop may do."""
        v = self.pick(lambda v: v.floating and v.name not in ("x", "y"))
        if v is None:
            return None
        if self.random.random() < 0.3:
            text = self.write()
            return Statement(text) if text else None
        w = self.like(v) or v
        smaller = (
            w
            if all(a == b or b == 1 for a, b in zip(reversed(v.shape), reversed(w.shape), strict=False)) and w.ndim <= v.ndim
            else v
        )
        return Statement(self.one(*UPDATE).format(v=v.name, w=smaller.name, n=self.number()))

    def block(self, writer: Writer) -> Statement | None:
        """Control flow over what is there: its body gives new values to variables that were there before."""
        v = self.floats(1)
        if v is None:
            return None
        kind = self.one("if", "if", "else", "range", "rows", "while", "list", "break")
        if kind in ("if", "else"):
            condition = self.condition()
            body = writer.body(self, 3)
            other = writer.body(self, 2) if kind == "else" else []
            return Statement(f"if {condition}:", body, other) if condition and body else None
        self.count += 1
        i, acc = f"i{self.count}", self.update()
        if acc is None:
            return None
        if kind == "while":
            body = writer.body(self, 2, f"{i} = 0")
            condition = self.condition() or "True"
            lines = [*body, Statement(f"{i} = {i} + 1")]
            whole = Statement(f"while {i} < 3 and ({condition}):", lines)
            return Statement("if True:", [Statement(f"{i} = 0"), whole]) if body else None
        start = self.one("", "1, ", "")
        header = f"for {i} in range({start}{v.name}.shape[0]):"
        before = f"{i} = {v.name}.shape[0] - 1"
        if kind == "rows":
            header, before = f"for {i} in {v.name}:", f"{i} = {v.name}[0]"
        value = i if kind == "rows" else f"{v.name}[{i}]"
        if kind == "list":
            scale = self.number()
            self.count += 1
            outs = f"v{self.count}"
            lines = [Statement(f"l{self.count}.append({value} * {scale} + {value}.mean())")]
            loop = Statement(header, lines)
            return Statement("if True:", [Statement(f"l{self.count} = []"), loop, Statement(f"{outs} = xp.stack(l{self.count})")])
        body = writer.body(self, 2, before)
        target = self.pick(lambda w: w.floating and w.name not in ("x", "y", v.name))
        if target is not None:
            body.append(Statement(f"{target.name} = {target.name} + {value}.sum() * 0.1"))
            if v.name not in ("x", "y") and kind != "rows" and self.random.random() < 0.3:
                body.append(Statement(f"{v.name}[{i}] = {v.name}[{i}] * 0.5 + {self.number()}"))
            if kind == "break":
                body.append(Statement(f"if {target.name}.sum() > {self.threshold()}:", [Statement("break")]))
        return Statement(header, body) if body else None


class Writer:
    """Builds a program: takes a statement only if the program still runs at the example's sizes and its numbers stay small."""

    #: What would make rounding errors large, or runs long.
    LARGEST, ELEMENTS, DIMS = 1e3, 4000, 5

    def __init__(self, seed: int, gradient: bool, control: bool, wide: bool) -> None:
        self.grammar = Grammar(seed, wide)
        self.program = Program(seed, [], ["x"], gradient, wide)
        self.control = control
        self.hidden: set[str] = set()
        self.look()

    def look(self, *pending: Statement) -> bool:
        """Run the statements so far and learn the variables; whether all went well."""
        tried = Program(self.program.seed, [*self.program.statements, *pending], ["locals()"], wide=self.program.wide)
        try:
            # What is under construction is run flat, as Python.
            model = tried.module(fz)().eval()
            (found,) = model(*map(fz.tensor, arguments(EXAMPLE, tried.seed)))
        except Exception:
            return False
        tensors = {name: value for name, value in found.items() if isinstance(value, fz.Tensor)}
        for value in tensors.values():
            array = value.detach().numpy()
            if (
                value.ndim > self.DIMS
                or array.size > self.ELEMENTS
                or (array.dtype.kind == "f" and not np.all(np.abs(array) < self.LARGEST))
            ):
                return False
        self.grammar.variables = {
            name: Variable(name, tuple(value.shape), str(value.dtype).removeprefix("frazil."))
            for name, value in tensors.items()
            if name not in self.hidden
        }
        return True

    def body(self, grammar: Grammar, most: int, *before: str) -> list[Statement]:
        """Statements of a branch or a loop; `before` stands for what its header gives."""
        start = [Statement(text) for text in before]
        taken: list[Statement] = []
        names = set(grammar.variables)
        for _ in range(grammar.random.randint(1, most) * 2):
            local = grammar.random.random() < 0.3
            new = grammar.line(writes=False) if local else grammar.update()
            if new is not None and self.look(*start, *taken, new):
                taken.append(new)
            if len(taken) >= most:
                break
        self.look()
        grammar.variables = {name: v for name, v in grammar.variables.items() if name in names}
        return taken

    def write(self, length: int) -> Program:
        grammar = self.grammar
        for _ in range(length * 3):
            new = grammar.block(self) if self.control and grammar.random.random() < 0.2 else grammar.line()
            if new is None:
                continue
            before = set(grammar.variables)
            if not self.look(new):
                self.look()
                continue
            self.program.statements.append(new)
            if new.body:  # what only a branch or a round defines is nobody's to read
                known = before | {line.text.partition(" = ")[0] for line in new.body if new.text == "if True:"}
                self.hidden |= grammar.variables.keys() - known
                self.look()
            if len(self.program.statements) >= length:
                break
        names = [name for name in grammar.variables if name not in ("x", "y", "ids")]
        last = names[-1:]
        self.program.returned = list(dict.fromkeys([*last, *grammar.random.sample(names, min(2, len(names)))])) or ["x * 1"]
        return self.program


def generate(seed: int, *, gradient: bool = False, control: bool | None = None, wide: bool = False) -> Program:
    """The program of a seed, always the same."""
    rng = random.Random(seed)
    control = rng.random() < 0.4 if control is None else control
    return Writer(seed, gradient, control, wide).write(rng.randint(3, 14))
