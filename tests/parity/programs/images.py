"""Models of images, with what their programs do beside layers: weights of each image, masks written into weights, patches left out."""

import math
from copy import deepcopy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import autograd, optim


def style_generator(start):
    """StyleGAN2's generator: convolutions with weights of each image (`groups=batch`), lengths of paths, a running average."""

    class EqualLinear(nn.Module):
        def __init__(self, in_dim, out_dim, bias_init=0, lr_mul=1):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(out_dim, in_dim).div_(lr_mul))
            self.bias = nn.Parameter(torch.zeros(out_dim).fill_(bias_init))
            self.scale = (1 / math.sqrt(in_dim)) * lr_mul
            self.lr_mul = lr_mul

        def forward(self, input):
            return F.linear(input, self.weight * self.scale, bias=self.bias * self.lr_mul)

    class ModulatedConv2d(nn.Module):
        def __init__(self, in_channel, out_channel, kernel_size, style_dim, demodulate=True, upsample=False):
            super().__init__()
            self.kernel_size, self.in_channel, self.out_channel = kernel_size, in_channel, out_channel
            self.upsample, self.demodulate = upsample, demodulate
            self.scale = 1 / math.sqrt(in_channel * kernel_size**2)
            self.padding = kernel_size // 2
            self.weight = nn.Parameter(torch.randn(1, out_channel, in_channel, kernel_size, kernel_size))
            self.modulation = EqualLinear(style_dim, in_channel, bias_init=1)

        def forward(self, input, style):
            batch, in_channel, height, width = input.shape
            style = self.modulation(style).view(batch, 1, in_channel, 1, 1)
            weight = self.scale * self.weight * style
            if self.demodulate:
                demod = torch.rsqrt(weight.pow(2).sum([2, 3, 4]) + 1e-8)
                weight = weight * demod.view(batch, self.out_channel, 1, 1, 1)
            k = self.kernel_size
            weight = weight.view(batch * self.out_channel, in_channel, k, k)
            input = input.view(1, batch * in_channel, height, width)
            if self.upsample:
                weight = weight.view(batch, self.out_channel, in_channel, k, k).transpose(1, 2)
                weight = weight.reshape(batch * in_channel, self.out_channel, k, k)
                out = F.conv_transpose2d(input, weight, padding=1, stride=2, output_padding=1, groups=batch)
            else:
                out = F.conv2d(input, weight, padding=self.padding, groups=batch)
            _, _, height, width = out.shape
            return out.view(batch, self.out_channel, height, width)

    class Generator(nn.Module):
        def __init__(self, style_dim=6):
            super().__init__()
            self.style = nn.Sequential(*[EqualLinear(style_dim, style_dim, lr_mul=0.1) for _ in range(2)])
            self.input = nn.Parameter(torch.randn(1, 4, 4, 4))
            self.conv1 = ModulatedConv2d(4, 4, 3, style_dim, upsample=True)
            self.conv2 = ModulatedConv2d(4, 4, 3, style_dim)
            self.to_rgb = ModulatedConv2d(4, 3, 1, style_dim, demodulate=False)
            self.register_buffer("noise", torch.randn(1, 1, 8, 8))

        def forward(self, z, return_latents=False):
            z = z * torch.rsqrt(torch.mean(z**2, dim=1, keepdim=True) + 1e-8)
            latent = self.style(z).unsqueeze(1).repeat(1, 3, 1)
            out = self.input.repeat(latent.shape[0], 1, 1, 1)
            out = F.leaky_relu(self.conv1(out, latent[:, 0]), negative_slope=0.2) * 2**0.5
            out = F.leaky_relu(self.conv2(out, latent[:, 1]) + 0.1 * self.noise, negative_slope=0.2)
            image = self.to_rgb(out, latent[:, 2])
            return (image, latent) if return_latents else image

    g = start(Generator())
    d = start(nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(96, 1)))
    ema = deepcopy(g).eval()
    g_optim = optim.Adam(g.parameters(), lr=2e-3 * 0.8, betas=(0**0.8, 0.99**0.8))
    d_optim = optim.Adam(d.parameters(), lr=2e-3, betas=(0**0.8, 0.99**0.8))
    rng = np.random.default_rng(8)
    z = torch.tensor(rng.standard_normal((20, 4, 6)).astype(np.float32))
    real = torch.tensor(rng.random((20, 4, 3, 8, 8)).astype(np.float32))
    noise = torch.tensor(rng.standard_normal((20, 2, 3, 8, 8)).astype(np.float32))
    mean_path_length = [0]

    def step(i):
        for p in g.parameters():
            p.requires_grad = False
        images = real[i].clone().requires_grad_()
        real_pred, fake_pred = d(images), d(g(z[i]))
        (grad_real,) = autograd.grad(outputs=real_pred.sum(), inputs=images, create_graph=True)
        r1 = grad_real.pow(2).reshape(grad_real.shape[0], -1).sum(1).mean()
        d_loss = F.softplus(-real_pred).mean() + F.softplus(fake_pred).mean() + 10 / 2 * r1
        d.zero_grad()
        d_loss.backward()
        d_optim.step()
        for p in g.parameters():
            p.requires_grad = True
        g_loss = F.softplus(-d(g(z[i]))).mean()
        fake, latents = g(z[i][:2], return_latents=True)
        (grad,) = autograd.grad((fake * noise[i] / 8).sum(), latents, create_graph=True)
        lengths = torch.sqrt(grad.pow(2).sum(2).mean(1))
        path_mean = mean_path_length[0] + 0.01 * (lengths.mean() - mean_path_length[0])
        mean_path_length[0] = path_mean.detach()
        g_loss = g_loss + 2 * (lengths - path_mean).pow(2).mean()
        g.zero_grad()
        g_loss.backward()
        g_optim.step()
        average, current = dict(ema.named_parameters()), dict(g.named_parameters())
        for k in average.keys():
            average[k].data.mul_(0.9).add_(current[k].data, alpha=1 - 0.9)
        return d_loss + g_loss

    return step, ema, (z[0],)


def pixel_cnn(start):
    """PixelCNN, whose convolutions write their masks into their weights at every call."""

    class MaskedConv2d(nn.Conv2d):
        def __init__(self, mask_type, *args, **kwargs):
            super(MaskedConv2d, self).__init__(*args, **kwargs)
            assert mask_type in {"A", "B"}
            self.register_buffer("mask", self.weight.data.clone())
            _, _, kH, kW = self.weight.size()
            self.mask.fill_(1)
            self.mask[:, :, kH // 2, kW // 2 + (mask_type == "B") :] = 0
            self.mask[:, :, kH // 2 + 1 :] = 0

        def forward(self, x):
            self.weight.data *= self.mask
            return super(MaskedConv2d, self).forward(x)

    net = nn.Sequential(
        MaskedConv2d("A", 1, 6, 7, 1, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(True),
        MaskedConv2d("B", 6, 6, 5, 1, 2, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(True),
        nn.Conv2d(6, 16, 1),
    )
    start(net)
    optimizer = optim.Adam(net.parameters())
    rng = np.random.default_rng(9)
    images = torch.tensor(rng.random((4, 4, 1, 6, 6)).astype(np.float32))

    def step(i):
        net.train(True)
        input = images[i % 4]
        target = (input.data[:, 0] * 15).long()
        loss = F.cross_entropy(net(input), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        net.train(False)
        with torch.no_grad():
            changed = input.clone()
            changed[:, :, 3, 4:] = 0.5
            assert torch.equal(net(input)[:, :, 3, 4], net(changed)[:, :, 3, 4])  # a pixel sees what is before it
        return loss

    return step, net, (images[0],)


def masked_autoencoder(start):
    """Patches left out by sorting noise, and put back at their places by sorting the order."""

    class MAE(nn.Module):
        def __init__(self, p=4, dim=12, size=16):
            super().__init__()
            self.p, n = p, (size // p) ** 2
            self.embed = nn.Conv2d(3, dim, p, p)
            self.pos = nn.Parameter(torch.zeros(1, n, dim), requires_grad=False)
            self.pos.data.copy_(torch.from_numpy(np.sin(np.outer(np.arange(n), np.arange(dim)))).float().unsqueeze(0))
            self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
            layer = nn.TransformerEncoderLayer(dim, 3, 24, 0.0, batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
            self.decoder = nn.Linear(dim, p**2 * 3)

        def patchify(self, imgs):
            p = self.p
            h = w = imgs.shape[2] // p
            x = imgs.reshape(shape=(imgs.shape[0], 3, h, p, w, p))
            return torch.einsum("nchpwq->nhwpqc", x).reshape(shape=(imgs.shape[0], h * w, p**2 * 3))

        def forward(self, imgs, noise):
            x = self.embed(imgs).flatten(2).transpose(1, 2) + self.pos
            N, L, D = x.shape
            keep = int(L * (1 - 0.75))
            shuffle = torch.argsort(noise, dim=1)
            restore = torch.argsort(shuffle, dim=1)
            x = torch.gather(x, dim=1, index=shuffle[:, :keep].unsqueeze(-1).repeat(1, 1, D))
            mask = torch.ones([N, L], device=x.device)
            mask[:, :keep] = 0
            mask = torch.gather(mask, dim=1, index=restore)
            x = self.encoder(x)
            x = torch.cat([x, self.mask_token.repeat(N, L + 0 - keep, 1)], dim=1)
            x = torch.gather(x, dim=1, index=restore.unsqueeze(-1).repeat(1, 1, D)) + self.pos
            return self.decoder(x), mask

    model = start(MAE())
    decay = [p for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1]
    rest = [p for n, p in model.named_parameters() if p.requires_grad and p.ndim <= 1]
    optimizer = optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=1e-2)
    rng = np.random.default_rng(10)
    imgs = torch.tensor(rng.random((3, 3, 16, 16)).astype(np.float32))
    noise = torch.tensor(rng.random((20, 3, 16)).astype(np.float32))

    def step(i):
        pred, mask = model(imgs, noise[i])
        target = model.patchify(imgs)
        target = (target - target.mean(dim=-1, keepdim=True)) / (target.var(dim=-1, keepdim=True) + 1.0e-6) ** 0.5
        loss = (((pred - target) ** 2).mean(dim=-1) * mask).sum() / mask.sum()
        (loss / 2).backward()
        if (i + 1) % 2 == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return loss

    return step, model, (imgs, noise[0])


def sharpness_aware(start):
    """SAM around SGD: an optimiser of another one's groups, steps by closures, statistics that a second pass leaves alone."""

    class SAM(torch.optim.Optimizer):
        def __init__(self, params, base_optimizer, rho=0.05, adaptive=False, **kwargs):
            assert rho >= 0.0, f"Invalid rho, should be non-negative: {rho}"
            defaults = dict(rho=rho, adaptive=adaptive, **kwargs)
            super(SAM, self).__init__(params, defaults)
            self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
            self.param_groups = self.base_optimizer.param_groups
            self.defaults.update(self.base_optimizer.defaults)

        @torch.no_grad()
        def first_step(self, zero_grad=False):
            grad_norm = self._grad_norm()
            for group in self.param_groups:
                scale = group["rho"] / (grad_norm + 1e-12)
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    self.state[p]["old_p"] = p.data.clone()
                    p.add_((torch.pow(p, 2) if group["adaptive"] else 1.0) * p.grad * scale.to(p))
            if zero_grad:
                self.zero_grad()

        @torch.no_grad()
        def second_step(self, zero_grad=False):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    p.data = self.state[p]["old_p"]
            self.base_optimizer.step()
            if zero_grad:
                self.zero_grad()

        @torch.no_grad()
        def step(self, closure=None):
            assert closure is not None, "Sharpness Aware Minimization requires closure, but it was not provided"
            closure = torch.enable_grad()(closure)
            self.first_step(zero_grad=True)
            closure()
            self.second_step()

        def _grad_norm(self):
            shared_device = self.param_groups[0]["params"][0].device
            norms = [
                ((torch.abs(p) if group["adaptive"] else 1.0) * p.grad).norm(p=2).to(shared_device)
                for group in self.param_groups
                for p in group["params"]
                if p.grad is not None
            ]
            return torch.norm(torch.stack(norms), p=2)

    def _set_momentum(module, value=None):
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if value is None:
                module.momentum = module.backup_momentum
            else:
                module.backup_momentum, module.momentum = module.momentum, value

    model = start(nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4)))
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, adaptive=True, lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    rng = np.random.default_rng(12)
    x = torch.tensor(rng.standard_normal((20, 16, 8)).astype(np.float32))
    y = torch.tensor(rng.integers(0, 4, (20, 16)))

    def step(i):
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        if i % 2:

            def closure():
                loss = F.cross_entropy(model(x[i]), y[i])
                loss.backward()
                return loss

            optimizer.step(closure)
            optimizer.zero_grad()
        else:
            optimizer.first_step(zero_grad=True)
            model.apply(lambda module: _set_momentum(module, 0))
            F.cross_entropy(model(x[i]), y[i]).backward()
            optimizer.second_step(zero_grad=True)
            model.apply(_set_momentum)
        schedule.step()
        return loss

    return step, model, (x[0],)
