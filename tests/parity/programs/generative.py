"""Models that make things."""

import copy
import math
from collections import OrderedDict
from functools import partial

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import distributions as D
from torch import optim


def vae(start):
    """A variational autoencoder; its noise is given, as random numbers differ between libraries."""

    class VAE(nn.Module):
        def __init__(self):
            super(VAE, self).__init__()
            self.fc1 = nn.Linear(16, 12)
            self.fc21 = nn.Linear(12, 3)
            self.fc22 = nn.Linear(12, 3)
            self.fc3 = nn.Linear(3, 12)
            self.fc4 = nn.Linear(12, 16)

        def encode(self, x):
            h1 = F.relu(self.fc1(x))
            return self.fc21(h1), self.fc22(h1)

        def reparameterize(self, mu, logvar, eps):
            std = torch.exp(0.5 * logvar)
            return eps.mul(std).add_(mu)

        def decode(self, z):
            return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

        def forward(self, x, eps):
            mu, logvar = self.encode(x.view(-1, 16))
            z = self.reparameterize(mu, logvar, eps)
            return self.decode(z), mu, logvar

    def loss_function(recon_x, x, mu, logvar):
        BCE = F.binary_cross_entropy(recon_x, x.view(-1, 16), reduction="sum")
        KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        posterior = D.Normal(mu, (0.5 * logvar).exp())
        prior = D.Normal(torch.zeros_like(mu), torch.ones_like(mu))
        assert torch.allclose(D.kl_divergence(posterior, prior).sum(), KLD, rtol=1e-4)
        return BCE + KLD

    rng = np.random.default_rng(0)
    x = torch.tensor((rng.random((8, 1, 4, 4)) > 0.6).astype(np.float32))
    eps = torch.tensor(rng.standard_normal((20, 8, 3)).astype(np.float32))
    model = start(VAE())
    optimizer = optim.Adam(model.parameters(), lr=1e-2)

    def step(i):
        optimizer.zero_grad()
        recon, mu, logvar = model(x, eps[i])
        loss = loss_function(recon, x, mu, logvar)
        loss.backward()
        optimizer.step()
        return loss.item() / len(x)

    return step, model, (x, eps[0])


def gan(start):
    """A generator and a discriminator with spectral norms, an optimiser each."""

    def weights_init(m):
        classname = m.__class__.__name__
        if classname.find("Conv") != -1:
            torch.nn.init.normal_(m.weight, 0.0, 0.02)
        elif classname.find("BatchNorm") != -1:
            torch.nn.init.normal_(m.weight, 1.0, 0.02)
            torch.nn.init.zeros_(m.bias)

    class Generator(nn.Module):
        def __init__(self, nz=5, ngf=4, nc=1):
            super().__init__()
            self.main = nn.Sequential(
                nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
                nn.BatchNorm2d(ngf * 2),
                nn.ReLU(True),
                nn.ConvTranspose2d(ngf * 2, nc, 4, 2, 1, bias=False),
                nn.Tanh(),
            )

        def forward(self, input):
            return self.main(input)

    class Discriminator(nn.Module):
        def __init__(self, ndf=4, nc=1):
            super().__init__()
            self.main = nn.Sequential(
                nn.utils.spectral_norm(nn.Conv2d(nc, ndf, 4, 2, 1, bias=False)),
                nn.LeakyReLU(0.2, inplace=True),
                nn.Conv2d(ndf, 1, 4, 1, 0, bias=False),
            )

        def forward(self, input):
            return self.main(input).view(-1, 1).squeeze(1)

    netG, netD = Generator(), Discriminator()
    netG.apply(weights_init)
    netD.apply(weights_init)
    start(netG)
    start(netD)
    criterion = nn.BCEWithLogitsLoss()
    optimizerD = optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
    optimizerG = optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
    rng = np.random.default_rng(1)
    real = torch.tensor(rng.standard_normal((6, 1, 8, 8)).astype("f4")).clamp(-1, 1)
    noise = torch.tensor(rng.standard_normal((20, 6, 5, 1, 1)).astype("f4"))

    def step(i):
        netD.zero_grad()
        label = torch.full((6,), 1.0, dtype=real.dtype, device=real.device)
        errD_real = criterion(netD(real), label)
        errD_real.backward()
        fake = netG(noise[i])
        label.fill_(0.0)
        errD_fake = criterion(netD(fake.detach()), label)
        errD_fake.backward()
        optimizerD.step()
        netG.zero_grad()
        label.fill_(1.0)
        for p in netD.parameters():
            p.requires_grad_(False)
        errG = criterion(netD(fake), label)
        errG.backward()
        for p in netD.parameters():
            p.requires_grad_(True)
        optimizerG.step()
        return errG + errD_real + errD_fake

    return step, netG, (noise[0],)


def real_nvp(start):
    """Coupling layers with masks: the density of a moon by a change of variables."""

    class RealNVP(nn.Module):
        def __init__(self, nets, nett, mask, prior):
            super().__init__()
            self.prior = prior
            self.register_buffer("mask", mask)
            self.t = torch.nn.ModuleList([nett() for _ in range(len(mask))])
            self.s = torch.nn.ModuleList([nets() for _ in range(len(mask))])

        def g(self, z):
            x = z
            for i in range(len(self.t)):
                x_ = x * self.mask[i]
                s = self.s[i](x_) * (1 - self.mask[i])
                t = self.t[i](x_) * (1 - self.mask[i])
                x = x_ + (1 - self.mask[i]) * (x * torch.exp(s) + t)
            return x

        def f(self, x):
            log_det_J, z = x.new_zeros(x.shape[0]), x
            for i in reversed(range(len(self.t))):
                z_ = self.mask[i] * z
                s = self.s[i](z_) * (1 - self.mask[i])
                t = self.t[i](z_) * (1 - self.mask[i])
                z = (1 - self.mask[i]) * (z - t) * torch.exp(-s) + z_
                log_det_J -= s.sum(dim=1)
            return z, log_det_J

        def log_prob(self, x):
            z, logp = self.f(x)
            return self.prior.log_prob(z) + logp

        def forward(self, z):
            return self.g(z)

    nets = lambda: nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 2), nn.Tanh())
    nett = lambda: nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 2))
    masks = torch.tensor(np.array([[0, 1], [1, 0]] * 2).astype(np.float32))
    prior = D.MultivariateNormal(torch.zeros(2), torch.eye(2))
    flow = start(RealNVP(nets, nett, masks, prior))
    optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad is True], lr=1e-2)
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, np.pi, 32)
    x = torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], 1) + 0.1 * rng.standard_normal((32, 2))).float()
    x = x.to(masks.device)

    def step(i):
        loss = -flow.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        return loss

    return step, flow, (x,)


def transformed_flow(start):
    """Planar and affine transforms of torch.distributions, stacked on a normal."""
    from torch.distributions.transforms import AffineTransform, ExpTransform, SigmoidTransform, TanhTransform

    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            self.loc = nn.Parameter(torch.tensor([0.1, -0.2]))
            self.log_scale = nn.Parameter(torch.tensor([0.0, 0.3]))

        def dist(self):
            base = D.Independent(D.Normal(torch.zeros(2), torch.ones(2)), 1)
            affine = AffineTransform(self.loc, self.log_scale.exp(), event_dim=1)
            return D.TransformedDistribution(base, [affine, D.ComposeTransform([TanhTransform(), AffineTransform(0.5, 0.5)])])

        def forward(self, x):
            return self.dist().log_prob(x)

    flow = start(Flow())
    rng = np.random.default_rng(3)
    x = torch.tensor(rng.uniform(0.1, 0.9, (16, 2)), dtype=torch.float32)
    opt = optim.Adam(flow.parameters(), lr=5e-2)

    def step(i):
        opt.zero_grad()
        loss = -flow(x).mean()
        loss.backward()
        opt.step()
        return loss

    return step, flow, (x,)


def ddpm(start):
    """Diffusion with a small UNet: time embeddings, group norms, attention, skips."""

    def exists(x):
        return x is not None

    class SinusoidalPositionEmbeddings(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.dim = dim

        def forward(self, time):
            device = time.device
            half_dim = self.dim // 2
            embeddings = math.log(10000) / (half_dim - 1)
            embeddings = torch.exp(torch.arange(half_dim, device=device) * -embeddings)
            embeddings = time[:, None] * embeddings[None, :]
            return torch.cat((embeddings.sin(), embeddings.cos()), dim=-1)

    class WeightStandardizedConv2d(nn.Conv2d):
        def forward(self, x):
            eps = 1e-5 if x.dtype == torch.float32 else 1e-3
            weight = self.weight
            mean = weight.mean(dim=(1, 2, 3), keepdim=True)
            var = weight.var(dim=(1, 2, 3), unbiased=False, keepdim=True)
            normalized = (weight - mean) * (var + eps).rsqrt()
            return F.conv2d(x, normalized, self.bias, self.stride, self.padding, self.dilation, self.groups)

    class Block(nn.Module):
        def __init__(self, dim, dim_out, groups=2):
            super().__init__()
            self.proj = WeightStandardizedConv2d(dim, dim_out, 3, padding=1)
            self.norm = nn.GroupNorm(groups, dim_out)
            self.act = nn.SiLU()

        def forward(self, x, scale_shift=None):
            x = self.norm(self.proj(x))
            if exists(scale_shift):
                scale, shift = scale_shift
                x = x * (scale + 1) + shift
            return self.act(x)

    class ResnetBlock(nn.Module):
        def __init__(self, dim, dim_out, *, time_emb_dim=None):
            super().__init__()
            self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_emb_dim, dim_out * 2)) if exists(time_emb_dim) else None
            self.block1, self.block2 = Block(dim, dim_out), Block(dim_out, dim_out)
            self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

        def forward(self, x, time_emb=None):
            scale_shift = None
            if exists(self.mlp) and exists(time_emb):
                time_emb = self.mlp(time_emb)[(...,) + (None,) * 2]
                scale_shift = time_emb.chunk(2, dim=1)
            h = self.block1(x, scale_shift=scale_shift)
            return self.block2(h) + self.res_conv(x)

    class LinearAttention(nn.Module):
        def __init__(self, dim, heads=2, dim_head=4):
            super().__init__()
            self.heads, self.scale = heads, dim_head**-0.5
            self.to_qkv = nn.Conv2d(dim, heads * dim_head * 3, 1, bias=False)
            self.to_out = nn.Conv2d(heads * dim_head, dim, 1)

        def forward(self, x):
            b, c, h, w = x.shape
            q, k, v = (t.view(b, self.heads, -1, h * w) for t in self.to_qkv(x).chunk(3, dim=1))
            q, k = q.softmax(dim=-2) * self.scale, k.softmax(dim=-1)
            context = torch.einsum("b h d n, b h e n -> b h d e", k, v)
            out = torch.einsum("b h d e, b h d n -> b h e n", context, q).reshape(b, -1, h, w)
            return self.to_out(out)

    class Unet(nn.Module):
        def __init__(self, dim=4):
            super().__init__()
            block = partial(ResnetBlock, time_emb_dim=8)
            self.time_mlp = nn.Sequential(SinusoidalPositionEmbeddings(4), nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 8))
            self.init_conv = nn.Conv2d(1, dim, 3, padding=1)
            self.down = nn.ModuleList([block(dim, dim), LinearAttention(dim), nn.Conv2d(dim, dim * 2, 4, 2, 1)])
            self.mid = block(dim * 2, dim * 2)
            self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(dim * 2, dim, 3, padding=1))
            self.final = block(dim * 2, dim)
            self.out = nn.Conv2d(dim, 1, 1)

        def forward(self, x, time):
            x = self.init_conv(x)
            t = self.time_mlp(time)
            block, attention, downsample = self.down
            x = attention(block(x, t)) + x
            skip = x
            x = self.mid(downsample(x), t)
            x = self.final(torch.cat((self.up(x), skip), dim=1), t)
            return self.out(x)

    def extract(a, t, x_shape):
        out = a.gather(-1, t)
        return out.reshape(t.shape[0], *((1,) * (len(x_shape) - 1))).to(t.device)

    timesteps = 50
    betas = torch.linspace(1e-4, 0.02, timesteps)
    alphas_cumprod = torch.cumprod(1.0 - betas, axis=0)
    alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
    sqrt_alphas_cumprod = torch.sqrt(alphas_cumprod)
    sqrt_one_minus = torch.sqrt(1.0 - alphas_cumprod)
    posterior_variance = betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod)
    rng = np.random.default_rng(4)
    images = torch.tensor(rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4"))
    noises = torch.tensor(rng.standard_normal((20, 4, 1, 8, 8)).astype("f4"))
    times = torch.tensor(rng.integers(0, timesteps, (20, 4)))
    model = start(Unet())
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    def step(i):
        optimizer.zero_grad()
        noise, t = noises[i], times[i]
        noisy = extract(sqrt_alphas_cumprod, t, images.shape) * images + extract(sqrt_one_minus, t, images.shape) * noise
        loss = (
            F.smooth_l1_loss(noise, model(noisy, t), reduction="none")
            .flatten(1)
            .mean(1)
            .mul(1 + extract(posterior_variance, t, (4,)))
            .mean()
        )
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for ours, kept in zip(model.parameters(), ema.parameters()):
                kept.data = kept.data * 0.9 + ours.data * 0.1
        return loss + ema(noisy, t).abs().mean().detach()

    return step, model, (images, times[0])


def neural_style(start):
    """An image changed until its Gram matrices are another's: the image is the parameter."""

    class ContentLoss(nn.Module):
        def __init__(self, target):
            super().__init__()
            self.target = target.detach()

        def forward(self, input):
            self.loss = F.mse_loss(input, self.target)
            return input

    def gram_matrix(input):
        a, b, c, d = input.size()
        features = input.view(a * b, c * d)
        G = torch.mm(features, features.t())
        return G.div(a * b * c * d)

    class StyleLoss(nn.Module):
        def __init__(self, target_feature):
            super().__init__()
            self.target = gram_matrix(target_feature).detach()

        def forward(self, input):
            G = gram_matrix(input)
            self.loss = F.mse_loss(G, self.target)
            return input

    rng = np.random.default_rng(5)
    content, style = (torch.tensor(rng.random((1, 3, 8, 8)).astype("f4")) for _ in range(2))
    cnn = start(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1))).eval()
    model = nn.Sequential()
    content_losses, style_losses, i = [], [], 0
    for layer in cnn.children():
        i += 1
        model.add_module(f"layer_{i}", layer)
        if isinstance(layer, nn.Conv2d):
            content_loss, style_loss = ContentLoss(model(content).detach()), StyleLoss(model(style).detach())
            model.add_module("content_loss_{}".format(i), content_loss)
            model.add_module("style_loss_{}".format(i), style_loss)
            content_losses.append(content_loss)
            style_losses.append(style_loss)
    input_img = content.clone()
    input_img.requires_grad_(True)
    model.requires_grad_(False)
    optimizer = optim.LBFGS([input_img], lr=0.1, max_iter=2)

    def step(i):
        def closure():
            with torch.no_grad():
                input_img.clamp_(0, 1)
            optimizer.zero_grad()
            model(input_img)
            loss = 1e3 * sum(sl.loss for sl in style_losses) + sum(cl.loss for cl in content_losses)
            loss.backward()
            return loss

        return optimizer.step(closure)

    return step, cnn, (content,)


def vq_vae(start):
    """A codebook with a straight-through gradient and running averages of its entries."""

    class VectorQuantizerEMA(nn.Module):
        def __init__(self, num_embeddings=8, embedding_dim=3, decay=0.9, epsilon=1e-5):
            super().__init__()
            self._num, self._dim, self._decay, self._epsilon = num_embeddings, embedding_dim, decay, epsilon
            self._embedding = nn.Embedding(num_embeddings, embedding_dim)
            self._embedding.weight.data.normal_()
            self.register_buffer("_ema_cluster_size", torch.zeros(num_embeddings))
            self._ema_w = nn.Parameter(torch.Tensor(num_embeddings, embedding_dim).normal_())

        def forward(self, inputs):
            flat = inputs.reshape(-1, self._dim)
            distances = (
                torch.sum(flat**2, dim=1, keepdim=True)
                + torch.sum(self._embedding.weight**2, dim=1)
                - 2 * torch.matmul(flat, self._embedding.weight.t())
            )
            indices = torch.argmin(distances, dim=1).unsqueeze(1)
            encodings = torch.zeros(indices.shape[0], self._num, device=inputs.device)
            encodings.scatter_(1, indices, 1)
            quantized = torch.matmul(encodings, self._embedding.weight).view(inputs.shape)
            if self.training:
                self._ema_cluster_size = self._ema_cluster_size * self._decay + (1 - self._decay) * torch.sum(encodings, 0)
                n = torch.sum(self._ema_cluster_size.data)
                self._ema_cluster_size = (self._ema_cluster_size + self._epsilon) / (n + self._num * self._epsilon) * n
                dw = torch.matmul(encodings.t(), flat)
                self._ema_w = nn.Parameter(self._ema_w * self._decay + (1 - self._decay) * dw)
                self._embedding.weight = nn.Parameter(self._ema_w / self._ema_cluster_size.unsqueeze(1))
            loss = 0.25 * F.mse_loss(quantized.detach(), inputs)
            quantized = inputs + (quantized - inputs).detach()
            probs = torch.mean(encodings, dim=0)
            return quantized, loss, torch.exp(-torch.sum(probs * torch.log(probs + 1e-10)))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(OrderedDict([("a", nn.Linear(6, 8)), ("act", nn.ELU()), ("b", nn.Linear(8, 3))]))
            self.vq = VectorQuantizerEMA()
            self.decoder = nn.Linear(3, 6)

        def forward(self, x):
            z, loss, perplexity = self.vq(self.encoder(x))
            return self.decoder(z), loss, perplexity

    model = start(Model())
    rng = np.random.default_rng(6)
    x = torch.tensor(rng.standard_normal((24, 6)).astype("f4"))
    optimizer = optim.Adam([p for n, p in model.named_parameters() if "vq" not in n], lr=1e-2, amsgrad=True)

    def step(i):
        optimizer.zero_grad()
        recon, vq_loss, perplexity = model(x)
        loss = F.mse_loss(recon, x) / x.var() + vq_loss
        loss.backward()
        optimizer.step()
        return loss + 0.01 * perplexity.detach()

    return step, model, (x,)


def mixture_density(start):
    """A network that says a mixture of normals."""

    class MDN(nn.Module):
        def __init__(self, k=3):
            super().__init__()
            self.hidden = nn.Linear(1, 12)
            self.pi, self.mu, self.sigma = nn.Linear(12, k), nn.Linear(12, k), nn.Linear(12, k)

        def forward(self, x):
            h = torch.tanh(self.hidden(x))
            return self.pi(h), self.mu(h), F.elu(self.sigma(h)) + 1 + 1e-4

    model = start(MDN())
    rng = np.random.default_rng(7)
    y = rng.uniform(-2, 2, (40, 1))
    x = torch.tensor(y + 0.7 * np.sin(2 * y) + 0.05 * rng.standard_normal((40, 1)), dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32)
    optimizer = optim.NAdam(model.parameters(), lr=1e-2)

    def step(i):
        pi, mu, sigma = model(x)
        mixture = D.MixtureSameFamily(D.Categorical(logits=pi), D.Normal(mu, sigma))
        loss = -mixture.log_prob(y.squeeze(-1)).mean()
        by_hand = -torch.logsumexp(F.log_softmax(pi, -1) + D.Normal(mu, sigma).log_prob(y), -1).mean()
        assert abs(loss.item() - by_hand.item()) < 1e-4
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model, (x,)
