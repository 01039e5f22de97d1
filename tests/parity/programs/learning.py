"""Rewards, tasks, and ways of training."""

import copy
import itertools
import math
import random
from collections import deque, namedtuple
from functools import partial

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.utils.parametrize as parametrize
import torch.nn.utils.prune as prune
from torch.distributions import Bernoulli, Categorical, Normal, kl_divergence
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Sampler, Subset, TensorDataset, WeightedRandomSampler


def dqn(start):
    """Q-learning from a memory of transitions, with a target network."""
    Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))

    class ReplayMemory(object):
        def __init__(self, capacity):
            self.memory = deque([], maxlen=capacity)

        def push(self, *args):
            self.memory.append(Transition(*args))

        def sample(self, batch_size):
            return chooser.sample(self.memory, batch_size)

        def __len__(self):
            return len(self.memory)

    chooser, rng = random.Random(0), np.random.default_rng(0)
    policy_net = start(nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 2)))
    target_net = copy.deepcopy(policy_net)
    target_net.load_state_dict(policy_net.state_dict())
    optimizer = torch.optim.AdamW(policy_net.parameters(), lr=1e-3, amsgrad=True)
    memory = ReplayMemory(100)
    device = policy_net[0].weight.device
    for _ in range(40):
        state = torch.tensor(rng.standard_normal(3), dtype=torch.float32, device=device).unsqueeze(0)
        ended = rng.random() < 0.2
        after = None if ended else torch.tensor(rng.standard_normal(3), dtype=torch.float32, device=device).unsqueeze(0)
        action = torch.tensor([[int(rng.integers(2))]], device=device, dtype=torch.long)
        memory.push(state, action, after, torch.tensor([float(rng.random())], device=device))

    def step(i):
        batch = Transition(*zip(*memory.sample(16)))
        non_final_mask = torch.tensor(tuple(map(lambda s: s is not None, batch.next_state)), device=device, dtype=torch.bool)
        non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
        state_batch, action_batch, reward_batch = torch.cat(batch.state), torch.cat(batch.action), torch.cat(batch.reward)
        state_action_values = policy_net(state_batch).gather(1, action_batch)
        next_state_values = torch.zeros(16, device=device)
        with torch.no_grad():
            next_state_values[non_final_mask] = target_net(non_final_next_states).max(1).values
        expected = (next_state_values * 0.99) + reward_batch
        loss = nn.SmoothL1Loss()(state_action_values, expected.unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
        optimizer.step()
        target_dict, policy_dict = target_net.state_dict(), policy_net.state_dict()
        for key in policy_dict:
            target_dict[key] = policy_dict[key] * 0.05 + target_dict[key] * 0.95
        target_net.load_state_dict(target_dict)
        return loss

    return step, policy_net, (torch.cat([t.state for t in itertools.islice(memory.memory, 4)]),)


def reinforce(start):
    """Policy gradients with discounted, normalised returns."""

    class Policy(nn.Module):
        def __init__(self):
            super().__init__()
            self.affine1 = nn.Linear(4, 16)
            self.dropout = nn.Dropout(p=0.0)
            self.affine2 = nn.Linear(16, 3)

        def forward(self, x):
            x = F.relu(self.dropout(self.affine1(x)))
            return F.softmax(self.affine2(x), dim=1)

    policy = start(Policy())
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    rng = np.random.default_rng(1)
    eps = np.finfo(np.float32).eps.item()

    def step(i):
        log_probs, rewards, entropies = [], [], []
        for _ in range(5):
            state = torch.tensor(rng.standard_normal(4), dtype=torch.float32).unsqueeze(0)
            m = Categorical(policy(state))
            assert 0 <= m.sample().item() < 3
            action = torch.tensor([int(rng.integers(3))])
            log_probs.append(m.log_prob(action))
            entropies.append(m.entropy())
            rewards.append(float(state[0, 0] > 0) * (action.item() == 1))
        R, returns = 0, deque()
        for r in rewards[::-1]:
            R = r + 0.99 * R
            returns.appendleft(R)
        returns = torch.tensor(returns)
        returns = (returns - returns.mean()) / (returns.std() + eps)
        loss = torch.cat([-log_prob * R for log_prob, R in zip(log_probs, returns)]).sum() - 0.01 * torch.stack(entropies).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, policy, (torch.zeros(2, 4),)


def ppo(start):
    """Clipped policy updates with generalised advantages, for continuous actions."""

    def layer_init(layer, std=np.sqrt(2), bias_const=0.0):
        torch.nn.init.orthogonal_(layer.weight, std)
        torch.nn.init.constant_(layer.bias, bias_const)
        return layer

    class Agent(nn.Module):
        def __init__(self):
            super().__init__()
            self.critic = nn.Sequential(layer_init(nn.Linear(3, 8)), nn.Tanh(), layer_init(nn.Linear(8, 1), std=1.0))
            self.actor_mean = nn.Sequential(layer_init(nn.Linear(3, 8)), nn.Tanh(), layer_init(nn.Linear(8, 2), std=0.01))
            self.actor_logstd = nn.Parameter(torch.zeros(1, np.prod((2,))))

        def forward(self, x):
            return self.actor_mean(x), self.critic(x)

        def get_action_and_value(self, x, action):
            action_mean = self.actor_mean(x)
            action_std = torch.exp(self.actor_logstd.expand_as(action_mean))
            probs = Normal(action_mean, action_std)
            if action is None:
                action = probs.sample()
            return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)

    rng = np.random.default_rng(2)
    agent = start(Agent())
    optimizer = torch.optim.Adam(agent.parameters(), lr=2.5e-3, eps=1e-5)
    obs, actions, rewards = (torch.tensor(rng.standard_normal(s).astype("f4")) for s in [(16, 3), (16, 2), (16,)])
    dones = torch.tensor((rng.random(16) < 0.2).astype("f4"))
    with torch.no_grad():
        _, logprobs, _, values = agent.get_action_and_value(obs, actions)
        values = values.flatten()
        advantages = torch.zeros_like(rewards)
        lastgaelam = 0
        for t in reversed(range(15)):
            nextnonterminal = 1.0 - dones[t + 1]
            delta = rewards[t] + 0.99 * values[t + 1] * nextnonterminal - values[t]
            advantages[t] = lastgaelam = delta + 0.99 * 0.95 * nextnonterminal * lastgaelam
        returns = advantages + values

    def step(i):
        mb_inds = np.random.default_rng(i).permutation(16)[:8]
        _, newlogprob, entropy, newvalue = agent.get_action_and_value(obs[mb_inds], actions[mb_inds])
        logratio = newlogprob - logprobs[mb_inds]
        ratio = logratio.exp()
        with torch.no_grad():
            approx_kl = ((ratio - 1) - logratio).mean()
        mb_advantages = advantages[mb_inds]
        mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)
        pg_loss = torch.max(-mb_advantages * ratio, -mb_advantages * torch.clamp(ratio, 1 - 0.2, 1 + 0.2)).mean()
        newvalue = newvalue.view(-1)
        v_clipped = values[mb_inds] + torch.clamp(newvalue - values[mb_inds], -0.2, 0.2)
        v_loss = 0.5 * torch.max((newvalue - returns[mb_inds]) ** 2, (v_clipped - returns[mb_inds]) ** 2).mean()
        loss = pg_loss - 0.01 * entropy.mean() + v_loss * 0.5
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
        optimizer.step()
        return loss + approx_kl

    return step, agent, (obs,)


def maml(start):
    """Gradients through steps of training: fast weights by torch.func."""
    from torch.func import functional_call, grad, vmap

    net = start(nn.Sequential(nn.Linear(1, 12), nn.ReLU(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 1)))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    params = dict(net.named_parameters())
    rng = np.random.default_rng(3)

    def loss_on(params, x, y):
        return F.mse_loss(functional_call(net, params, (x,)), y)

    def task_loss(x_support, y_support, x_query, y_query):
        fast = params
        for _ in range(2):
            grads = grad(loss_on)(fast, x_support, y_support)
            fast = {k: fast[k] - 0.1 * g for k, g in grads.items()}
        return loss_on(fast, x_query, y_query)

    def step(i):
        amplitude, phase = rng.uniform(0.1, 2, (4, 1, 1)), rng.uniform(0, np.pi, (4, 1, 1))
        x = rng.uniform(-3, 3, (4, 10, 1))
        y = torch.tensor(amplitude * np.sin(x + phase), dtype=torch.float32)
        x = torch.tensor(x, dtype=torch.float32)
        loss = vmap(task_loss)(x[:, :5], y[:, :5], x[:, 5:], y[:, 5:]).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    return step, net, (torch.zeros(3, 1),)


def maml_by_hand(start):
    """The same by autograd.grad(create_graph=True) and a functional forward."""

    class Learner(nn.Module):
        def __init__(self):
            super().__init__()
            self.vars = nn.ParameterList()
            for fan_in, fan_out in [(2, 8), (8, 3)]:
                w = nn.Parameter(torch.ones(fan_out, fan_in))
                torch.nn.init.kaiming_normal_(w)
                self.vars.append(w)
                self.vars.append(nn.Parameter(torch.zeros(fan_out)))

        def forward(self, x, vars=None):
            vars = self.vars if vars is None else vars
            x = F.relu(F.linear(x, vars[0], vars[1]))
            return F.linear(x, vars[2], vars[3])

    net = start(Learner())
    meta_optim = torch.optim.Adam(net.parameters(), lr=1e-2)
    rng = np.random.default_rng(4)
    x = torch.tensor(rng.standard_normal((20, 3, 6, 2)).astype("f4"))
    y = torch.tensor(rng.integers(0, 3, (20, 3, 6)))

    def step(i):
        losses = []
        for t in range(3):
            loss = F.cross_entropy(net(x[i, t, :3]), y[i, t, :3])
            grads = torch.autograd.grad(loss, net.parameters(), create_graph=True)
            fast = list(map(lambda p: p[1] - 0.1 * p[0], zip(grads, net.parameters())))
            losses.append(F.cross_entropy(net(x[i, t, 3:], fast), y[i, t, 3:]))
        loss_q = torch.stack(losses).mean()
        meta_optim.zero_grad()
        loss_q.backward()
        meta_optim.step()
        return loss_q

    return step, net, (x[0, 0],)


def private_sgd(start):
    """Gradients of every sample, clipped one by one: vmap(grad)."""
    from torch.func import functional_call, grad_and_value, vmap

    model = start(nn.Sequential(nn.Conv2d(1, 3, 3), nn.GroupNorm(1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 4)))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    rng = np.random.default_rng(5)
    x = torch.tensor(rng.standard_normal((8, 1, 6, 6)).astype("f4"))
    y = torch.tensor(rng.integers(0, 4, 8))

    def compute_loss(params, buffers, sample, target):
        predictions = functional_call(model, (params, buffers), (sample.unsqueeze(0),))
        return F.cross_entropy(predictions, target.unsqueeze(0))

    per_sample = vmap(grad_and_value(compute_loss), in_dims=(None, None, 0, 0))

    def step(i):
        params = {k: v.detach() for k, v in model.named_parameters()}
        buffers = {k: v.detach() for k, v in model.named_buffers()}
        grads, losses = per_sample(params, buffers, x, y)
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()], dim=1).norm(dim=1)
        factor = (1.0 / (norms + 1e-6)).clamp(max=1.0)
        for name, p in model.named_parameters():
            p.grad = torch.einsum("i,i...->...", factor, grads[name]) / len(x)
        opt.step()
        return losses.mean()

    return step, model, (x,)


def hypernetwork(start):
    """A network that writes the weights of another."""
    from torch.func import functional_call

    class Hyper(nn.Module):
        def __init__(self, main):
            super().__init__()
            self.shapes = {name: p.shape for name, p in main.named_parameters()}
            total = sum(math.prod(shape) for shape in self.shapes.values())
            self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, total))

        def forward(self, z):
            flat, weights, offset = self.net(z), {}, 0
            for name, shape in self.shapes.items():
                weights[name] = flat[offset : offset + shape.numel()].view(shape)
                offset += shape.numel()
            return weights

    main = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    hyper = start(Hyper(main))
    optimizer = torch.optim.Adam(hyper.parameters(), lr=1e-2)
    rng = np.random.default_rng(6)
    z, x = torch.tensor(rng.standard_normal((4, 2)).astype("f4")), torch.tensor(rng.standard_normal((10, 3)).astype("f4"))
    y = torch.stack([(x * k).sum(1, keepdim=True) for k in range(4)])

    def step(i):
        k = i % 4
        out = functional_call(main, hyper(z[k]), x)
        loss = (out - y[k]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, hyper, (z[0],)


def swa(start):
    """Averaged weights, with running statistics brought up to date at the end; and an average of the past."""
    model = start(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    swa_model = AveragedModel(model)
    ema = lambda averaged, current, num: 0.9 * averaged + 0.1 * current
    ema_model = AveragedModel(model, avg_fn=ema)
    scheduler = CosineAnnealingLR(optimizer, T_max=10)
    swa_scheduler = SWALR(optimizer, swa_lr=0.05, anneal_epochs=3)
    rng = np.random.default_rng(7)
    data = TensorDataset(torch.tensor(rng.standard_normal((24, 4)).astype("f4")), torch.tensor(rng.integers(0, 2, 24)))
    loader = DataLoader(data, batch_size=8)

    def step(i):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            total += loss.item()
        ema_model.update_parameters(model)
        if i > 10:
            swa_model.update_parameters(model)
            swa_scheduler.step()
        else:
            scheduler.step()
        if i == 19:
            update_bn(loader, swa_model)
            update_bn(loader, ema_model)
            x, y = data.tensors
            with torch.inference_mode():
                total += F.cross_entropy(swa_model.eval()(x), y) + F.cross_entropy(ema_model.eval()(x), y)
        return total

    return step, model, (data.tensors[0],)


def pruned(start):
    """Weights that are pruned, orthogonal, or symmetric, trained on."""

    class Symmetric(nn.Module):
        def forward(self, X):
            return X.triu() + X.triu(1).transpose(-1, -2)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 4, 3)
            self.square = nn.Linear(8, 8)
            self.narrow = nn.utils.parametrizations.weight_norm(nn.Linear(32, 8))
            self.fc = nn.Linear(8, 2)

        def forward(self, x):
            h = torch.relu(self.conv(x)).flatten(1)
            return self.fc(torch.tanh(self.square(self.narrow(h))))

    model = Net()
    parametrize.register_parametrization(model.square, "weight", Symmetric())
    start(model)
    prune.l1_unstructured(model.fc, name="weight", amount=0.3)
    prune.ln_structured(model.conv, name="weight", amount=0.5, n=2, dim=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    rng = np.random.default_rng(8)
    x = torch.tensor(rng.standard_normal((12, 1, 10)).astype("f4"))
    y = torch.tensor(rng.integers(0, 2, 12))

    def step(i):
        if i == 10:
            prune.remove(model.fc, "weight")
            prune.global_unstructured(
                [(model.fc, "weight"), (model.conv, "weight")], pruning_method=prune.L1Unstructured, amount=14
            )
            parametrize.remove_parametrizations(model.square, "weight")
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss + 0.001 * (model.fc.weight == 0).sum()

    return step, model, (x,)


def checkpointed(start):
    """Blocks computed twice to save memory; accumulated gradients; a schedule of warm-up and decay."""

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm = nn.LayerNorm(width)
            self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(approximate="tanh"), nn.Linear(2 * width, width))

        def forward(self, x):
            return x + self.mlp(self.norm(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(Block(6) for _ in range(3))
            self.head = nn.Linear(6, 1)
            self.gradient_checkpointing = True

        def forward(self, x):
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False) if self.gradient_checkpointing and self.training else block(x)
            return self.head(x)

    def get_linear_schedule_with_warmup(optimizer, warmup, total):
        def lr_lambda(current_step):
            if current_step < warmup:
                return float(current_step) / float(max(1, warmup))
            return max(0.0, float(total - current_step) / float(max(1, total - warmup)))

        return LambdaLR(optimizer, lr_lambda, -1)

    model = start(Net())
    decay = [p for n, p in model.named_parameters() if p.dim() >= 2]
    rest = [p for n, p in model.named_parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=1e-2)
    scheduler = get_linear_schedule_with_warmup(optimizer, 4, 20)
    rng = np.random.default_rng(9)
    x = torch.tensor(rng.standard_normal((20, 4, 6)).astype("f4"))

    def step(i):
        loss = (model(x[i]).squeeze(-1) - x[i].prod(dim=-1)).abs().clamp(max=3).mean() / 2
        loss.backward()
        if (i + 1) % 2 == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5, norm_type=2.0, error_if_nonfinite=True)
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()
        return loss + scheduler.get_last_lr()[0]

    return step, model, (x[0],)


def half_precision(start):
    """bfloat16 by autocast, with the scaler and the accumulated gradients that scripts for GPUs keep."""

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

        def forward(self, x):
            B, T, C = x.shape
            q, k, v = self.qkv(self.norm1(x)).reshape(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
            att = (q @ k.transpose(-2, -1)) * (C // self.heads) ** -0.5
            x = x + self.proj((att.softmax(dim=-1).to(v.dtype) @ v).transpose(1, 2).reshape(B, T, C))
            return x + self.mlp(self.norm2(x))

    class Net(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.patches = nn.Conv2d(1, width, kernel_size=4, stride=4)
            self.blocks = nn.Sequential(Block(width, 2), Block(width, 2))
            self.head = nn.Linear(width, 3)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            return self.head(self.blocks(x).mean(dim=1))

    model = start(Net())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    amp_dtype = torch.bfloat16
    rng = np.random.default_rng(11)
    x = torch.tensor(rng.standard_normal((8, 1, 8, 8)).astype(np.float32))
    y = torch.tensor(rng.integers(0, 3, 8))

    def step(i):
        total = 0.0
        for xb, yb in zip(x.split(4), y.split(4)):
            with torch.autocast(device_type=xb.device.type, dtype=amp_dtype):
                logits = model(xb)
                loss = F.cross_entropy(logits, yb) / 2
            assert logits.dtype is torch.bfloat16 and loss.dtype is torch.float32
            scaler.scale(loss).backward()
            total += loss.item()
        assert all(p.grad.dtype == torch.float32 for p in model.parameters())
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        return total

    class Mixed(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            with torch.autocast(device_type=x.device.type, dtype=torch.bfloat16):
                return self.net(x).float()

    return step, Mixed(model), (x,)


def mixup(start):
    """Datasets, samplers and collating functions of one's own; mixed samples with soft targets."""

    class Points(Dataset):
        def __init__(self, n, transform=None):
            rng = np.random.default_rng(10)
            self.x, self.y = rng.standard_normal((n, 3)).astype(np.float32), rng.integers(0, 3, n)
            self.transform = transform

        def __len__(self):
            return len(self.y)

        def __getitem__(self, idx):
            if torch.is_tensor(idx):
                idx = idx.tolist()
            x = self.x[idx]
            return {"x": self.transform(x) if self.transform else x, "y": int(self.y[idx]), "name": f"p{idx}"}

    class EveryThird(Sampler[int]):
        def __init__(self, data_source):
            self.data_source = data_source

        def __iter__(self):
            return itertools.chain(*(range(k, len(self.data_source), 3) for k in range(3)))

        def __len__(self):
            return len(self.data_source)

    def collate(samples):
        batch = torch.utils.data.default_collate([{k: s[k] for k in ("x", "y")} for s in samples])
        batch["names"] = [s["name"] for s in samples]
        return batch

    data = ConcatDataset([Points(16, transform=torch.from_numpy), Subset(Points(16, torch.from_numpy), range(8))])
    loader = DataLoader(data, batch_size=6, sampler=EveryThird(data), collate_fn=collate, drop_last=False, num_workers=0)
    assert len(list(WeightedRandomSampler([0.1, 0.9], 5))) == 5
    model = start(nn.Sequential(nn.Linear(3, 10), nn.PReLU(), nn.AlphaDropout(0.0), nn.Linear(10, 3)))
    device = model[0].weight.device
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scheduler = OneCycleLR(optimizer, max_lr=0.2, total_steps=20 * len(loader))
    criterion = nn.CrossEntropyLoss(reduction="mean", weight=torch.tensor([1.0, 2.0, 0.5]))
    rng = np.random.default_rng(11)

    def mixup_criterion(pred, y_a, y_b, lam):
        return lam * criterion(pred, y_a) + (1 - lam) * criterion(pred, y_b)

    def step(i):
        correct, total, running = 0, 0, 0.0
        for batch in loader:
            x, y = batch["x"].to(device, non_blocking=True), batch["y"].to(device)
            lam = rng.beta(0.4, 0.4)
            index = torch.as_tensor(rng.permutation(x.size(0)), device=device)
            mixed = lam * x + (1 - lam) * x[index, :]
            out = model(mixed)
            soft = lam * F.one_hot(y, 3).float() + (1 - lam) * F.one_hot(y[index], 3).float()
            loss = mixup_criterion(out, y, y[index], lam) + 0.1 * F.cross_entropy(out, soft)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            running += loss.item() * x.size(0)
            _, predicted = torch.max(out.data, 1)
            total += y.size(0)
            correct += predicted.eq(y.data).cpu().sum().item()
        return running / total + correct / total

    return step, model, (torch.zeros(2, 3),)


def distillation(start):
    """A small network learns from a large one: softened outputs, and features kept by a hook."""
    teacher = start(nn.Sequential(nn.Linear(4, 16), nn.Hardswish(), nn.Linear(16, 3)))
    student = start(nn.Sequential(nn.Linear(4, 6), nn.ReLU6(), nn.Linear(6, 3)))
    regressor = start(nn.Linear(6, 16, bias=False))
    features = {}

    def keep(name):
        def hook(module, input, output):
            features[name] = output

        return hook

    teacher[1].register_forward_hook(keep("teacher"))
    student[1].register_forward_hook(keep("student"))
    optimizer = torch.optim.Adam(itertools.chain(student.parameters(), regressor.parameters()), lr=1e-2)
    rng = np.random.default_rng(12)
    x = torch.tensor(rng.standard_normal((16, 4)).astype("f4"))
    y = torch.tensor(rng.integers(0, 3, 16))
    teacher.eval()
    T = 2.0

    def step(i):
        with torch.no_grad():
            teacher_logits = teacher(x)
        logits = student(x)
        soft_prob = F.log_softmax(logits / T, dim=-1)
        kd = F.kl_div(soft_prob, F.softmax(teacher_logits / T, dim=-1), reduction="batchmean") * T**2
        also = F.kl_div(soft_prob, F.log_softmax(teacher_logits / T, dim=-1), log_target=True, reduction="sum") / len(x) * T**2
        hint = F.mse_loss(regressor(features["student"]), features["teacher"])
        cosine = F.cosine_embedding_loss(logits, teacher_logits, target=torch.ones(len(x)))
        loss = F.cross_entropy(logits, y) + (kd + also) / 2 + 0.1 * hint + 0.1 * cosine
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, student, (x,)


def custom_functions(start):
    """Gradients written by hand: a step that passes straight through, a reversed gradient, rounded weights."""

    class Binarize(torch.autograd.Function):
        @staticmethod
        def forward(ctx, input):
            ctx.save_for_backward(input)
            return torch.sign(input)

        @staticmethod
        def backward(ctx, grad_output):
            (input,) = ctx.saved_tensors
            grad_input = grad_output.clone()
            grad_input[input.ge(1)] = 0
            grad_input[input.le(-1)] = 0
            return grad_input

    class GradientReversal(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, alpha):
            ctx.alpha = alpha
            return x.view_as(x)

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output.neg() * ctx.alpha, None

    class MulConstant(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(tensor, constant):
            return tensor * constant

        @staticmethod
        def setup_context(ctx, inputs, output):
            _, ctx.constant = inputs

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * ctx.constant if ctx.needs_input_grad[0] else None, None

    class FakeQuant(nn.Module):
        def forward(self, w):
            scale = w.detach().abs().max() / 7
            return w + (torch.clamp(torch.round(w / scale), -8, 7) * scale - w).detach()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.domain = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(8, 1)
            self.quant = FakeQuant()

        def forward(self, x):
            h = Binarize.apply(self.a(x))
            features = F.linear(h, self.quant(self.b.weight), self.b.bias)
            return MulConstant.apply(features, 0.5), self.domain(GradientReversal.apply(h, 0.3))

    model = start(Net())
    rng = np.random.default_rng(13)
    x, y = torch.tensor(rng.standard_normal((16, 4)).astype("f4")), torch.tensor(rng.integers(0, 2, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        out, domain = model(x)
        loss = F.nll_loss(F.log_softmax(out, 1), y) + F.binary_cross_entropy_with_logits(domain.squeeze(), (x[:, 0] > 0).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, None, None


def bayes(start):
    """Weights that are distributions; a concrete dropout of Bernoullis."""

    class BayesLinear(nn.Module):
        def __init__(self, n_in, n_out):
            super().__init__()
            self.mu = nn.Parameter(torch.Tensor(n_out, n_in).uniform_(-0.3, 0.3))
            self.rho = nn.Parameter(torch.Tensor(n_out, n_in).uniform_(-4, -3))

        def forward(self, x, eps):
            sigma = torch.log1p(torch.exp(self.rho))
            self.kl = kl_divergence(Normal(self.mu, sigma), Normal(0.0, 1.0)).sum()
            return F.linear(x, self.mu + sigma * eps)

    layer = start(BayesLinear(3, 1))
    keep = start(nn.ParameterDict({"logit": torch.zeros(3)}))
    rng = np.random.default_rng(15)
    x, eps = torch.tensor(rng.standard_normal((12, 3)).astype("f4")), torch.tensor(rng.standard_normal((20, 1, 3)).astype("f4"))
    y = x @ torch.tensor([1.0, -2.0, 0.5])
    optimizer = torch.optim.Adamax([*layer.parameters(), *keep.values()], lr=1e-2)

    def step(i):
        gate = torch.sigmoid(keep["logit"])
        out = layer(x * gate, eps[i])
        nll = -Normal(out.squeeze(1), 0.5).log_prob(y).sum()
        loss = (nll + 0.1 * layer.kl - 0.1 * Bernoulli(logits=keep["logit"]).entropy().sum()) / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, layer, (x, eps[0])
