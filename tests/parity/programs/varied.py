"""Programs of other kinds: recurrences, actors, tables, series, fields."""

import copy
import math
from functools import partial

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor, einsum
from torch.autograd import Function
from torch.distributions import Normal
from torch.func import functional_call, hessian, jacrev, stack_module_state, vmap
from torch.func import grad as func_grad
from torch.optim.lr_scheduler import CyclicLR, MultiStepLR


def rwkv(start):
    """Time mixing with a running maximum, next to retention in its parallel form."""

    class TimeMix(nn.Module):
        def __init__(self, n_embd, layer_id, n_layer):
            super().__init__()
            with torch.no_grad():
                decay_speed = torch.ones(n_embd)
                for h in range(n_embd):
                    decay_speed[h] = -5 + 8 * (h / (n_embd - 1)) ** (0.7 + 1.3 * layer_id / (n_layer - 1))
                self.time_decay = nn.Parameter(decay_speed)
                zigzag = torch.tensor([(i + 1) % 3 - 1 for i in range(n_embd)]) * 0.5
                self.time_first = nn.Parameter(torch.ones(n_embd) * math.log(0.3) + zigzag)
                x = torch.ones(1, 1, n_embd)
                for i in range(n_embd):
                    x[0, 0, i] = i / n_embd
                self.time_mix = nn.Parameter(torch.pow(x, 1.0 - layer_id / n_layer))
            self.time_shift = nn.ZeroPad2d((0, 0, 1, -1))
            self.key, self.value, self.receptance, self.output = (nn.Linear(n_embd, n_embd, bias=False) for _ in range(4))

        def forward(self, x):
            B, T, C = x.size()
            x = torch.lerp(self.time_shift(x), x, self.time_mix)
            k, v, r = self.key(x), self.value(x), torch.sigmoid(self.receptance(x))
            w, u = -torch.exp(self.time_decay), self.time_first
            aa = bb = torch.zeros(B, C, device=x.device)
            pp = torch.full((B, C), -1e38, device=x.device)
            out = []
            for kk, vv in zip(k.unbind(1), v.unbind(1)):
                p = torch.maximum(pp, u + kk)
                e1, e2 = torch.exp(pp - p), torch.exp(u + kk - p)
                out.append((e1 * aa + e2 * vv) / (e1 * bb + e2))
                p = torch.maximum(pp + w, kk)
                e1, e2 = torch.exp(pp + w - p), torch.exp(kk - p)
                aa, bb, pp = e1 * aa + e2 * vv, e1 * bb + e2, p
            return self.output(r * torch.stack(out, dim=1))

    class Retention(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads, self.hd = heads, dim // heads
            self.gammas = (1 - torch.exp(torch.linspace(math.log(1 / 32), math.log(1 / 512), heads))).detach().cpu().tolist()
            self.qkv, self.proj = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim, bias=False)
            self.norm = nn.GroupNorm(heads, dim)

        def forward(self, x):
            B, T, C = x.shape
            q, k, v = self.qkv(x).view(B, T, 3, self.heads, self.hd).permute(2, 0, 3, 1, 4).unbind(0)
            n, m = torch.arange(T, device=x.device)[:, None], torch.arange(T, device=x.device)[None]
            decay = torch.stack([(g ** (n - m)) * (n >= m).float() for g in self.gammas])
            y = ((q @ k.mT) * decay[None] @ v).transpose(1, 2).reshape(B * T, C)
            return self.proj(self.norm(y).reshape(B, T, C))

    class Block(nn.Module):
        def __init__(self, i):
            super().__init__()
            self.ln1, self.ln2, self.att, self.ret = nn.LayerNorm(8), nn.LayerNorm(8), TimeMix(8, i, 2), Retention(8, 2)

        def forward(self, x):
            x = x + self.att(self.ln1(x))
            return x + self.ret(self.ln2(x))

    model = start(nn.Sequential(nn.Embedding(20, 8), Block(0), Block(1), nn.LayerNorm(8), nn.Linear(8, 20, bias=False)))
    params = dict(model.named_parameters())
    slow = {name for name in params if "time" in name}
    groups = [
        {"params": [params[name] for name in sorted(slow)], "weight_decay": 0.0, "my_lr_scale": 2.0},
        {"params": [p for name, p in params.items() if name not in slow], "weight_decay": 0.01, "my_lr_scale": 1.0},
    ]
    optimizer = torch.optim.Adam(groups, lr=3e-3, betas=(0.9, 0.99), eps=1e-4)
    x = torch.tensor(np.random.default_rng(0).integers(0, 20, (3, 8)))

    def step(i):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * group["my_lr_scale"] * (1 - i / 40)
        loss = F.cross_entropy(model(x[:, :-1]).transpose(1, 2), x[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x[:, :-1],)


def linear_attention(start):
    """Random features of a softmax kernel, a projection of the length, and biases by buckets of distance."""

    def softmax_kernel(data, *, projection_matrix, is_query, eps=1e-4):
        b, h, *_ = data.shape
        normalizer, ratio = data.shape[-1] ** -0.25, projection_matrix.shape[0] ** -0.5
        projection = projection_matrix.expand(b, h, *projection_matrix.shape).type_as(data)
        data_dash = torch.einsum("...id,...jd->...ij", (normalizer * data), projection)
        diag_data = ((data**2).sum(dim=-1) / 2.0 * normalizer**2).unsqueeze(dim=-1)
        dims = -1 if is_query else (-1, -2)
        return ratio * (torch.exp(data_dash - diag_data - torch.amax(data_dash, dim=dims, keepdim=True).detach()) + eps)

    def bucket(relative_position, num_buckets=8, max_distance=20):
        ret, n = 0, -relative_position
        num_buckets //= 2
        ret += (n < 0).long() * num_buckets
        n, max_exact = torch.abs(n), num_buckets // 2
        large = torch.log(n.float() / max_exact) / math.log(max_distance / max_exact) * (num_buckets - max_exact)
        large = torch.min(max_exact + large.long(), torch.full_like(n, num_buckets - 1))
        return ret + torch.where(n < max_exact, n, large)

    class Attention(nn.Module):
        def __init__(self, dim=16, heads=2, n=10, k=4, features=12):
            super().__init__()
            self.heads = heads
            self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.proj_k = nn.Parameter(torch.empty(n, k).uniform_(-0.5, 0.5))
            self.bias = nn.Embedding(8, heads)
            self.talk = nn.Parameter(torch.randn(heads, heads))
            q, r = torch.linalg.qr(torch.randn(features, dim // heads), mode="reduced")
            self.register_buffer("projection_matrix", q * torch.diag(r).sign())

        def forward(self, x):
            b, n, d, h = *x.shape, self.heads
            q, k, v = map(lambda t: t.reshape(b, n, h, -1).transpose(1, 2), self.qkv(x).chunk(3, dim=-1))
            kernel = partial(softmax_kernel, projection_matrix=self.projection_matrix)
            q_, k_ = kernel(q, is_query=True), kernel(k, is_query=False)
            scale = 1.0 / torch.einsum("...nd,...d->...n", q_, k_.sum(dim=-2).type_as(q_))
            fast = torch.einsum("...de,...nd,...n->...ne", torch.einsum("...nd,...ne->...de", k_, v), q_, scale)
            short = einsum("bhnd,nk->bhkd", k, self.proj_k[:n]), einsum("bhnd,nk->bhkd", v, self.proj_k[:n])
            low = torch.matmul((q @ short[0].transpose(-1, -2)).softmax(dim=-1), short[1])
            i = torch.arange(n, dtype=torch.long, device=x.device)
            dots = q @ k.transpose(-1, -2) * 0.35 + self.bias(bucket(i[None, :] - i[:, None])).permute(2, 0, 1)[None]
            dots = einsum("b h i j, h k -> b k i j", dots, self.talk).contiguous()
            dots.masked_fill_(torch.ones(n, n, dtype=torch.bool, device=x.device).triu_(1), -torch.finfo(dots.dtype).max)
            y = fast + low + dots.softmax(dim=-1, dtype=torch.float32) @ v
            return self.out(y.transpose(1, 2).flatten(2))

    model = start(Attention())
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
    rng = np.random.default_rng(1)
    x, y = (torch.tensor(rng.standard_normal((3, 10, 16)).astype(np.float32)) for _ in range(2))

    def step(i):
        loss = F.huber_loss(model(x), y, delta=0.7)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def soft_actor_critic(start):
    """A squashed Gaussian actor, two critics, and a temperature that is learned."""

    class Actor(nn.Module):
        def __init__(self, low, high):
            super().__init__()
            self.fc, self.fc_mean, self.fc_logstd = (
                nn.Linear(3, 16),
                nn.Linear(16, np.prod(low.shape)),
                nn.Linear(16, np.prod(low.shape)),
            )
            self.register_buffer("action_scale", torch.tensor((high - low) / 2.0, dtype=torch.float32))
            self.register_buffer("action_bias", torch.tensor((high + low) / 2.0, dtype=torch.float32))

        def forward(self, x):
            x = F.relu(self.fc(x))
            log_std = torch.tanh(self.fc_logstd(x))
            return self.fc_mean(x), -5 + 0.5 * (2 + 5) * (log_std + 1)

        def get_action(self, x, noise):
            mean, log_std = self(x)
            normal = Normal(mean, log_std.exp())
            x_t = mean + log_std.exp() * noise
            y_t = torch.tanh(x_t)
            log_prob = normal.log_prob(x_t)
            log_prob -= torch.log(self.action_scale * (1 - y_t.pow(2)) + 1e-6)
            return y_t * self.action_scale + self.action_bias, log_prob.sum(1, keepdim=True)

    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))

        def forward(self, x, a):
            return self.net(torch.cat([x, a], 1))

    rng = np.random.default_rng(2)
    actor = start(Actor(np.full((1,), -2, np.float32), np.full((1,), 2, np.float32)))
    critics = start(nn.ModuleList([Critic(), Critic()]))
    targets = copy.deepcopy(critics).requires_grad_(False)
    q_optimizer = torch.optim.Adam(list(critics.parameters()), lr=1e-3)
    actor_optimizer = torch.optim.Adam(list(actor.parameters()), lr=3e-4)
    target_entropy = -torch.prod(torch.Tensor((1,))).item()
    log_alpha = torch.zeros(1, requires_grad=True)
    a_optimizer = torch.optim.Adam([log_alpha], lr=1e-2)
    draw = lambda *shape: torch.as_tensor(rng.standard_normal(shape).astype(np.float32)).to(log_alpha.device)

    def step(i):
        state, action, after, reward, noise = draw(16, 3), draw(16, 1), draw(16, 3), draw(16, 1), draw(16, 1)
        alpha = log_alpha.exp().item()
        with torch.no_grad():
            next_action, next_log_pi = actor.get_action(after, noise)
            low = torch.min(*(q(after, next_action) for q in targets)) - alpha * next_log_pi
            wanted = reward.flatten() + 0.99 * low.view(-1)
        loss = sum(F.mse_loss(q(state, action).view(-1), wanted) for q in critics)
        q_optimizer.zero_grad()
        loss.backward()
        q_optimizer.step()
        pi, log_pi = actor.get_action(state, noise.flip(0))
        actor_loss = ((alpha * log_pi) - torch.min(*(q(state, pi) for q in critics))).mean()
        actor_optimizer.zero_grad()
        actor_loss.backward()
        actor_optimizer.step()
        alpha_loss = (-log_alpha.exp() * (log_pi.detach() + target_entropy)).mean()
        a_optimizer.zero_grad()
        alpha_loss.backward()
        a_optimizer.step()
        for param, target in zip(critics.parameters(), targets.parameters()):
            target.data.copy_(0.05 * param.data + (1 - 0.05) * target.data)
        return loss.item() + actor_loss.item() + alpha_loss.item()

    return step, actor, (torch.zeros(2, 3),)


def categorical_dqn(start):
    """Distributions of returns, projected back onto their atoms; weights with noise."""

    class NoisyLinear(nn.Module):
        def __init__(self, in_f, out_f, std_init=0.5):
            super().__init__()
            self.weight_mu, self.weight_sigma = (nn.Parameter(torch.empty(out_f, in_f)) for _ in range(2))
            self.register_buffer("weight_epsilon", torch.empty(out_f, in_f))
            r = 1 / math.sqrt(in_f)
            self.weight_mu.data.uniform_(-r, r)
            self.weight_sigma.data.fill_(std_init * r)
            self.weight_epsilon.zero_()

        def reset_noise(self, i, o):
            i, o = (x.sign().mul_(x.abs().sqrt_()) for x in (i, o))
            self.weight_epsilon.copy_(o.ger(i))

        def forward(self, input):
            if self.training:
                return F.linear(input, self.weight_mu + self.weight_sigma * self.weight_epsilon)
            return F.linear(input, self.weight_mu)

    class C51(nn.Module):
        def __init__(self, n_actions=3, n_atoms=11):
            super().__init__()
            self.n, self.n_atoms = n_actions, n_atoms
            self.register_buffer("atoms", torch.linspace(-10, 10, steps=n_atoms))
            self.body, self.v, self.a = nn.Linear(3, 8), NoisyLinear(8, n_atoms), NoisyLinear(8, n_actions * n_atoms)

        def forward(self, x):
            x = F.relu(self.body(x))
            v, a = self.v(x).view(-1, 1, self.n_atoms), self.a(x).view(-1, self.n, self.n_atoms)
            return F.softmax(v + a - a.mean(1, keepdim=True), dim=2)

        def get_action(self, x, action=None):
            pmfs = self(x)
            if action is None:
                action = torch.argmax((pmfs * self.atoms).sum(2), 1)
            return action, pmfs[torch.arange(len(x)), action]

    net = start(C51())
    target = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, eps=0.01 / 32)
    rng = np.random.default_rng(3)
    device = net.atoms.device
    draw = lambda *shape: torch.tensor(rng.standard_normal(shape), dtype=torch.float, device=device)

    def step(i):
        for layer, width in ((net.v, 11), (net.a, 33)):
            layer.reset_noise(draw(8), draw(width))
        state, after, reward = draw(16, 3), draw(16, 3), draw(16, 1)
        action = torch.tensor(rng.integers(0, 3, 16), device=device)
        with torch.no_grad():
            _, next_pmfs = target.get_action(after)
            b = ((reward + 0.9 * target.atoms).clamp(-10, 10) + 10) / (target.atoms[1] - target.atoms[0])
            l, u = b.floor().clamp(0, 10), b.ceil().clamp(0, 10)
            lower, upper = (u + (l == u).float() - b) * next_pmfs, (b - l) * next_pmfs
            wanted = torch.zeros_like(next_pmfs)
            for k in range(wanted.size(0)):
                wanted[k].index_add_(0, l[k].long(), lower[k])
                wanted[k].index_add_(0, u[k].long(), upper[k])
        _, old = net.get_action(state, action)
        loss = (-(wanted * old.clamp(min=1e-5, max=1 - 1e-5).log()).sum(-1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i % 5 == 0:
            target.load_state_dict(net.state_dict())
        return loss

    return step, net, (torch.zeros(2, 3),)


def n_beats(start):
    """Blocks that explain a series by trends and seasons, and pass on what is left."""

    def seasonality_model(thetas, t, device):
        p = thetas.size()[-1]
        p1, p2 = (p // 2, p // 2) if p % 2 == 0 else (p // 2, p // 2 + 1)
        s1 = torch.tensor(np.array([np.cos(2 * np.pi * i * t) for i in range(p1)])).float()
        s2 = torch.tensor(np.array([np.sin(2 * np.pi * i * t) for i in range(p2)])).float()
        return thetas.mm(torch.cat([s1, s2]).to(device))

    def trend_model(thetas, t, device):
        return thetas.mm(torch.tensor(np.array([t**i for i in range(thetas.size()[-1])])).float().to(device))

    class Block(nn.Module):
        def __init__(self, model, units=12, theta=4):
            super().__init__()
            self.model = model
            self.fc = nn.Sequential(nn.Linear(10, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU())
            self.theta_b, self.theta_f = nn.Linear(units, theta, bias=False), nn.Linear(units, theta, bias=False)

        def forward(self, x):
            x = self.fc(x)
            back, fore = np.arange(10) / 10, np.arange(4) / 4
            return self.model(self.theta_b(x), back, x.device), self.model(self.theta_f(x), fore, x.device)

    class NBeats(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = []
            for i, model in enumerate((trend_model, seasonality_model)):
                self.add_module("block_%d" % i, Block(model))
                self.blocks.append(getattr(self, f"block_{i}"))

        def forward(self, backcast):
            forecast = torch.zeros(size=(backcast.size()[0], 4)).to(backcast.device)
            for block in self.blocks:
                b, f = block(backcast)
                backcast, forecast = backcast - b, forecast + f
            return backcast, forecast

    model = start(NBeats())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = MultiStepLR(optimizer, [5, 10], 0.5)
    series = torch.tensor(np.sin(np.arange(14) / 3 + np.arange(8)[:, None]), dtype=torch.float32)

    def step(i):
        left, forecast = model(series[:, :10])
        loss = F.smooth_l1_loss(forecast, series[:, 10:]) + 0.1 * left.pow(2).mean().sqrt()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    return step, model, (series[:, :10],)


def tabnet(start):
    """Steps that look at some columns, chosen by a sparsemax with a gradient of its own; statistics of parts of a batch."""

    class Sparsemax(Function):
        @staticmethod
        def forward(ctx, input, dim=-1):
            ctx.dim = dim
            max_val, _ = input.max(dim=dim, keepdim=True)
            input = input - max_val
            srt, _ = torch.sort(input, descending=True, dim=dim)
            total = srt.cumsum(dim) - 1
            rhos = torch.arange(1, input.size(dim) + 1, device=input.device, dtype=input.dtype)
            size = (rhos * srt > total).sum(dim=dim).unsqueeze(dim)
            tau = total.gather(dim, size - 1)
            tau /= size.to(input.dtype)
            output = torch.clamp(input - tau, min=0)
            ctx.save_for_backward(size, output)
            return output

        @staticmethod
        def backward(ctx, grad_output):
            size, output = ctx.saved_tensors
            grad_input = grad_output.clone()
            grad_input[output == 0] = 0
            v_hat = grad_input.sum(dim=ctx.dim) / size.to(output.dtype).squeeze()
            return torch.where(output != 0, grad_input - v_hat.unsqueeze(ctx.dim), grad_input), None

    class GhostNorm(nn.Module):
        def __init__(self, d, virtual=4):
            super().__init__()
            self.virtual, self.bn = virtual, nn.BatchNorm1d(d, momentum=0.01)

        def forward(self, x):
            if not self.training:
                return self.bn(x)
            return torch.cat([self.bn(part) for part in x.chunk(int(np.ceil(x.shape[0] / self.virtual)), 0)], dim=0)

    class TabNet(nn.Module):
        def __init__(self, d=6, n_d=4, steps=2):
            super().__init__()
            self.n_d, self.initial_bn = n_d, nn.BatchNorm1d(d, momentum=0.01)
            feature = lambda: nn.Sequential(nn.Linear(d, 4 * n_d, bias=False), GhostNorm(4 * n_d), nn.GLU())
            self.features = nn.ModuleList([feature() for _ in range(steps + 1)])
            self.attentions = nn.ModuleList([nn.Sequential(nn.Linear(n_d, d, bias=False), GhostNorm(d)) for _ in range(steps)])
            self.out = nn.Linear(n_d, 2, bias=False)

        def forward(self, x):
            x = self.initial_bn(x)
            prior, M_loss, out = torch.ones(x.shape).to(x.device), 0, 0
            att = self.features[0](x)[:, self.n_d :]
            for attention, feature in zip(self.attentions, self.features[1:]):
                M = Sparsemax.apply(torch.mul(attention(att), prior), -1)
                M_loss += torch.mean(torch.sum(torch.mul(M, torch.log(M + 1e-15)), dim=1))
                prior = torch.mul(1.3 - M, prior)
                h = feature(torch.mul(M, x))
                out = out + F.relu(h[:, : self.n_d])
                att = h[:, self.n_d :]
            return self.out(out), M_loss / len(self.attentions)

    model = start(TabNet())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, eps=1e-5)
    rng = np.random.default_rng(5)
    x, y = torch.tensor(rng.standard_normal((10, 6)).astype("f4")), torch.tensor(rng.integers(0, 2, 10))

    def step(i):
        out, M_loss = model(x)
        loss = F.cross_entropy(out, y) - 1e-3 * M_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def click_model(start):
    """Bags of rows of tables, products of all pairs of them, next to a factorisation machine."""

    class Clicks(nn.Module):
        def __init__(self, sizes=(6, 5, 4), m=4):
            super().__init__()
            self.emb_l = nn.ModuleList()
            for n in sizes:
                bag = nn.EmbeddingBag(n, m, mode="sum", sparse=True)
                W = np.random.default_rng(n).uniform(low=-np.sqrt(1 / n), high=np.sqrt(1 / n), size=(n, m)).astype(np.float32)
                bag.weight.data = torch.tensor(W, requires_grad=True)
                self.emb_l.append(bag)
            self.bot, self.top = nn.Sequential(nn.Linear(3, m), nn.ReLU()), nn.Linear(m + 6, 1)
            self.offsets = np.array((0, *np.cumsum(sizes)[:-1]), dtype=np.int64)
            self.factors, self.bias = nn.Embedding(sum(sizes), m), nn.Parameter(torch.zeros((1,)))

        def forward(self, dense_x, offsets, indices):
            x = self.bot(dense_x)
            ly = [bag(indices[k], offsets[k]) for k, bag in enumerate(self.emb_l)]
            (b, d) = x.shape
            T = torch.cat([x] + ly, dim=1).view((b, -1, d))
            Z = torch.bmm(T, torch.transpose(T, 1, 2))
            _, ni, nj = Z.shape
            li = torch.tensor([i for i in range(ni) for j in range(i)])
            lj = torch.tensor([j for i in range(nj) for j in range(i)])
            first = indices[:, offsets[0]].t()
            e = self.factors(first + first.new_tensor(self.offsets).unsqueeze(0))
            pairs = 0.5 * torch.sum(torch.sum(e, dim=1) ** 2 - torch.sum(e**2, dim=1), dim=1, keepdim=True)
            return torch.clamp(
                torch.sigmoid(self.top(torch.cat([x] + [Z[:, li, lj]], dim=1)) + pairs + self.bias), 1e-6, 1 - 1e-6
            )

    model = start(Clicks())
    rng = np.random.default_rng(6)
    tables = list(model.emb_l.parameters())
    rest = [p for p in model.parameters() if not any(p is q for q in tables)]
    sparse, dense = torch.optim.SparseAdam(tables, lr=1e-2), torch.optim.SGD(rest, lr=0.05, momentum=0.5)
    schedule = CyclicLR(dense, 1e-2, 5e-2, step_size_up=4, mode="triangular2", cycle_momentum=False)
    d = torch.tensor(rng.random((4, 3)), dtype=torch.float32)
    offsets = torch.tensor([0, 2, 3, 5]).repeat(3, 1)
    indices = torch.tensor(np.stack([rng.integers(0, n, 7) for n in (6, 5, 4)]))
    clicked = torch.tensor(rng.integers(0, 2, (4, 1))).float()

    def step(i):
        loss = nn.BCELoss(reduction="mean")(model(d, offsets, indices), clicked)
        sparse.zero_grad()
        dense.zero_grad()
        loss.backward()
        sparse.step()
        dense.step()
        schedule.step()
        return loss

    return step, model, (d, offsets, indices)


def soft_dtw(start):
    """A smooth distance of series, computed by NumPy in both directions."""

    class SoftDTW(Function):
        @staticmethod
        def forward(ctx, D, gamma):
            B, N, M = D.shape
            d = D.detach().cpu().numpy()
            R = np.full((B, N + 2, M + 2), np.inf)
            R[:, 0, 0] = 0
            for j in range(1, M + 1):
                for i in range(1, N + 1):
                    r = -np.stack([R[:, i - 1, j - 1], R[:, i - 1, j], R[:, i, j - 1]]) / gamma
                    top = r.max(0)
                    R[:, i, j] = d[:, i - 1, j - 1] - gamma * (np.log(np.exp(r - top).sum(0)) + top)
            R = torch.Tensor(R).to(D.device).type(D.dtype)
            ctx.save_for_backward(D, R)
            ctx.gamma = gamma
            return R[:, -2, -2]

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, grad_output):
            D_, R = (t.detach().cpu().numpy() for t in ctx.saved_tensors)
            B, N, M = D_.shape
            D, E, R = np.zeros((B, N + 2, M + 2)), np.zeros((B, N + 2, M + 2)), R.astype(np.float64)
            D[:, 1:-1, 1:-1], E[:, -1, -1] = D_, 1
            R[:, :, -1] = R[:, -1, :] = -np.inf
            R[:, -1, -1] = R[:, -2, -2]
            for j in range(M, 0, -1):
                for i in range(N, 0, -1):
                    for a, b in ((1, 0), (0, 1), (1, 1)):
                        E[:, i, j] += E[:, i + a, j + b] * np.exp(
                            (R[:, i + a, j + b] - R[:, i, j] - D[:, i + a, j + b]) / ctx.gamma
                        )
            E = torch.Tensor(E[:, 1:-1, 1:-1]).to(grad_output.device).type(grad_output.dtype)
            return grad_output.view(-1, 1, 1).expand_as(E) * E, None

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.out = nn.GRU(1, 6, batch_first=True), nn.Linear(6, 1)

        def forward(self, x):
            return self.out(self.gru(x)[0])

    model = start(Decoder())
    optimizer = torch.optim.Adamax(model.parameters(), lr=1e-2)
    rng = np.random.default_rng(7)
    x, y = (torch.from_numpy(rng.standard_normal((2, n, 1)).astype(np.float32)).to(model.out.weight.device) for n in (5, 6))

    def step(i):
        D = (model(x)[:, :, None] - y[:, None]).pow(2).sum(-1)
        loss = SoftDTW.apply(D, 0.5).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def lagrangian(start):
    """Accelerations from an energy: a Hessian, its inverse and mixed derivatives of every sample."""

    class Lagrangian(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 12), nn.Softplus(), nn.Linear(12, 1))

        def forward(self, x):
            return self.net(x)

        def energy(self, q, qd):
            return self.net(torch.cat([q, qd])).squeeze()

        def acceleration(self, q, qd):
            H = hessian(self.energy, 1)(q, qd) + 0.1 * torch.eye(2)
            force, mixed = func_grad(self.energy, 0)(q, qd), jacrev(jacrev(self.energy, 1), 0)(q, qd)
            return torch.linalg.pinv(H) @ (force - mixed @ qd)

    model = start(Lagrangian())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(8)
    x = torch.tensor(rng.standard_normal((5, 4)).astype("f4"))
    fields = vmap(model.acceleration)

    def step(i):
        loss = (fields(x[:, :2], x[:, 2:]) + x[:, :2]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def ensemble(start):
    """Models in one: their parameters stacked, trained by vmap, asked for what they disagree on."""

    class Ensemble(nn.Module):
        def __init__(self, models):
            super().__init__()
            params, self.buffers_ = stack_module_state(models)
            self.base = copy.deepcopy(models[0]).to("meta")
            self.names = list(params)
            self.stacked = nn.ParameterList([nn.Parameter(p.detach()) for p in params.values()])

        def forward(self, x):
            call = lambda params, x: functional_call(self.base, params, (x,))
            each = vmap(call, in_dims=(0, None))(dict(zip(self.names, self.stacked)), x)
            return each.mean(0), each.softmax(-1).var(0)

    models = [start(nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))) for _ in range(3)]
    both = Ensemble(models)
    for p in both.base.parameters():
        p.requires_grad_(False)
    optimizer = torch.optim.AdamW(both.stacked.parameters(), lr=1e-2)
    rng = np.random.default_rng(9)
    x, y = torch.tensor(rng.standard_normal((9, 3)).astype("f4")), torch.tensor(rng.integers(0, 2, 9))

    def step(i):
        logits, disagreement = both(x)
        loss = F.cross_entropy(logits, y) + 0.1 * disagreement.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, both, (x,)


def gaussian_process(start):
    """Marginal likelihood by Cholesky, with a kernel of distances."""

    class RBF(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_length, self.log_scale = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.tensor(0.0))

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            length = self.log_length.exp()
            return self.log_scale.exp() ** 2 * torch.exp(-0.5 * torch.cdist(x / length, y / length).square())

    class GP(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel, self.log_noise = RBF(), nn.Parameter(torch.tensor(-2.0))

    model = start(GP())
    x = torch.linspace(0, 3, 30)[:, None]
    y = torch.sin(x[:, 0] * 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def step(i):
        K = model.kernel(x, x) + model.log_noise.exp() * torch.eye(len(x), device=x.device)
        L = torch.linalg.cholesky(K)
        alpha = torch.cholesky_solve(y.unsqueeze(-1), L)
        loss = 0.5 * y @ alpha.squeeze(-1) + L.diagonal().log().sum() + 0.5 * len(x) * math.log(2 * math.pi)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model.kernel, (x, x[:5])
