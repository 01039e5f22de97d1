"""Programs that generate: language models with and without caches, sampling, search, and solvers that choose their steps."""

from __future__ import annotations

import math

import frazil as fz
from frazil import nn
from frazil.nn import functional as F

from .programs import ints, numbers, program
from .programs_python import scalar

V, D = 11, 8
PROMPTS = [
    (ints(1, 2, 3), scalar(4)),
    (
        ints(
            5,
        ),
        scalar(1),
    ),
    (ints(2, 9, 4, 4, 1), scalar(6)),
    (ints(7, 3), scalar(0)),
]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(D, D) for _ in range(4))
        self.heads = 2

    def forward(self, x, cache):
        T = x.shape[0]
        q, k, v = (f(x).reshape(T, self.heads, -1).transpose(0, 1) for f in (self.q, self.k, self.v))
        if cache is not None:
            k = fz.cat([cache[0], k], 1)
            v = fz.cat([cache[1], v], 1)
        S = k.shape[1]
        mask = fz.ones(T, S, dtype=fz.bool).tril(S - T)
        a = (q @ k.transpose(1, 2)) * (k.shape[-1] ** -0.5)
        a = a.masked_fill(~mask, float("-inf")).softmax(-1)
        y = (a @ v).transpose(0, 1).reshape(T, D)
        return self.o(y), (k, v)


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, D)
        self.pos = nn.Embedding(64, D)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.out = nn.Linear(D, V)

    def step(self, tokens, start, caches):
        x = self.emb(tokens) * 3 + self.pos(fz.arange(tokens.shape[0]) + start)
        new = []
        for b, c in zip(self.blocks, caches, strict=True):
            y, c = b(x, c)
            x = x + y
            new.append(c)
        return self.out(x), new


@program(*PROMPTS)
class GreedyCache(LM):
    def forward(self, tokens, steps):
        logits, caches = self.step(tokens, 0, [None, None])
        out = tokens
        for _ in range(int(steps)):
            nxt = logits[-1:].argmax(-1)
            out = fz.cat([out, nxt])
            logits, caches = self.step(nxt, out.shape[0] - 1, caches)
        return out


@program(*PROMPTS)
class GreedyNoCache(LM):
    def forward(self, tokens, steps):
        for _ in range(int(steps)):
            logits, _c = self.step(tokens[-4:], 0, [None, None])
            tokens = fz.cat([tokens, logits[-1:].argmax(-1)])
        return tokens


@program(*PROMPTS)
class EarlyStop(LM):
    def forward(self, tokens, steps):
        logits, caches = self.step(tokens, 0, [None, None])
        n = tokens.shape[0]
        while tokens.shape[0] < n + int(steps):
            nxt = logits[-1].argmax()
            tokens = fz.cat([tokens, nxt.reshape(1)])
            if nxt == 3:
                break
            logits, caches = self.step(nxt.reshape(1), tokens.shape[0] - 1, caches)
        return tokens


@program(*PROMPTS)
class PromptLoop(LM):
    def forward(self, tokens, steps):
        k = v = fz.zeros(2, 0, D // 2)
        caches = [(k, v), (k, v)]
        logits = fz.zeros(1, V)
        for i in range(tokens.shape[0]):
            logits, caches = self.step(tokens[i : i + 1], i, caches)
        out = []
        pos = tokens.shape[0]
        nxt = logits[-1].argmax()
        for _ in range(int(steps) + 1):
            out.append(nxt)
            logits, caches = self.step(nxt.reshape(1), pos, caches)
            pos += 1
            nxt = logits[-1].argmax()
        return fz.stack(out)


@program(
    (ints(1, 2, 3), numbers(6), fz.tensor(1.0)),
    (
        ints(
            5,
        ),
        numbers(3),
        fz.tensor(0.5),
    ),
    (ints(2, 9, 4, 4, 1), numbers(1), fz.tensor(2.0)),
)
class TopKTemperature(LM):
    def forward(self, tokens, noise, temp):
        for i in range(noise.shape[0]):
            logits, _c = self.step(tokens, 0, [None, None])
            logits = logits[-1] / temp
            vals, _ = logits.topk(4)
            logits = fz.where(logits < vals[-1], float("-inf"), logits)
            p = logits.softmax(-1)
            u = noise[i].sigmoid()
            nxt = (p.cumsum(0) < u).sum()
            tokens = fz.cat([tokens, nxt.reshape(1)])
        return tokens


@program(
    (ints(1, 2, 3), numbers(6), fz.tensor(0.9)),
    (
        ints(
            5,
        ),
        numbers(3),
        fz.tensor(0.5),
    ),
    (ints(2, 9, 4, 4, 1), numbers(1), fz.tensor(0.99)),
)
class TopP(LM):
    def forward(self, tokens, noise, top_p):
        for i in range(noise.shape[0]):
            logits, _c = self.step(tokens, 0, [None, None])
            p, order = logits[-1].softmax(-1).sort(descending=True)
            before = p.cumsum(0) - p
            p = p.masked_fill(before > top_p, 0.0)
            p = p / p.sum()
            nxt = order[(p.cumsum(0) < noise[i].sigmoid()).sum()]
            tokens = fz.cat([tokens, nxt.reshape(1)])
        return tokens


def rope(x, cos, sin):
    a, b = x.chunk(2, -1)
    return fz.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("inv", 1.0 / (100 ** (fz.arange(0, D, 2).float() / D)))

    def forward(self, start, n):
        t = fz.arange(n).float() + start
        f = fz.outer(t, self.inv)
        return f.cos(), f.sin()


@program(*PROMPTS)
class RotaryLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, D)
        self.qkv = nn.Linear(D, 3 * D)
        self.out = nn.Linear(D, V)
        self.rot = Rotary()

    def step(self, tokens, start, k0, v0):
        x = self.emb(tokens) * 2
        q, k, v = self.qkv(x).chunk(3, -1)
        cos, sin = self.rot(start, tokens.shape[0])
        q, k = rope(q, cos, sin), rope(k, cos, sin)
        k, v = fz.cat([k0, k]), fz.cat([v0, v])
        T, S = q.shape[0], k.shape[0]
        a = (q @ k.T / math.sqrt(D)).masked_fill(fz.ones(T, S, dtype=fz.bool).triu(S - T + 1), -1e9)
        return self.out(a.softmax(-1) @ v + x), k, v

    def forward(self, tokens, steps):
        k = v = fz.zeros(0, D)
        logits, k, v = self.step(tokens, 0, k, v)
        out = tokens
        for _ in range(int(steps)):
            nxt = logits[-1:].argmax(-1)
            logits, k, v = self.step(nxt, out.shape[0], k, v)
            out = fz.cat([out, nxt])
        return out


@program(*PROMPTS)
class CharLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, D)
        self.cell = nn.LSTMCell(D, D)
        self.out = nn.Linear(D, V)

    def forward(self, tokens, steps):
        h, c = fz.zeros(1, D), fz.zeros(1, D)
        for t in tokens:
            h, c = self.cell(self.emb(t.reshape(1)), (h, c))
        out = []
        x = self.out(h).argmax(-1)
        for _ in range(int(steps) + 1):
            out.append(x)
            h, c = self.cell(self.emb(x), (h, c))
            x = self.out(h).argmax(-1)
        return fz.cat(out)


@program(*PROMPTS)
class LSTMHidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, D)
        self.rnn = nn.LSTM(D, D, batch_first=True)
        self.out = nn.Linear(D, V)

    def forward(self, tokens, steps):
        y, hidden = self.rnn(self.emb(tokens.unsqueeze(0)))
        out = tokens
        nxt = self.out(y[:, -1]).argmax(-1)
        for _ in range(int(steps)):
            out = fz.cat([out, nxt])
            y, hidden = self.rnn(self.emb(nxt.unsqueeze(0)), hidden)
            nxt = self.out(y[:, -1]).argmax(-1)
        return out


@program(*PROMPTS)
class BeamSearch(LM):
    def forward(self, tokens, steps, beams: int = 2):
        seqs = tokens.unsqueeze(0).expand(beams, -1)
        scores = fz.tensor([0.0, float("-inf")])
        for _ in range(int(steps)):
            rows = []
            for b in range(beams):
                logits, _c = self.step(seqs[b], 0, [None, None])
                rows.append(logits[-1].log_softmax(-1))
            total = scores.unsqueeze(1) + fz.stack(rows)
            scores, flat = total.flatten().topk(beams)
            seqs = fz.cat([seqs[flat // V], (flat % V).unsqueeze(1)], 1)
        return seqs, scores


@program(*PROMPTS)
class TinyGPT(LM):
    """Generation as it is written in many tutorials, in a method of its own."""

    def generate(self, idx, n, do_sample=False, top_k=None):
        for _ in range(n):
            idx_cond = idx if idx.size(0) <= 4 else idx[-4:]
            logits, _c = self.step(idx_cond, 0, [None, None])
            logits = logits[-1, :] / 1.0
            if top_k is not None:
                v, _ = fz.topk(logits, min(top_k, logits.size(-1)))
                logits[logits < v[-1]] = -float("Inf")
            probs = F.softmax(logits, dim=-1)
            if do_sample:
                nxt = fz.multinomial(probs, 1)
            else:
                _, nxt = fz.topk(probs, k=1, dim=-1)
            idx = fz.cat((idx, nxt), dim=0)
        return idx

    def forward(self, idx, n):
        return self.generate(idx, int(n), top_k=3)


@program((numbers(2, 3), scalar(3)), (numbers(4, 3), scalar(1)), (numbers(1, 3), scalar(0)))
class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.GRU(3, 4)
        self.dec = nn.GRUCell(4, 4)
        self.o = nn.Linear(4, 4)

    def forward(self, x, n):
        _, h = self.enc(x.unsqueeze(1))
        h = h[0]
        y = fz.zeros(1, 4)
        ys = []
        for _ in range(int(n)):
            h = self.dec(y, h)
            y = self.o(h)
            ys.append(y)
        if len(ys) == 0:
            return fz.zeros(0, 4)
        return fz.cat(ys)


@program(
    (fz.tensor(0.1), fz.tensor(1.0), fz.tensor(0.001)),
    (fz.tensor(0.5), fz.tensor(3.0), fz.tensor(0.1)),
    (fz.tensor(1.0), fz.tensor(0.5), fz.tensor(0.01)),
)
def adaptive_solver(h, end, tol):
    t = fz.zeros(())
    y = fz.ones(())
    rounds = 0
    while t < end and rounds < 200:
        rounds += 1
        h = fz.minimum(h, end - t)
        k1 = -y
        k2 = -(y + h * k1)
        err = (h * (k2 - k1) / 2).abs()
        if err < tol:
            t, y = t + h, y + h * (k1 + k2) / 2
            h = h * 1.5
        else:
            h = h * 0.5
    return y, rounds


@program((numbers(3, 4),), (numbers(1, 4),), (numbers(6, 4),))
class WithState(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 4)
        self.scale = 1.0

    def forward(self, x):
        h = x.new_zeros(4)
        for t in range(len(x)):
            h = F.relu(self.l(x[t] + h)) * self.scale
            if h.sum() > 3:
                h = h / h.norm()
        return h
