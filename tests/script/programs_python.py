"""All of ordinary Python around tensors: loops with `else`, closures, comprehensions, `match`, containers, numbers of tensors."""

from __future__ import annotations

import math

import frazil as fz
from frazil import nn
from frazil.nn import functional as F

from .programs import floats, ints, numbers, program


def scalar(n: int) -> fz.Tensor:
    return fz.tensor(n)


VEC = [(floats(1, 2, 3),), (floats(-1, 4),), (floats(0.5),), (floats(9, -3, 2, 2, -7),)]


@program(*VEC)
def for_else(x):
    for v in x:
        if v < 0:
            r = v
            break
    else:
        r = x.sum()
    return r


@program(*VEC)
def while_true_break(x):
    i = 0
    s = fz.zeros(())
    while True:
        s = s + x.abs().sum() + 1
        i += 1
        if s > 20:
            break
    return s, i


@program(*VEC)
def while_else(x):
    n = 0
    while n < 5:
        if x.sum() > n + 3:
            break
        n += 1
    else:
        n = 100
    return n


@program(*VEC)
def nested_fn(x):
    scale = x.max()

    def f(v):
        if v > 0:
            return v * scale
        return -v

    out = []
    for v in x:
        out.append(f(v))
    return fz.stack(out)


@program(*VEC)
def nonlocal_fn(x):
    total = fz.zeros(())

    def add(v):
        nonlocal total
        total = total + v

    for v in x:
        if v > 0:
            add(v)
    return total


@program(*VEC)
def zip_enumerate(x):
    s = fz.zeros(())
    for i, (a, b) in enumerate(zip(x, x.flip(0), strict=True)):
        s = s + i * a - b
    return s


@program(*VEC)
def rev(x):
    h = fz.zeros(())
    for v in reversed(x):
        h = h * 0.5 + v
    return h


@program(*VEC)
def range_step(x):
    n = x.shape[0]
    s = fz.zeros(())
    for i in range(n - 1, -1, -2):
        s = s * 2 + x[i]
    return s


@program(*VEC)
def range_ab(x):
    s = fz.zeros(())
    for i in range(1, x.shape[0]):
        s = s + x[i] * x[i - 1]
    return s


@program(*VEC)
def unpack_loop(x):
    pairs = fz.stack([x, x * 2], 1)
    s = fz.zeros(())
    for a, b in pairs:
        s = s + a * b
    return s


@program(*VEC)
def subscript_aug(x):
    y = x.clone()
    for i in range(y.shape[0]):
        y[i] += i
        if y[i] > 3:
            y[i] *= 0.5
    return y


@program(*VEC)
def compr(x):
    return fz.stack([v * v for v in x])


@program(*VEC)
def compr2(x):
    n = x.shape[0]
    return fz.stack([x[i] * i for i in range(n)])


@program(*VEC)
def dict_carried(x):
    state = {"h": fz.zeros(()), "n": 0}
    for v in x:
        state["h"] = state["h"] * 0.5 + v
        state["n"] += 1
    return state["h"], state["n"]


@program(*VEC)
def dict_if(x):
    d = {"a": x.sum(), "b": x.max()}
    if x[0] > 0:
        d["a"] = d["a"] * 2
    else:
        d["b"] = d["b"] - 1
    return d["a"] + d["b"]


@program((numbers(3, 2),), (numbers(4, 3),), (numbers(1, 1),), (numbers(2, 2) + 5,))
def nested_return(x):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > 0.5:
                return x[i, j] * 10, i, j
    return x.sum(), -1, -1


@program((numbers(3, 2),), (numbers(4, 3),), (numbers(1, 1),), (numbers(2, 2) + 5,))
def nested_break(x):
    c = 0
    for row in x:
        for v in row:
            if v < 0:
                continue
            if v > 1:
                break
            c += 1
    return c


@program(*VEC)
def try_finally(x):
    try:
        if x.sum() > 0:
            y = x * 2
        else:
            y = x
    finally:
        z = 1
    return y + z


@program(*VEC)
def with_nograd(x):
    with fz.no_grad():
        h = fz.zeros(())
        for v in x:
            if v > 0:
                h = h + v
    return h


@program(*VEC)
def walrus(x):
    if (m := x.max()) > 3:
        return m
    s = 0.0
    while (d := x.sum() * 0 + s) < 3:
        s = s + 1.0
    return d + m


@program(*VEC)
def chained(x):
    a = x[0]
    if (0 < a <= 1 and x.shape[0] > 1) or a > 5:
        return x * 2
    if not (a > 0) or x.shape[0] == 1:
        return x - 1
    return x


@program(*VEC)
def mixed_bool(x):
    flag = x.shape[0] > 2
    train = False
    y = x
    if flag and x.sum() > 0:
        y = y + 1
    if train or x.max() > 3:
        y = y * 3
    if not train and not flag:
        y = -y
    k = x.sum() > 0 and flag
    return y, fz.where(fz.tensor(1) > 0, y, y) if k else y * 0


@program(*VEC)
def condexpr(x):
    n = x.shape[0]
    a = 1.0 if n > 2 else 2.0
    b = x.max() if x.sum() > 0 else x.min() if n > 1 else x[0] * 100
    return a * b


@program(*VEC)
def match_stmt(x, mode=2):
    n = int((x > 0).sum())
    match n:
        case 0:
            y = x * 0
        case 1 | 2:
            y = x * 1
        case _:
            y = x * 3
    return y


@program(*VEC)
def match_py(x):
    kind = ("scale", 3)
    match kind:
        case ("scale", k):
            return x * k
        case _:
            return x


@program(*VEC)
def fstring_assert(x):
    n = x.shape[0]
    assert n > 0, f"need a row, given {n}"
    label = f"{n}!"
    return x + (1 if label else 2)


@program(*VEC)
def default_args(x):
    def f(v, k=2, *, off=1.0):
        return v * k + off

    s = fz.zeros(())
    for v in x:
        if v > 0:
            s = s + f(v)
        else:
            s = s + f(v, 3, off=x.min())
    return s


@program(*VEC)
def star_args(x):
    def f(*vs, **kw):
        t = kw["base"]
        for v in vs:
            t = t + v
        return t

    return f(x[0], x.sum(), base=x.max())


@program(*VEC)
def tuple_swap(x):
    a, b = fz.zeros(()), fz.ones(())
    for v in x:
        a, b = b, a + v
    return a, b


@program(*VEC)
def list_index(x):
    outs = []
    for v in x:
        outs.append(v * 2)
        if len(outs) > 1:
            outs[-1] = outs[-1] + outs[-2] if False else outs[-1]
    return outs[0] + outs[-1], len(outs)


@program(*VEC)
def list_extend(x):
    outs = [x[0]]
    for v in x:
        if v > 0:
            outs.append(v)
            outs.append(v + 1)
    return fz.stack(outs)


@program(*VEC)
def list_pop(x):
    stack = []
    for v in x:
        stack.append(v)
    return fz.stack(stack[::-1])


@program(*VEC)
def filter_list(x):
    keep = []
    for i, v in enumerate(x):
        if v > 0:
            keep.append(i)
    return len(keep)


@program((scalar(10),), (scalar(1),), (scalar(7),), (scalar(0),))
def fib(n):
    a, b = 0, 1
    for _ in range(int(n)):
        a, b = b, a + b
    return a


@program((scalar(12), scalar(18)), (scalar(7), scalar(5)), (scalar(4), scalar(0)))
def gcd(a, b):
    while b != 0:
        a, b = b, a % b
    return a


@program((scalar(12),), (scalar(7),), (scalar(1),))
def digits(n):
    c, k = 0, int(n)
    while k > 0:
        k //= 2
        c += 1
    return c


@program(*VEC)
def lambda_in(x):
    f = lambda v: v * 2 if v > 0 else v
    return fz.stack([f(v) for v in x])


@program(*VEC)
def mapped(x):
    def g(v):
        return v.abs() if v < 0 else v * 3

    return fz.stack(list(map(g, x)))


@program(*VEC)
def sum_gen(x):
    return sum(v * v for v in x)


@program(*VEC)
def any_all(x):
    if any(v > 3 for v in x):
        return x * 2
    if all(v < 1 for v in x):
        return x * 3
    return x


@program(*VEC)
def maxmin(x):
    m = max(x[0], x[-1], x.mean())
    n = min(x[0], 1.0)
    return m, n


@program(*VEC)
def accumulate_sizes(x):
    k = 0
    for v in x:
        if v > 0:
            k += 1
    return x[:k], fz.arange(k), fz.zeros(k, 2)


@program(*VEC)
def while_shrink(x):
    while x.shape[0] > 1:
        h = x.shape[0] // 2
        x = x[:h] + x[x.shape[0] - h :]
    return x


@program(*VEC)
def grow_cat(x):
    y = x[:1]
    for v in x:
        if v > 0:
            y = fz.cat([y, v.reshape(1)])
    return y


@program(*VEC)
def pass_del(x):
    t = x * 2
    if x.sum() > 0:
        pass
    else:
        t = t + 1
    u = t
    del t
    return u


@program(*VEC)
def optional_py(x, mask=None):
    if mask is not None:
        x = x * mask
    for _ in range(3):
        if x.sum() > 10:
            x = x / 2
    return x


@program(*VEC)
def int_ops(x):
    n = int(x.argmax())
    k = int((x > 0).sum())
    return x[n], x[n : n + 1], n * k, x[max(k - 1, 0)], k // 2, k % 3, -k, abs(n - k)


@program(*VEC)
def float_ops(x):
    s = float(x.sum())
    t = s * 2 if s > 0 else -s
    return x * t


@program(*VEC)
def is_empty_list(x):
    outs = []
    for v in x:
        if v > 100:
            outs.append(v)
    if len(outs) == 0:
        return x.sum()
    return fz.stack(outs).sum()


@program(*VEC)
def carry_tuple(x):
    state = (fz.zeros(2), fz.ones(2))
    for v in x:
        h, c = state
        state = (h * 0.5 + v, c + h)
    return state[0], state[1]


@program(*VEC)
def carry_list(x):
    hs = [fz.zeros(()) for _ in range(2)]
    for v in x:
        for k in range(2):
            hs[k] = hs[k] * 0.5 + v * (k + 1)
    return hs[0], hs[1]


@program(*VEC)
def loop_var_after(x):
    for i, v in enumerate(x):
        y = v * i
    return v, i, y


@program((numbers(3, 4),), (numbers(2, 2),), (numbers(5, 1),))
def bubble(x):
    y = x.clone()
    for i in range(y.shape[0] - 1):
        a, b = y[i].clone(), y[i + 1].clone()
        if a.sum() > b.sum():
            y[i] = b
            y[i + 1] = a
    return y


@program((numbers(3, 4),), (numbers(2, 2),), (numbers(5, 1),))
def argm(x):
    best = x[0]
    bi = 0
    for i in range(1, x.shape[0]):
        if x[i].sum() > best.sum():
            best, bi = x[i], i
    return best, bi


@program((numbers(4, 3),), (numbers(1, 2),), (numbers(6, 5),))
def cum_rows(x):
    out = fz.zeros_like(x)
    acc = fz.zeros(x.shape[1])
    for t in range(x.shape[0]):
        acc = acc * 0.9 + x[t]
        out[t] = acc
    return out


@program((numbers(4, 3),), (numbers(1, 2),), (numbers(6, 5),))
def pairs_dist(x):
    n = x.shape[0]
    d = fz.zeros(n, n)
    for i in range(n):
        for j in range(i + 1, n):
            d[i, j] = ((x[i] - x[j]) ** 2).sum()
            d[j, i] = d[i, j]
    return d


@program((numbers(4, 3),), (numbers(1, 2),), (numbers(6, 5),))
def window_mean(x):
    outs = []
    for i in range(x.shape[0]):
        lo = max(0, i - 1)
        hi = min(x.shape[0], i + 2)
        outs.append(x[lo:hi].mean(0))
    return fz.stack(outs)


@program((numbers(4, 3),), (numbers(1, 2),), (numbers(6, 5),))
def chunks2(x):
    outs = []
    for s in range(0, x.shape[0], 2):
        outs.append(x[s : s + 2].sum())
    return fz.stack(outs)


@program(*VEC)
def listcomp_if(x):
    kept = [v * 2 for v in x if v > 0]
    return len(kept)


@program(*VEC)
def listcomp_if2(x):
    kept = [v * 2 for v in x if v > 0 if v < 4] + [x[0]]
    return fz.stack(kept)


@program(*VEC)
def gen_max(x):
    return max(v * v for v in x), min([v - 1 for v in x])


@program(*VEC)
def match_guard(x):
    n = x.shape[0]
    k = int(x.sum())
    match k:
        case 6 if n > 2:
            return x * 2
        case 3 | 5:
            return x * 3
        case m if m > 10:
            return x * m
        case _:
            return x


@program(*VEC)
def gen_py(x):
    s = sum(k * 2 for k in range(3))
    if any(k > 1 for k in range(3)) and not all(isinstance(v, int) for v in [1, 2.0]):
        x = x * s
    return x


@program(*VEC)
def any_list(x):
    parts = [x.sum(), x.max(), x.min()]
    if any(p > 5 for p in parts):
        return x
    if all(p < 4 for p in parts):
        return x * 2
    return x * 3


@program(*VEC)
def filtered_py(x):
    parts = [x.sum(), x.max(), x.min()]
    good = [p for p in parts if p > 0]
    return len(good)


@program(*VEC)
def dict_comp(x):
    d = {k: x * k for k in range(3)}
    s = fz.zeros(())
    for k, v in d.items():
        if v.sum() > 0:
            s = s + k * v.sum()
    return s


@program(*VEC)
def set_str(x):
    kinds = {"a", "b"}
    if "a" in kinds and x.sum() > 0:
        return x + 1
    return x


# --- algorithms


@program((numbers(3, 2),), (numbers(4, 2),), (numbers(1, 2),))
class SubmoduleLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])

    def pick(self, h, k):
        if h.mean() > 0:
            return self.layers[k](h)
        return h

    def forward(self, x):
        for k in range(len(self.layers)):
            x = self.pick(x, k)
            if x.abs().max() > 10:
                return x
        return x


@program(*VEC)
def recursion_py(x):
    def f(v, k):
        if k == 0:
            return v
        return f(v * 2, k - 1)

    return f(x, 3)


@program(*VEC)
def closure_counter(x):
    count = 0

    def bump():
        nonlocal count
        count += 1

    for v in x:
        if v > 0:
            bump()
    return count


@program(*VEC)
def triple_nested(x):
    c = 0
    for i in range(x.shape[0]):
        j = 0
        while j < i:
            if x[j] > x[i]:
                c += 1
                if c > 3:
                    return c * 10
            j += 1
    return c


@program(*VEC)
def sieve(x):
    n = x.shape[0] + 10
    mark = fz.ones(n, dtype=fz.bool)
    mark[:2] = False
    i = 2
    while i * i < n:
        if mark[i]:
            j = i * i
            while j < n:
                mark[j] = False
                j += i
        i += 1
    return mark.sum()


@program(*VEC)
def binary_search(x):
    s = x.sort()[0]
    lo, hi = 0, s.shape[0]
    while lo < hi:
        mid = (lo + hi) // 2
        if s[mid] < 1.0:
            lo = mid + 1
        else:
            hi = mid
    return lo


@program(*VEC)
def selection_sort(x):
    y = x.clone()
    n = y.shape[0]
    for i in range(n):
        k = int(y[i:].argmin()) + i
        t = y[i].clone()
        y[i] = y[k]
        y[k] = t
    return y


@program(*VEC)
def two_pointers(x):
    i, j = 0, x.shape[0] - 1
    s = fz.zeros(())
    while i <= j:
        s = s + x[i] * x[j]
        i, j = i + 1, j - 1
    return s


@program((numbers(4, 3), numbers(5, 3)), (numbers(1, 2), numbers(1, 2)), (numbers(3, 4), numbers(2, 4)))
def dtw(a, b):
    n, m = a.shape[0], b.shape[0]
    d = fz.full((n + 1, m + 1), float("inf"))
    d[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            c = ((a[i - 1] - b[j - 1]) ** 2).sum()
            d[i, j] = c + fz.minimum(fz.minimum(d[i - 1, j], d[i, j - 1]), d[i - 1, j - 1])
    return d[n, m]


@program((numbers(4, 3),), (numbers(1, 2),), (numbers(6, 5),))
def viterbi(e):
    n, k = e.shape
    t = fz.eye(k) * 0.5
    score = e[0]
    back = []
    for i in range(1, n):
        total = score.unsqueeze(1) + t
        best, idx = total.max(0)
        back.append(idx)
        score = best + e[i]
    path = [score.argmax()]
    for idx in reversed(back):
        path.append(idx[path[-1]])
    return fz.stack(path[::-1])


@program((numbers(6, 2),), (numbers(3, 2),), (numbers(9, 2),))
def kmeans(x):
    c = x[:2]
    for _ in range(10):
        d = ((x.unsqueeze(1) - c.unsqueeze(0)) ** 2).sum(-1)
        a = d.argmin(1)
        new = []
        for k in range(2):
            sel = a == k
            if sel.sum() > 0:
                new.append(x[sel].mean(0))
            else:
                new.append(c[k])
        n = fz.stack(new)
        if (n - c).abs().max() < 1e-4:
            break
        c = n
    return c


@program((numbers(6, 4),), (numbers(3, 4),), (numbers(9, 4),))
def nms(b):
    scores = b.sum(1)
    order = scores.argsort(descending=True)
    keep = []
    alive = fz.ones(b.shape[0], dtype=fz.bool)
    for i in order:
        if alive[i]:
            keep.append(i)
            alive = alive & ((b - b[i]).abs().sum(1) > 2)
    return fz.stack(keep)


@program((numbers(6, 4),), (numbers(3, 4),), (numbers(9, 4),))
def masked_len(b):
    sel = b[b[:, 0] > -10]
    n = sel.shape[0]
    w = 1.0 / n
    out = fz.zeros(n, 2)
    for i in range(n):
        out[i, 0] = sel[i].sum() * w
        if i > 0:
            out[i, 1] = out[i - 1, 0]
    return out, n


@program((numbers(5), scalar(2)), (numbers(3), scalar(3)), (numbers(7), scalar(1)))
def data_sizes(x, k):
    n = int(k)
    a = x[:n]
    b = x[n:]
    c = x.reshape(1, -1).expand(n, -1)
    d = fz.cat([a, b]).roll(n)
    e = fz.arange(n).repeat(2)
    f = x.narrow(0, 0, n)
    g, h = x.split([n, x.shape[0] - n])
    m = fz.eye(n)
    t = fz.ones(n, n + 1).tril(n - 1)
    return a, b, c, d, e, f, g, h, m, t, x[-n:], F.pad(x, (n, 0)), x.unsqueeze(0).repeat(n, 1).reshape(-1, n)


@program((numbers(5),), (numbers(3),), (numbers(7),))
def early_none(x):
    best = x[0]
    found = False
    for v in x:
        if v > best and not found:
            best = v
            found = True
    return best, found


def power(x, k: int):
    """Calls itself as often as a Python number says."""
    return x if k == 0 else power(x * 1.5, k - 1)


@program(*VEC)
def recursion_of_a_global(x):
    return power(x, 3) if x.sum() > 0 else power(x, 1)


# --- numbers of data as sizes

XK = [
    (numbers(5), scalar(2)),
    (numbers(3), scalar(0)),
    (numbers(7), scalar(-2)),
    (numbers(4), scalar(9)),
    (numbers(4), scalar(-9)),
]


@program(*XK)
def slices_by_int(x, k):
    n = int(k)
    return x[n:], x[:n], x[-n:], x[:-n], x[n : n + 2], x[1:n]


@program(*XK)
def slices_by_item(x, k):
    n = k.item()
    return x[n:], x[:n], x[max(n, 0) :][:2]


@program(*XK)
def slices_by_tensors(x, k):
    return x[k:], x[:k], x[-k:]


@program((numbers(4, 6), scalar(2), scalar(3)), (numbers(2, 3), scalar(1), scalar(0)), (numbers(5, 5), scalar(-1), scalar(4)))
def slices_in_two_dimensions(x, a, b):
    a, b = int(a), int(b)
    return x[:, :b], x[a:, 1:b], x[..., b:], x[a], x[:, a], x[None, a:b], x[a, :b], x[[0, 1]][:, b:]


@program((numbers(12), scalar(3)), (numbers(12), scalar(4)), (numbers(12), scalar(1)))
def shapes_of_data(x, k):
    n = int(k)
    return (
        x[: n * 2].reshape(n, 2),
        x.reshape(1, -1).repeat(n, 1),
        x[:n].unsqueeze(1).expand(-1, n),
        fz.full((n,), 2.0),
        x.new_zeros(n, n),
    )


@program((numbers(5),), (numbers(3),), (numbers(7),))
def masks(x):
    m = x > 0
    s = x[m]
    n = s.shape[0]
    return s, fz.arange(n), fz.zeros(n, 2), x[n:], x[:n], fz.cat([s, fz.ones(n)]), s.reshape(1, n), n, s * n


@program((numbers(5),), (numbers(3),), (numbers(7),))
def nonzero_rows(x):
    idx = (x > 0).nonzero()
    n = len(idx)
    out = fz.zeros(x.shape[0])
    for i in range(n):
        out[idx[i, 0]] = i + 1
    return out, n


@program((numbers(5),), (numbers(3),), (numbers(7),))
def while_mask(x):
    y = x
    rounds = 0
    while (y > 0.3).any() and rounds < 5:
        y = y[y < y.max()]
        rounds += 1
    return y, rounds


@program(
    (ints(3, 1, 2),),
    (
        ints(
            1,
        ),
    ),
    (ints(0, 2, 2, 1),),
)
def ragged(lens):
    outs = []
    total = 0
    for n in lens:
        outs.append(fz.arange(5)[:3] * n)
        total += int(n)
    return fz.stack(outs), fz.zeros(total)


@program(
    (ints(3, 1, 2),),
    (
        ints(
            1,
        ),
    ),
    (ints(0, 2, 2, 1),),
)
def lens_mask(lens):
    m = int(lens.max())
    mask = fz.arange(m).unsqueeze(0) < lens.unsqueeze(1)
    return mask, mask.float() / max(m, 1)


@program(
    (numbers(5, 3), ints(5, 3, 1)),
    (numbers(4, 2), ints(4, 1)),
    (
        numbers(3, 1),
        ints(
            2,
        ),
    ),
)
def packed(x, lens):
    out = fz.zeros_like(x)
    for b in range(lens.shape[0]):
        n = int(lens[b])
        out[:n, b] = x[:n, b].cumsum(0)
    return out


@program((numbers(6),), (numbers(3),), (numbers(9),))
def pad_to(x):
    n = x.shape[0]
    target = (n + 3) // 4 * 4
    y = F.pad(x, (0, target - n))
    return y.reshape(-1, 4).sum(1)


@program((numbers(6),), (numbers(3),), (numbers(9),))
def pow2(x):
    k = 1
    while k < x.shape[0]:
        k *= 2
    return F.pad(x, (0, k - x.shape[0])), k


@program((numbers(6),), (numbers(3),), (numbers(9),))
def math_fns(x):
    n = x.shape[0]
    return (
        x * math.sqrt(n)
        + math.floor(n / 2)
        + math.ceil(n / 2)
        + round(n / 2)
        + abs(n - 4)
        + int(n / 2)
        + n**2
        + (n % 3)
        + divmod(n, 2)[1]
        + min(n, 4)
        + max(n, 4)
    )


@program((numbers(6),), (numbers(3),), (numbers(9),))
def bool_returns(x):
    a = x.sum() > 0
    b = x.shape[0] > 4
    c = bool(a) and b
    d = not a
    return fz.where(fz.tensor(True), x, x) * (1.0 if c else 2.0) + (3.0 if d else 0.0) + int(b) + float(a)


@program((numbers(6),), (numbers(3),), (numbers(9),))
def in_tests(x):
    n = x.shape[0]
    k = int((x > 0).sum())
    if n in (3, 6):
        x = x * 2
    if k in [1, 2]:
        x = x + 1
    if k not in (0, n):
        x = x - 3
    return x


@program((numbers(6),), (numbers(3),), (numbers(9),))
def is_none_default(x, y=None, *, scale=None):
    y = x if y is None else y
    scale = scale or 2.0
    return y * scale


@program((numbers(6),), (numbers(3),), (numbers(9),))
def reversed_range(x):
    s = fz.zeros(())
    for i in reversed(range(x.shape[0])):
        s = s * 0.5 + x[i]
    for i, v in reversed(list(enumerate(x))):
        s = s + v * i
    return s


@program((numbers(6),), (numbers(3),), (numbers(9),))
def enumerate_start(x):
    s = fz.zeros(())
    for i, v in enumerate(x, 1):
        s = s + v / i
    for i, v in enumerate(x[1:], start=2):
        s = s + v * i
    return s


@program((numbers(6), numbers(6)), (numbers(3), numbers(5)), (numbers(9), numbers(2)))
def zip_unequal(x, y):
    s = fz.zeros(())
    for a, b in zip(x, y, strict=False):
        s = s + a * b
    return s


@program((numbers(6),), (numbers(3),), (numbers(9),))
def zip_range(x):
    s = fz.zeros(())
    for i, a, b in zip(range(x.shape[0]), x, x[1:], strict=False):
        s = s + a * b * i
    return s


@program((numbers(6),), (numbers(3),), (numbers(9),))
def nested_lists(x):
    rows = []
    for v in x:
        row = []
        for k in range(3):
            row.append(v * k)
        rows.append(fz.stack(row))
    return fz.stack(rows)


@program((numbers(6),), (numbers(3),), (numbers(9),))
def nested_lists2(x):
    rows = []
    for i in range(x.shape[0]):
        row = []
        for j in range(x.shape[0]):
            row.append(x[i] * x[j])
        rows.append(fz.stack(row))
    return fz.stack(rows)


@program((numbers(6),), (numbers(3),), (numbers(9),))
def nested_comp(x):
    return fz.stack([fz.stack([a * b for b in x]) for a in x])


@program((numbers(6),), (numbers(3),), (numbers(9),))
def two_lists(x):
    a, b = [], []
    for v in x:
        if v > 0:
            a.append(v)
        else:
            b.append(-v)
    na, nb = len(a), len(b)
    return na, nb


@program((numbers(6),), (numbers(3),), (numbers(9),))
def list_of_tuples(x):
    out = []
    for i, v in enumerate(x):
        out.append((i, v * 2))
    s = fz.zeros(())
    for i, v in out:
        s = s + i * v
    return s


@program((numbers(6),), (numbers(3),), (numbers(9),))
def stack_pop(x):
    st = [x[0]]
    for v in x:
        if v > st[-1]:
            st.append(v)
        elif len(st) > 1:
            st.pop()
    return st[-1], len(st)


@program((numbers(6),), (numbers(3),), (numbers(9),))
def assign_multi(x):
    a = b = x.sum()
    if a > 0:
        a, b = b + 1, a - 1
    (c, d), e = (a, b), a * b
    [f, g] = [c, d]
    h, *rest = x[0], x[1], x[2]
    return a + b + c + d + e + f + g + h + rest[0] + rest[-1]


@program((numbers(6),), (numbers(3),), (numbers(9),))
def while_flag(x):
    done = False
    i = 0
    while not done:
        i += 1
        if i >= x.shape[0] or x[i] > 1:
            done = True
    return i


@program((numbers(6),), (numbers(3),), (numbers(9),))
def for_return_else(x):
    for i in range(x.shape[0]):
        if x[i] > 1.0:
            break
    else:
        return fz.zeros(2)
    return fz.stack([x[i], x[i] * 2])


@program((numbers(6),), (numbers(3),), (numbers(9),))
def try_value(x):
    try:
        y = x.reshape(-1, 3)
    except ValueError:
        y = x.reshape(1, -1)
    return y.sum(0)


@program((numbers(6),), (numbers(3),), (numbers(9),))
class AttrState(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("acc", fz.zeros(()))
        self.names = {"a": 1}

    def forward(self, x):
        acc = self.acc.clone()
        for v in x:
            acc += v
            if acc > 1:
                acc = acc * 0.5
        return acc + self.names["a"]


class Cell:
    def __init__(self, k):
        self.k = k

    def __call__(self, v):
        return v * self.k if v > 0 else v


@program((numbers(6),), (numbers(3),), (numbers(9),))
def objects(x):
    c = Cell(3)
    s = fz.zeros(())
    for v in x:
        s = s + c(v)
    return s


@program((numbers(6),), (numbers(3),), (numbers(9),))
def isinstance_checks(x):
    n = x.shape[0]
    assert isinstance(n, int) and isinstance(x, fz.Tensor)
    k = int(x.argmax())
    assert isinstance(k, int)
    return x * n + k


@program((numbers(6),), (numbers(3),), (numbers(9),))
def complex_while(x):
    lo, hi = fz.tensor(-10.0), fz.tensor(10.0)
    rounds = 0
    while hi - lo > 1e-2 and rounds < 100:
        mid = (lo + hi) / 2
        if (x - mid).sum() > 0:
            lo = mid
        else:
            hi = mid
        rounds += 1
    return (lo + hi) / 2
