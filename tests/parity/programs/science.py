"""Equations, fields and fits."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import grad


def pinn(start):
    """A network that solves u'' = -pi^2 sin(pi x), by second derivatives."""

    class Net(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
            for m in self.layers:
                if isinstance(m, nn.Linear):
                    nn.init.xavier_normal_(m.weight)
                    nn.init.zeros_(m.bias)

        def forward(self, x):
            return self.layers(x)

    net = start(Net())
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.95)
    x = torch.linspace(0, 1, 21).unsqueeze(1).requires_grad_(True)
    boundary = torch.tensor([[0.0], [1.0]])

    def step(i):
        optimizer.zero_grad()
        u = net(x)
        (u_x,) = grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)
        u_xx = grad(u_x.sum(), x, create_graph=True)[0]
        residual = u_xx + torch.pi**2 * torch.sin(torch.pi * x)
        loss = residual.pow(2).mean() + 10 * F.mse_loss(net(boundary), torch.zeros(2, 1))
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    return step, net, (x.detach(),)


def neural_ode(start):
    """Runge-Kutta steps whose gradient is another equation, solved backwards."""

    class Dynamics(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))

        def forward(self, t, y):
            return self.net(y**3) + 0.0 * t

    def rk4(f, y, t0, t1, steps):
        h = (t1 - t0) / steps
        t = t0
        for _ in range(steps):
            k1 = f(t, y)
            k2 = f(t + h / 2, y + h / 2 * k1)
            k3 = f(t + h / 2, y + h / 2 * k2)
            k4 = f(t + h, y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            t = t + h
        return y

    class Adjoint(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y0, dynamics, steps, *params):
            ctx.dynamics, ctx.steps = dynamics, steps
            with torch.no_grad():
                y1 = rk4(dynamics, y0, 0.0, 1.0, steps)
            ctx.save_for_backward(y1, *params)
            return y1

        @staticmethod
        def backward(ctx, grad_y):
            y1, *params = ctx.saved_tensors
            n = y1.numel()

            def augmented(t, state):
                y, a = state[:n].view_as(y1), state[n : 2 * n].view_as(y1)
                with torch.enable_grad():
                    y = y.detach().requires_grad_(True)
                    f = ctx.dynamics(t, y)
                    grads = torch.autograd.grad(f, (y, *params), -a, allow_unused=True)
                grads = [torch.zeros_like(p) if g is None else g for p, g in zip((y, *params), grads, strict=True)]
                return torch.cat([f.detach().reshape(-1)] + [g.reshape(-1) for g in grads])

            size = sum(p.numel() for p in params)
            state = torch.cat([y1.reshape(-1), grad_y.reshape(-1), torch.zeros(size)])
            state = rk4(augmented, state, 1.0, 0.0, ctx.steps)
            pieces = torch.split(state[2 * n :], [p.numel() for p in params])
            return (state[n : 2 * n].view_as(y1), None, None, *(g.view_as(p) for g, p in zip(pieces, params, strict=True)))

    class Solved(nn.Module):
        def __init__(self, dynamics):
            super().__init__()
            self.dynamics = dynamics

        def forward(self, y0):
            return rk4(self.dynamics, y0, 0.0, 1.0, 4)

    dynamics = start(Dynamics())
    optimizer = torch.optim.RMSprop(dynamics.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    y0 = torch.tensor(rng.uniform(-1, 1, (8, 2)), dtype=torch.float32)
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    target = y0 @ turn

    def step(i):
        optimizer.zero_grad()
        predicted = Adjoint.apply(y0, dynamics, 4, *dynamics.parameters())
        loss = torch.mean(torch.abs(predicted - target))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, Solved(dynamics), (y0,)


def siren(start):
    """Sines fit an image, with its gradient."""

    class SineLayer(nn.Module):
        def __init__(self, in_features, out_features, bias=True, is_first=False, omega_0=30):
            super().__init__()
            self.omega_0, self.is_first, self.in_features = omega_0, is_first, in_features
            self.linear = nn.Linear(in_features, out_features, bias=bias)
            self.init_weights()

        def init_weights(self):
            with torch.no_grad():
                bound = 1 / self.in_features if self.is_first else np.sqrt(6 / self.in_features) / self.omega_0
                self.linear.weight.uniform_(-bound, bound)

        def forward(self, input):
            return torch.sin(self.omega_0 * self.linear(input))

    side = 8
    tensors = tuple(2 * [torch.linspace(-1, 1, steps=side)])
    mgrid = torch.stack(torch.meshgrid(*tensors, indexing="ij"), dim=-1).reshape(-1, 2)
    image = torch.exp(-4 * (mgrid**2).sum(-1, keepdim=True))
    model = start(nn.Sequential(SineLayer(2, 16, is_first=True), SineLayer(16, 16), nn.Linear(16, 1)))
    optim = torch.optim.Adam(lr=1e-4, params=model.parameters())

    def laplace(y, x):
        g = torch.autograd.grad(y, [x], grad_outputs=torch.ones_like(y), create_graph=True)[0]
        div = 0.0
        for i in range(g.shape[-1]):
            div += torch.autograd.grad(g[..., i], x, torch.ones_like(g[..., i]), create_graph=True)[0][..., i : i + 1]
        return div

    def step(i):
        coords = mgrid.clone().detach().requires_grad_(True)
        output = model(coords)
        loss = ((output - image) ** 2).mean() + 1e-6 * laplace(output, coords).abs().mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
        return loss

    return step, model, (mgrid,)


def nerf(start):
    """Rays through a field of densities and colours, next to a plane of features read by grid_sample."""

    class Embedder:
        def __init__(self, frequencies):
            self.bands = 2.0 ** torch.linspace(0.0, frequencies - 1, steps=frequencies)

        def __call__(self, x):
            spread = (x[..., None] * self.bands.to(x)).flatten(-2)
            return torch.cat([x, torch.sin(spread), torch.cos(spread)], dim=-1)

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = Embedder(3)
            self.plane = nn.Parameter(torch.randn(1, 4, 6, 6) * 0.1)
            self.trunk = nn.Linear(3 * 7 + 4, 16)
            self.out = nn.Linear(16, 4)

        def forward(self, origins, directions):
            depth = torch.linspace(0.5, 1.5, 6, device=origins.device)
            points = origins[:, None, :] + directions[:, None, :] * depth[None, :, None]
            features = F.grid_sample(
                self.plane, points[None, ..., :2], mode="bilinear", padding_mode="border", align_corners=True
            )
            features = features.squeeze(0).permute(1, 2, 0)
            h = F.relu(self.trunk(torch.cat([self.embed(points), features], -1)))
            raw = self.out(h)
            rgb, sigma = torch.sigmoid(raw[..., :3]), F.softplus(raw[..., 3])
            dists = torch.cat([depth[1:] - depth[:-1], torch.tensor([1e10], device=depth.device)])
            alpha = 1.0 - torch.exp(-sigma * dists)
            ones = torch.ones_like(alpha[:, :1])
            transmitted = torch.cumprod(torch.cat([ones, 1.0 - alpha + 1e-10], -1), -1)[:, :-1]
            weights = alpha * transmitted
            return torch.sum(weights[..., None] * rgb, -2), weights.sum(-1)

    rng = np.random.default_rng(1)
    origins = torch.tensor(rng.uniform(-0.3, 0.3, (10, 3)).astype(np.float32))
    directions = F.normalize(torch.tensor(rng.standard_normal((10, 3)).astype(np.float32)), dim=-1)
    colours = torch.tensor(rng.uniform(0, 1, (10, 3)).astype(np.float32))
    field = start(Field())
    optimizer = torch.optim.Adam(field.parameters(), lr=5e-3, betas=(0.9, 0.999))

    def step(i):
        rgb, acc = field(origins, directions)
        loss = F.mse_loss(rgb, colours) + 0.1 * (1 - acc).pow(2).mean()
        psnr = -10.0 * torch.log(loss) / math.log(10.0)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (0.1 ** (i / 20))
        return psnr

    return step, field, (origins, directions)


def fourier_operator(start):
    """A Fourier neural operator: weights on the lowest frequencies."""

    class SpectralConv1d(nn.Module):
        def __init__(self, in_channels, out_channels, modes):
            super().__init__()
            self.out_channels, self.modes = out_channels, modes
            scale = 1 / (in_channels * out_channels)
            self.weights = nn.Parameter(scale * torch.rand(in_channels, out_channels, modes, dtype=torch.cfloat))

        def forward(self, x):
            x_ft = torch.fft.rfft(x)
            out_ft = torch.zeros(x.size(0), self.out_channels, x.size(-1) // 2 + 1, device=x.device, dtype=torch.cfloat)
            out_ft[:, :, : self.modes] = torch.einsum("bix,iox->box", x_ft[:, :, : self.modes], self.weights)
            return torch.fft.irfft(out_ft, n=x.size(-1))

    class FNO(nn.Module):
        def __init__(self, width=6, modes=4):
            super().__init__()
            self.lift = nn.Linear(2, width)
            self.spectral = nn.ModuleList([SpectralConv1d(width, width, modes) for _ in range(2)])
            self.pointwise = nn.ModuleList([nn.Conv1d(width, width, 1) for _ in range(2)])
            self.head = nn.Linear(width, 1)

        def forward(self, u):
            grid = torch.linspace(0, 1, u.shape[1], device=u.device).reshape(1, -1, 1).repeat(u.shape[0], 1, 1)
            x = self.lift(torch.cat((u, grid), dim=-1)).permute(0, 2, 1)
            for spectral, pointwise in zip(self.spectral, self.pointwise):
                x = F.gelu(spectral(x) + pointwise(x))
            return self.head(x.permute(0, 2, 1))

    rng = np.random.default_rng(2)
    u = torch.tensor(rng.standard_normal((4, 16, 1)).astype("float32"))
    y = torch.cumsum(u, dim=1) / 16
    model = start(FNO())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)

    def step(i):
        optimizer.zero_grad()
        out = model(u)
        diff = torch.norm(out.reshape(4, -1) - y.reshape(4, -1), 2, 1)
        loss = torch.mean(diff / torch.norm(y.reshape(4, -1), 2, 1))
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    return step, model, (u,)


def deep_equilibrium(start):
    """A fixed point found without gradients; its gradient found by a hook that looks for another."""

    class Cell(nn.Module):
        def __init__(self, width=8):
            super().__init__()
            self.w = nn.Linear(width, width)
            self.u = nn.Linear(width, width)
            self.norm = nn.LayerNorm(width)

        def forward(self, z, x):
            return self.norm(torch.tanh(0.5 * self.w(z) + self.u(x)))

    def solve(f, z, most=12, tolerance=1e-5):
        for _ in range(most):
            after = f(z)
            if torch.linalg.norm(after - z).item() < tolerance * (1e-5 + after.norm().item()):
                break
            z = after
        return z

    class DEQ(nn.Module):
        def __init__(self, cell):
            super().__init__()
            self.f = cell

        def forward(self, x):
            with torch.no_grad():
                z = solve(lambda z: self.f(z, x), torch.zeros_like(x))
            z = self.f(z, x)
            if not torch.is_grad_enabled():
                return z
            z0 = z.clone().detach().requires_grad_()
            f0 = self.f(z0, x)

            def backward_hook(g):
                return solve(lambda y: torch.autograd.grad(f0, z0, y, retain_graph=True)[0] + g, g)

            z.register_hook(backward_hook)
            return z

    model = start(nn.Sequential(nn.Linear(3, 8), DEQ(Cell()), nn.Linear(8, 2)))
    rng = np.random.default_rng(3)
    x = torch.from_numpy(rng.standard_normal((12, 3))).float()
    labels = torch.as_tensor(rng.integers(0, 2, 12))
    x, labels = x.to(model[0].weight.device), labels.to(model[0].weight.device)
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)

    def step(i):
        loss = nn.CrossEntropyLoss()(model(x), labels)
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    return step, None, None


def lbfgs_fit(start):
    """A sum of Gaussians fitted by LBFGS with a line search."""

    class Peaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.height = nn.Parameter(torch.tensor([1.0, 0.5]))
            self.centre = nn.Parameter(torch.tensor([-0.5, 0.8]))
            self.log_width = nn.Parameter(torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            z = (x[:, None] - self.centre) / self.log_width.exp()
            return (self.height * torch.exp(-0.5 * z**2)).sum(dim=1)

    model = start(Peaks())
    x = torch.linspace(-3, 3, 40)
    y = 1.5 * torch.exp(-((x + 1) ** 2)) + 0.7 * torch.exp(-((x - 1) ** 2) / 0.5)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=1, max_iter=3, history_size=5, line_search_fn="strong_wolfe")

    def step(i):
        def closure():
            if torch.is_grad_enabled():
                optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            if loss.requires_grad:
                loss.backward()
            return loss

        return optimizer.step(closure)

    return step, model, (x,)


def kan(start):
    """A Kolmogorov-Arnold network: B-splines on every edge."""

    class KANLinear(nn.Module):
        def __init__(self, in_features, out_features, grid_size=4, spline_order=3, grid_range=(-1, 1)):
            super().__init__()
            self.in_features, self.out_features, self.spline_order = in_features, out_features, spline_order
            h = (grid_range[1] - grid_range[0]) / grid_size
            grid = (torch.arange(-spline_order, grid_size + spline_order + 1) * h + grid_range[0]).expand(in_features, -1)
            self.register_buffer("grid", grid.contiguous())
            self.base_weight = nn.Parameter(torch.Tensor(out_features, in_features))
            self.spline_weight = nn.Parameter(torch.Tensor(out_features, in_features, grid_size + spline_order))
            nn.init.kaiming_uniform_(self.base_weight, a=math.sqrt(5))
            with torch.no_grad():
                self.spline_weight.data.copy_(torch.randn_like(self.spline_weight) * 0.1)
            self.base_activation = nn.SiLU()

        def b_splines(self, x: torch.Tensor):
            assert x.dim() == 2 and x.size(1) == self.in_features
            grid: torch.Tensor = self.grid
            x = x.unsqueeze(-1)
            bases = ((x >= grid[:, :-1]) & (x < grid[:, 1:])).to(x.dtype)
            for k in range(1, self.spline_order + 1):
                left = (x - grid[:, : -(k + 1)]) / (grid[:, k:-1] - grid[:, : -(k + 1)]) * bases[:, :, :-1]
                right = (grid[:, k + 1 :] - x) / (grid[:, k + 1 :] - grid[:, 1:(-k)]) * bases[:, :, 1:]
                bases = left + right
            return bases.contiguous()

        def forward(self, x):
            base_output = F.linear(self.base_activation(x), self.base_weight)
            spline_output = F.linear(self.b_splines(x).view(x.size(0), -1), self.spline_weight.view(self.out_features, -1))
            return base_output + spline_output

        def regularization_loss(self):
            l1_fake = self.spline_weight.abs().mean(-1)
            p = l1_fake / l1_fake.sum()
            return l1_fake.sum() - torch.sum(p * p.log())

    model = start(nn.Sequential(KANLinear(2, 4), KANLinear(4, 1)))
    rng = np.random.default_rng(4)
    x = torch.tensor(rng.uniform(-0.9, 0.9, (20, 2)), dtype=torch.float)
    y = torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def step(i):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y) + 1e-3 * sum(layer.regularization_loss() for layer in model)
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)


def hyperbolic(start):
    """Embeddings in the Poincare ball, with a Riemannian step written by hand."""

    class Poincare(nn.Module):
        def __init__(self, n, dim):
            super().__init__()
            self.theta = nn.Embedding(n, dim)
            nn.init.uniform_(self.theta.weight, -0.001, 0.001)

        def forward(self, inputs):
            e = self.theta(inputs)
            s, o = e.narrow(1, 0, 1), e.narrow(1, 1, e.size(1) - 1)
            sq = torch.sum((s - o) ** 2, dim=-1)
            su, so = 1 - s.pow(2).sum(-1), 1 - o.pow(2).sum(-1)
            return torch.acosh(torch.clamp(1 + 2 * sq / (su * so), min=1 + 1e-7))

    model = start(Poincare(10, 3))
    rng = np.random.default_rng(5)
    batches = torch.tensor(rng.integers(0, 10, (20, 6, 5)))
    target = torch.zeros(6, dtype=torch.long)

    def step(i):
        model.zero_grad()
        loss = F.cross_entropy(model(batches[i]).neg(), target)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                factor = ((1 - p.pow(2).sum(-1, keepdim=True)) ** 2) / 4
                p.data.add_(p.grad * factor, alpha=-0.3)
                norm = p.norm(dim=-1, keepdim=True)
                p.copy_(torch.where(norm >= 1, p / norm - 1e-5, p))
        return loss

    return step, model, (batches[0],)


def quantiles(start):
    """Quantile regression: a loss made of maxima, several heads."""

    class Net(nn.Module):
        def __init__(self, quantiles):
            super().__init__()
            self.quantiles = quantiles
            self.body = nn.Sequential(nn.Linear(3, 16), nn.ReLU(inplace=True), nn.BatchNorm1d(16), nn.Dropout(p=0.0))
            self.heads = nn.ModuleDict({str(q).replace(".", "_"): nn.Linear(16, 1) for q in quantiles})

        def forward(self, x):
            h = self.body(x)
            return torch.cat([head(h) for head in self.heads.values()], dim=1)

    quantiles_ = [0.1, 0.5, 0.9]
    model = start(Net(quantiles_))
    rng = np.random.default_rng(6)
    x = torch.tensor(rng.standard_normal((32, 3)).astype(np.float32))
    y = x.sum(1) + torch.tensor(rng.standard_normal(32).astype(np.float32))
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", factor=0.5, patience=1)

    def step(i):
        model.train()
        predicted = model(x)
        losses = []
        for k, q in enumerate(quantiles_):
            errors = y - predicted[:, k]
            losses.append(torch.max((q - 1) * errors, q * errors).unsqueeze(1))
        loss = torch.mean(torch.sum(torch.cat(losses, dim=1), dim=1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        scheduler.step(loss)
        return loss

    return step, model, (x,)


def neural_process(start):
    """A conditional neural process: a set is encoded, a normal distribution comes out."""

    class CNP(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width))
            self.decoder = nn.Sequential(nn.Linear(width + 1, width), nn.ReLU(), nn.Linear(width, 2))

        def forward(self, context_x, context_y, target_x):
            r = self.encoder(torch.cat((context_x, context_y), dim=-1)).mean(dim=1, keepdim=True)
            r = r.expand(-1, target_x.shape[1], -1)
            mu, log_sigma = self.decoder(torch.cat((r, target_x), dim=-1)).chunk(2, dim=-1)
            return mu, 0.1 + 0.9 * F.softplus(log_sigma)

    model = start(CNP())
    rng = np.random.default_rng(7)
    x = torch.tensor(rng.uniform(-2, 2, (20, 4, 10, 1)).astype("f4"))
    y = torch.sin(x * torch.tensor(rng.uniform(1, 2, (20, 4, 1, 1)).astype("f4")))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def step(i):
        n = 3 + i % 4
        mu, sigma = model(x[i, :, :n], y[i, :, :n], x[i])
        dist = torch.distributions.Independent(torch.distributions.Normal(mu, sigma), 1)
        loss = -dist.log_prob(y[i]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x[0, :, :3], y[0, :, :3], x[0])


def hamiltonian(start):
    """A network whose gradient is a field: jacobians by torch.func."""
    from torch.func import functional_call, grad, jacrev, vmap

    class Energy(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Sequential(nn.Linear(2, 12), nn.Softplus(), nn.Linear(12, 1, bias=False))

        def forward(self, x):
            return self.f(x).squeeze(-1)

    model = start(Energy())
    symplectic = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    rng = np.random.default_rng(8)
    x = torch.tensor(rng.standard_normal((16, 2)).astype("f4"))
    dx = x @ symplectic.T
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def step(i):
        params = dict(model.named_parameters())
        energy = lambda p, v: functional_call(model, p, (v,))
        field = vmap(grad(energy, argnums=1), in_dims=(None, 0))(params, x) @ symplectic.T
        curvature = vmap(jacrev(grad(lambda v: energy(params, v))))(x[:4])
        loss = (field - dx).pow(2).sum(1).mean() + 1e-3 * torch.diagonal(curvature, dim1=-2, dim2=-1).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)
