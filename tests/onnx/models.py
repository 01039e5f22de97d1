"""Models as people build them, written against a namespace `xp` that is frazil or PyTorch, so that one source makes both.

`models(xp)` gives name -> `Model`. Sizes that change are letters; equal letters are equal sizes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import onnx


@dataclass(frozen=True)
class Model:
    """`make()` builds the module in eval mode. `inputs`: name -> shape, "b 3 h w" for floats, "int:50 b t" for integers below 50,
    "bool b t" for masks. `example` are the sizes to record with, `others` those to run the file with."""

    make: Callable[[], Any]
    inputs: dict[str, str]
    example: dict[str, int]
    others: tuple[dict[str, int], ...]


def _parsed(spec: str) -> tuple[str, list[str]]:
    first, *rest = spec.split()
    return (first, rest) if first == "bool" or ":" in first else ("float", [first, *rest])


def arrays_of(model: Model, sizes: dict[str, int], rng: np.random.Generator) -> list[np.ndarray]:
    """Random inputs."""
    found = []
    for kind, dims in map(_parsed, model.inputs.values()):
        shape = [sizes[dim] if dim.isalpha() else int(dim) for dim in dims]
        if kind == "float":
            found.append(rng.standard_normal(shape).astype(np.float32))
        else:
            found.append(rng.random(shape) > 0.4 if kind == "bool" else rng.integers(0, int(kind.partition(":")[2]), shape))
    return found


def dynamic_axes(model: Model) -> dict[str, dict[int, str]]:
    """Input name -> axis -> letter."""
    return {
        name: {axis: dim for axis, dim in enumerate(_parsed(spec)[1]) if dim.isalpha()} for name, spec in model.inputs.items()
    }


def count_nodes(model: bytes) -> int:
    """Nodes of a file, with those of branches, bodies and called functions."""
    proto = onnx.load_from_string(model)
    functions = {(function.domain, function.name): function for function in proto.functions}

    def count(nodes: Any) -> int:
        total = 0
        for node in nodes:
            called = functions.get((node.domain, node.op_type))
            total += count(called.node) if called is not None else 1
            total += sum(count(attribute.g.node) for attribute in node.attribute if attribute.HasField("g"))
        return total

    return count(proto.graph.node)


def _sizes(letters: str, *rows: str) -> list[dict[str, int]]:
    return [dict(zip(letters, map(int, row.split()), strict=True)) for row in rows]


#: What the sizes of inputs are called, and their values: first the example, then five others.
VECTORS = _sizes("b", "2", "1", "3", "7", "16", "33")
IMAGES = _sizes("bhw", "2 32 32", "1 32 48", "3 64 32", "2 96 64", "5 32 32", "1 64 96")
SEQUENCES = _sizes("bt", "2 12", "1 16", "3 5", "4 23", "2 1", "6 40")
PAIRS = _sizes("bts", "2 7 9", "1 4 16", "3 11 5", "4 2 3", "2 1 8", "5 16 16")
SETS = _sizes("bn", "2 10", "1 7", "3 24", "4 1", "2 33", "5 16")


def models(xp: ModuleType) -> dict[str, Model]:
    """All models, made with `xp`."""
    nn: Any = xp.nn
    F: Any = xp.nn.functional
    found: dict[str, Model] = {}

    def model(sizes: list[dict[str, int]], **inputs: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        def add(make: Callable[[], Any]) -> Callable[[], Any]:
            found[make.__name__] = Model(lambda: make().eval(), inputs, sizes[0], tuple(sizes[1:]))
            return make

        return add

    # --- vectors

    @model(VECTORS, x="b 20")
    def mlp() -> Any:
        return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 5))

    @model(VECTORS, x="b 64")
    def autoencoder() -> Any:
        class Autoencoder(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.encoder = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 6))
                self.decoder = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 64), nn.Sigmoid())

            def forward(self, x: Any) -> Any:
                code = self.encoder(x)
                return self.decoder(code), code

        return Autoencoder()

    @model(VECTORS, x="b 1 28 28", noise="b 8")
    def vae() -> Any:
        class VAE(nn.Module):
            """The noise is an input, so that both sides see the same."""

            def __init__(self) -> None:
                super().__init__()
                self.body = nn.Linear(784, 64)
                self.mean, self.log_variance = nn.Linear(64, 8), nn.Linear(64, 8)
                self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 784))

            def forward(self, x: Any, noise: Any) -> Any:
                h = F.relu(self.body(x.flatten(1)))
                mean, log_variance = self.mean(h), self.log_variance(h)
                z = mean + noise * xp.exp(0.5 * log_variance)
                return xp.sigmoid(self.decoder(z)).view(x.shape), mean, log_variance

        return VAE()

    @model(VECTORS, a="b 1 28 28", b="b 1 28 28")
    def siamese() -> Any:
        class Siamese(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.features = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU())
                self.head = nn.Linear(16 * 64, 32)

            def embed(self, x: Any) -> Any:
                return F.normalize(self.head(self.features(x).flatten(1)), dim=-1)

            def forward(self, a: Any, b: Any) -> Any:
                return (self.embed(a) * self.embed(b)).sum(-1)

        return Siamese()

    @model(VECTORS, x="b 16")
    def mixture_of_softmaxes() -> Any:
        class Mixture(nn.Module):
            def __init__(self, experts: int = 3, classes: int = 10) -> None:
                super().__init__()
                self.experts, self.classes = experts, classes
                self.prior, self.latent, self.out = nn.Linear(16, experts), nn.Linear(16, experts * 24), nn.Linear(24, classes)

            def forward(self, x: Any) -> Any:
                prior = F.softmax(self.prior(x), dim=-1)
                latent = xp.tanh(self.latent(x)).view(-1, self.experts, 24)
                chances = F.softmax(self.out(latent), dim=-1)
                return xp.log((chances * prior.unsqueeze(-1)).sum(1))

        return Mixture()

    @model(VECTORS, x="b 16")
    def mixture_of_experts() -> Any:
        class Experts(nn.Module):
            """The best two experts of every row, by their gates."""

            def __init__(self) -> None:
                super().__init__()
                self.gate = nn.Linear(16, 4)
                self.experts = nn.ModuleList([nn.Linear(16, 8) for _ in range(4)])

            def forward(self, x: Any) -> Any:
                gates, chosen = xp.topk(self.gate(x), 2, dim=-1)
                outputs = xp.stack([expert(x) for expert in self.experts], dim=1)
                picked = xp.gather(outputs, 1, chosen.unsqueeze(-1).expand(-1, -1, 8))
                return (picked * F.softmax(gates, dim=-1).unsqueeze(-1)).sum(1)

        return Experts()

    @model(VECTORS, user="int:100 b", item="int:200 b", dense="b 5")
    def two_tower_recommender() -> Any:
        class TwoTowers(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.users, self.items = nn.Embedding(100, 16), nn.Embedding(200, 16)
                self.user_tower = nn.Sequential(nn.Linear(21, 32), nn.ReLU(), nn.Linear(32, 8))
                self.item_tower = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))

            def forward(self, user: Any, item: Any, dense: Any) -> Any:
                u = self.user_tower(xp.cat([self.users(user), dense], dim=-1))
                v = self.item_tower(self.items(item))
                return xp.sigmoid((u * v).sum(-1)), u @ v.t()

        return TwoTowers()

    # --- images

    @model(IMAGES, x="b 3 h w")
    def resnet18() -> Any:
        class Block(nn.Module):
            def __init__(self, inner: int, outer: int, stride: int) -> None:
                super().__init__()
                self.conv1, self.bn1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer)
                self.conv2, self.bn2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer)
                self.downsample = None
                if stride != 1 or inner != outer:
                    self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

            def forward(self, x: Any) -> Any:
                same = x if self.downsample is None else self.downsample(x)
                y = F.relu(self.bn1(self.conv1(x)))
                return F.relu(self.bn2(self.conv2(y)) + same)

        class ResNet(nn.Module):
            """ResNet-18 with an eighth of its channels (https://arxiv.org/abs/1512.03385)."""

            def __init__(self) -> None:
                super().__init__()
                self.stem = nn.Sequential(
                    nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
                )
                widths = [8, 8, 16, 32, 64]
                self.layers = nn.Sequential(
                    *[nn.Sequential(Block(a, b, 1 if a == b else 2), Block(b, b, 1)) for a, b in itertools.pairwise(widths)]
                )
                self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(64, 10)

            def forward(self, x: Any) -> Any:
                return self.fc(xp.flatten(self.pool(self.layers(self.stem(x))), 1))

        return ResNet()

    @model(IMAGES, x="b 3 h w")
    def unet() -> Any:
        def double(inner: int, outer: int) -> Any:
            return nn.Sequential(
                nn.Conv2d(inner, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU(),
                nn.Conv2d(outer, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU(),
            )  # fmt: skip

        class UNet(nn.Module):
            """https://arxiv.org/abs/1505.04597"""

            def __init__(self) -> None:
                super().__init__()
                self.down1, self.down2, self.middle = double(3, 8), double(8, 16), double(16, 32)
                self.up2, self.join2 = nn.ConvTranspose2d(32, 16, 2, 2), double(32, 16)
                self.up1, self.join1 = nn.ConvTranspose2d(16, 8, 2, 2), double(16, 8)
                self.head, self.pool = nn.Conv2d(8, 2, 1), nn.MaxPool2d(2)

            def forward(self, x: Any) -> Any:
                a = self.down1(x)
                b = self.down2(self.pool(a))
                c = self.middle(self.pool(b))
                b = self.join2(xp.cat([self.up2(c), b], 1))
                return self.head(self.join1(xp.cat([self.up1(b), a], 1)))

        return UNet()

    @model(IMAGES, x="b 3 h w")
    def unet_with_interpolation() -> Any:
        class UNet(nn.Module):
            """Grows its images to the size of the skipped connection, whatever it is."""

            def __init__(self) -> None:
                super().__init__()
                self.down1, self.down2 = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 16, 3, 2, 1)
                self.middle, self.join = nn.Conv2d(16, 16, 3, 2, 1), nn.Conv2d(32, 8, 3, 1, 1)
                self.head = nn.Conv2d(16, 2, 1)

            def forward(self, x: Any) -> Any:
                a = F.relu(self.down1(x))
                b = F.relu(self.down2(a))
                c = F.relu(self.middle(b))
                up = F.interpolate(c, size=b.shape[-2:], mode="bilinear", align_corners=False)
                b = F.relu(self.join(xp.cat([up, b], 1)))
                up = F.interpolate(b, size=a.shape[-2:], mode="bilinear", align_corners=False)
                return self.head(xp.cat([up, a], 1))

        return UNet()

    @model(IMAGES, x="b 3 h w")
    def mobilenet() -> Any:
        class Inverted(nn.Module):
            """An inverted residual (https://arxiv.org/abs/1801.04381)."""

            def __init__(self, inner: int, outer: int, stride: int) -> None:
                super().__init__()
                wide = 4 * inner
                self.residual = stride == 1 and inner == outer
                self.body = nn.Sequential(
                    nn.Conv2d(inner, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
                    nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
                    nn.Conv2d(wide, outer, 1, bias=False), nn.BatchNorm2d(outer),
                )  # fmt: skip

            def forward(self, x: Any) -> Any:
                return x + self.body(x) if self.residual else self.body(x)

        class MobileNet(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.features = nn.Sequential(
                    nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish(),
                    Inverted(8, 8, 1), Inverted(8, 16, 2), Inverted(16, 16, 1),
                )  # fmt: skip
                self.head = nn.Linear(16, 10)

            def forward(self, x: Any) -> Any:
                return self.head(self.features(x).mean([2, 3]))

        return MobileNet()

    @model(IMAGES, x="b 3 h w")
    def squeeze_and_excite() -> Any:
        class SqueezeExcite(nn.Module):
            """https://arxiv.org/abs/1709.01507"""

            def __init__(self) -> None:
                super().__init__()
                self.conv, self.squeeze, self.excite = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, 4), nn.Linear(4, 16)

            def forward(self, x: Any) -> Any:
                y = F.silu(self.conv(x))
                b, c, _, _ = y.shape
                gate = F.adaptive_avg_pool2d(y, 1).view(b, c)
                gate = xp.sigmoid(self.excite(F.relu(self.squeeze(gate)))).view(b, c, 1, 1)
                return y * gate

        return SqueezeExcite()

    @model(IMAGES, x="b 3 h w")
    def densenet() -> Any:
        class DenseNet(nn.Module):
            """Every layer sees all before it (https://arxiv.org/abs/1608.06993)."""

            def __init__(self) -> None:
                super().__init__()
                self.stem = nn.Conv2d(3, 8, 3, padding=1)
                self.norms = nn.ModuleList([nn.BatchNorm2d(8 + 4 * i) for i in range(4)])
                self.convs = nn.ModuleList([nn.Conv2d(8 + 4 * i, 4, 3, padding=1, bias=False) for i in range(4)])
                self.transition, self.head = nn.Conv2d(24, 12, 1), nn.Linear(12, 10)

            def forward(self, x: Any) -> Any:
                features = [self.stem(x)]
                for norm, conv in zip(self.norms, self.convs, strict=True):
                    features.append(conv(F.relu(norm(xp.cat(features, 1)))))
                y = F.avg_pool2d(self.transition(xp.cat(features, 1)), 2)
                return self.head(F.adaptive_avg_pool2d(F.relu(y), (1, 1)).flatten(1))

        return DenseNet()

    @model(IMAGES, x="b 3 h w")
    def feature_pyramid() -> Any:
        class Pyramid(nn.Module):
            """https://arxiv.org/abs/1612.03144"""

            def __init__(self) -> None:
                super().__init__()
                widths = [3, 8, 16, 32]
                self.stages = nn.ModuleList([nn.Conv2d(a, b, 3, 2, 1) for a, b in itertools.pairwise(widths)])
                self.lateral = nn.ModuleList([nn.Conv2d(width, 8, 1) for width in widths[1:]])
                self.smooth = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1) for _ in widths[1:]])

            def forward(self, x: Any) -> Any:
                features = []
                for stage in self.stages:
                    x = F.relu(stage(x))
                    features.append(x)
                levels = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
                for i in (1, 0):
                    levels[i] = levels[i] + F.interpolate(levels[i + 1], scale_factor=2, mode="nearest")
                return tuple(smooth(level) for smooth, level in zip(self.smooth, levels, strict=True))

        return Pyramid()

    @model(IMAGES, x="b 1 h w")
    def super_resolution() -> Any:
        class SuperResolution(nn.Module):
            """https://arxiv.org/abs/1609.05158"""

            def __init__(self) -> None:
                super().__init__()
                self.body = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.Tanh(), nn.Conv2d(16, 9, 3, padding=1))
                self.shuffle = nn.PixelShuffle(3)

            def forward(self, x: Any) -> Any:
                return xp.clamp(self.shuffle(self.body(x)), 0.0, 1.0)

        return SuperResolution()

    @model(_sizes("bhw", "2 4 4", "1 4 6", "3 8 4", "2 5 7", "5 1 1", "1 16 3"), z="b 12 h w")
    def gan_generator() -> Any:
        return nn.Sequential(
            nn.ConvTranspose2d(12, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(8, 3, 4, 2, 1, output_padding=1), nn.Tanh(),
        )  # fmt: skip

    @model(IMAGES, content="b 3 h w", style="b 3 h w")
    def style_transfer() -> Any:
        class AdaIN(nn.Module):
            """The statistics of one image on another (https://arxiv.org/abs/1703.06868)."""

            def __init__(self) -> None:
                super().__init__()
                self.encoder = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8), nn.ReLU())
                self.decoder = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(8, 3, 3))

            def forward(self, content: Any, style: Any) -> Any:
                a, b = self.encoder(content), self.encoder(style)
                scale = b.std((2, 3), keepdim=True) / (a.std((2, 3), keepdim=True) + 1e-5)
                return self.decoder((a - a.mean((2, 3), keepdim=True)) * scale + b.mean((2, 3), keepdim=True))

        return AdaIN()

    @model(_sizes("b", "2", "1", "3", "5", "8", "11"), x="b 3 32 32")
    def vision_transformer() -> Any:
        class ViT(nn.Module):
            """https://arxiv.org/abs/2010.11929"""

            def __init__(self) -> None:
                super().__init__()
                self.patches = nn.Conv2d(3, 32, 8, 8)
                self.token = nn.Parameter(xp.zeros(1, 1, 32))
                self.positions = nn.Parameter(xp.randn(1, 17, 32) * 0.02)
                self.blocks = nn.Sequential(PreNorm(32, 4), PreNorm(32, 4))
                self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

            def forward(self, x: Any) -> Any:
                x = self.patches(x).flatten(2).transpose(1, 2)
                x = xp.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
                return self.head(self.norm(self.blocks(x))[:, 0])

        return ViT()

    @model(_sizes("b", "2", "1", "3", "5", "8", "11"), x="b 3 32 32")
    def mlp_mixer() -> Any:
        class Mixer(nn.Module):
            """https://arxiv.org/abs/2105.01601"""

            def __init__(self) -> None:
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(24), nn.LayerNorm(24)
                self.tokens = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
                self.channels = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))

            def forward(self, x: Any) -> Any:
                x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
                return x + self.channels(self.norm2(x))

        class MLPMixer(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.patches, self.blocks, self.norm = nn.Conv2d(3, 24, 8, 8), nn.Sequential(Mixer(), Mixer()), nn.LayerNorm(24)
                self.head = nn.Linear(24, 10)

            def forward(self, x: Any) -> Any:
                x = self.patches(x).flatten(2).transpose(1, 2)
                return self.head(self.norm(self.blocks(x)).mean(1))

        return MLPMixer()

    # --- sequences

    class SelfAttention(nn.Module):
        """Written out, as in many repositories."""

        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x: Any, mask: Any = None) -> Any:
            b, t, c = x.shape
            q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
            scores = q @ k.transpose(-2, -1) * (1.0 / math.sqrt(c // self.heads))
            if mask is not None:
                scores = scores.masked_fill(mask, float("-inf"))
            return self.out((F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(b, t, c))

    class PreNorm(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.norm1, self.norm2, self.attention = nn.LayerNorm(width), nn.LayerNorm(width), SelfAttention(width, heads)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x: Any, mask: Any = None) -> Any:
            x = x + self.attention(self.norm1(x), mask)
            return x + self.mlp(self.norm2(x))

    @model(SEQUENCES, tokens="int:50 b t")
    def gpt() -> Any:
        class GPT(nn.Module):
            """Causal, with learned positions and the output layer tied to the embedding."""

            def __init__(self) -> None:
                super().__init__()
                self.tokens, self.positions = nn.Embedding(50, 32), nn.Embedding(64, 32)
                self.blocks, self.norm = nn.ModuleList([PreNorm(32, 4), PreNorm(32, 4)]), nn.LayerNorm(32)
                self.head = nn.Linear(32, 50, bias=False)
                self.head.weight = self.tokens.weight
                self.register_buffer("causal", xp.triu(xp.ones(64, 64), diagonal=1).bool())

            def forward(self, tokens: Any) -> Any:
                _, t = tokens.shape
                x = self.tokens(tokens) + self.positions(xp.arange(t))
                mask = self.causal[:t, :t]
                for block in self.blocks:
                    x = block(x, mask)
                return self.head(self.norm(x))

        return GPT()

    @model(SEQUENCES, tokens="int:50 b t", keep="bool b t")
    def encoder_with_padding_mask() -> Any:
        class Encoder(nn.Module):
            """Rows that are masked completely give zeros, not NaN."""

            def __init__(self) -> None:
                super().__init__()
                self.tokens, self.q, self.k, self.v = nn.Embedding(50, 32), *(nn.Linear(32, 32) for _ in range(3))
                self.norm = nn.LayerNorm(32)

            def forward(self, tokens: Any, keep: Any) -> Any:
                x = self.tokens(tokens)
                scores = self.q(x) @ self.k(x).transpose(1, 2) / 32**0.5
                scores = scores.masked_fill(~keep[:, None, :], float("-inf"))
                weights = xp.nan_to_num(F.softmax(scores, dim=-1), nan=0.0)
                x = self.norm(x + weights @ self.v(x))
                count = keep.sum(1, keepdim=True).clamp(min=1)
                return (x * keep.unsqueeze(-1)).sum(1) / count

        return Encoder()

    @model(SEQUENCES, tokens="int:50 b t")
    def lstm_language_model() -> Any:
        class Language(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.tokens, self.head = nn.Embedding(50, 16), nn.Linear(24, 50)
                self.lstm = nn.LSTM(16, 24, num_layers=2, dropout=0.1, batch_first=True)

            def forward(self, tokens: Any) -> Any:
                y, (h, c) = self.lstm(self.tokens(tokens))
                return self.head(y), h, c

        return Language()

    @model(SEQUENCES, x="b t 8")
    def gru_classifier() -> Any:
        class Classifier(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.gru, self.head = nn.GRU(8, 16, num_layers=2, batch_first=True), nn.Linear(16, 4)

            def forward(self, x: Any) -> Any:
                return self.head(self.gru(x)[0][:, -1])

        return Classifier()

    @model(SEQUENCES, tokens="int:50 b t")
    def bidirectional_tagger() -> Any:
        class Tagger(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.tokens, self.head = nn.Embedding(50, 16), nn.Linear(32, 7)
                self.lstm = nn.LSTM(16, 16, bidirectional=True, batch_first=True)

            def forward(self, tokens: Any) -> Any:
                return self.head(self.lstm(self.tokens(tokens))[0])

        return Tagger()

    @model(_sizes("bt", "2 12", "1 16", "3 5", "4 23", "2 2", "6 40"), x="t b 8", h="1 b 16", c="1 b 16")
    def streaming_lstm() -> Any:
        class Streaming(nn.Module):
            """One piece of a sequence, with the state before and after it."""

            def __init__(self) -> None:
                super().__init__()
                self.lstm, self.head = nn.LSTM(8, 16), nn.Linear(16, 2)

            def forward(self, x: Any, h: Any, c: Any) -> Any:
                y, state = self.lstm(x, (h, c))
                return self.head(y), state

        return Streaming()

    @model(SEQUENCES, x="b t 32", missing="bool b t")
    def attention_pooling() -> Any:
        class Pooling(nn.Module):
            """A learned query looks at what is not missing."""

            def __init__(self) -> None:
                super().__init__()
                self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
                self.query, self.norm = nn.Parameter(xp.randn(1, 1, 32)), nn.LayerNorm(32)

            def forward(self, x: Any, missing: Any) -> Any:
                first = xp.arange(x.shape[1]) == 0
                query = self.query.expand(x.shape[0], -1, -1)
                y, weights = self.attention(query, x, x, key_padding_mask=missing & ~first)
                return self.norm(y[:, 0]), weights

        return Pooling()

    @model(SEQUENCES, x="b t 32")
    def transformer_encoder() -> Any:
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)
        return nn.TransformerEncoder(layer, 2, nn.LayerNorm(32), enable_nested_tensor=False)

    @model(PAIRS, source="b s 32", target="b t 32")
    def transformer_decoder() -> Any:
        class Decoder(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                layer = nn.TransformerDecoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
                self.decoder, self.head = nn.TransformerDecoder(layer, 2), nn.Linear(32, 50)

            def forward(self, source: Any, target: Any) -> Any:
                t = target.shape[1]
                mask = xp.triu(xp.full((t, t), float("-inf")), diagonal=1)
                return self.head(self.decoder(target, source, tgt_mask=mask, tgt_is_causal=True))

        return Decoder()

    @model(PAIRS, query="b t 32", memory="b s 32", keep="bool b s")
    def cross_attention() -> Any:
        class CrossAttention(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.q, self.kv, self.out = nn.Linear(32, 32), nn.Linear(32, 64), nn.Linear(32, 32)

            def forward(self, query: Any, memory: Any, keep: Any) -> Any:
                q = self.q(query).unflatten(-1, (4, 8)).transpose(1, 2)
                k, v = (part.unflatten(-1, (4, 8)).transpose(1, 2) for part in self.kv(memory).chunk(2, dim=-1))
                bias = xp.where(keep, 0.0, -1e9)[:, None, None, :]
                y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
                return self.out(y.transpose(1, 2).flatten(2))

        return CrossAttention()

    @model(SEQUENCES, x="b 1 t")
    def wavenet() -> Any:
        class WaveNet(nn.Module):
            """Causal dilated convolutions with gates (https://arxiv.org/abs/1609.03499)."""

            def __init__(self) -> None:
                super().__init__()
                self.stem, self.head = nn.Conv1d(1, 16, 1), nn.Conv1d(16, 8, 1)
                self.gated = nn.ModuleList([nn.Conv1d(16, 32, 2, dilation=2**i) for i in range(4)])
                self.skips = nn.ModuleList([nn.Conv1d(16, 16, 1) for _ in range(4)])

            def forward(self, x: Any) -> Any:
                x = self.stem(x)
                total = 0
                for i, (gated, skip) in enumerate(zip(self.gated, self.skips, strict=True)):
                    a, b = gated(F.pad(x, (2**i, 0))).chunk(2, dim=1)
                    y = skip(xp.tanh(a) * xp.sigmoid(b))
                    x, total = x + y, total + y
                return self.head(F.relu(total))

        return WaveNet()

    @model(SEQUENCES, x="b 4 t")
    def temporal_convolutions() -> Any:
        class Chomp(nn.Module):
            def __init__(self, size: int) -> None:
                super().__init__()
                self.size = size

            def forward(self, x: Any) -> Any:
                return x[:, :, : -self.size].contiguous()

        class Block(nn.Module):
            def __init__(self, inner: int, outer: int, dilation: int) -> None:
                super().__init__()
                around = 2 * dilation
                self.body = nn.Sequential(
                    nn.Conv1d(inner, outer, 3, padding=around, dilation=dilation), Chomp(around), nn.ReLU(), nn.Dropout(0.2),
                    nn.Conv1d(outer, outer, 3, padding=around, dilation=dilation), Chomp(around), nn.ReLU(), nn.Dropout(0.2),
                )  # fmt: skip
                self.same = nn.Conv1d(inner, outer, 1) if inner != outer else nn.Identity()

            def forward(self, x: Any) -> Any:
                return F.relu(self.body(x) + self.same(x))

        class TCN(nn.Module):
            """https://arxiv.org/abs/1803.01271"""

            def __init__(self) -> None:
                super().__init__()
                self.blocks, self.head = nn.Sequential(Block(4, 8, 1), Block(8, 8, 2), Block(8, 16, 4)), nn.Linear(16, 3)

            def forward(self, x: Any) -> Any:
                return self.head(self.blocks(x)[:, :, -1])

        return TCN()

    @model(SEQUENCES, tokens="int:60 b t")
    def text_classifier() -> Any:
        class Classifier(nn.Module):
            """A bag of words; token 0 is padding and does not count."""

            def __init__(self) -> None:
                super().__init__()
                self.words, self.head = nn.Embedding(60, 16, padding_idx=0), nn.Linear(16, 4)

            def forward(self, tokens: Any) -> Any:
                present = (tokens != 0).unsqueeze(-1).float()
                total = (self.words(tokens) * present).sum(1)
                return F.log_softmax(self.head(total / present.sum(1).clamp(min=1.0)), dim=-1)

        return Classifier()

    @model(SEQUENCES, tokens="int:60 b t")
    def text_convolutions() -> Any:
        class TextCNN(nn.Module):
            """https://arxiv.org/abs/1408.5882"""

            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(60, 16)
                self.convs = nn.ModuleList([nn.Conv1d(16, 8, k, padding=k // 2) for k in (3, 5)])
                self.head = nn.Linear(16, 4)

            def forward(self, tokens: Any) -> Any:
                x = self.words(tokens).transpose(1, 2)
                return self.head(xp.cat([F.relu(conv(x)).amax(-1) for conv in self.convs], dim=1))

        return TextCNN()

    # --- sets and graphs

    @model(SETS, points="b n 3")
    def pointnet() -> Any:
        class PointNet(nn.Module):
            """https://arxiv.org/abs/1612.00593"""

            def __init__(self) -> None:
                super().__init__()
                self.local = nn.Sequential(nn.Conv1d(3, 16, 1), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 32, 1))
                self.each = nn.Conv1d(64, 8, 1)

            def forward(self, points: Any) -> Any:
                x = self.local(points.transpose(1, 2))
                whole = xp.max(x, dim=2, keepdim=True)[0]
                joined = xp.cat([x, whole.expand(-1, -1, x.shape[2])], dim=1)
                return self.each(joined).transpose(1, 2), whole.squeeze(-1)

        return PointNet()

    @model(SETS, x="b n 6", adjacency="b n n")
    def graph_convolutions() -> Any:
        class GraphConvolutions(nn.Module):
            """https://arxiv.org/abs/1609.02907, with the adjacency as a matrix."""

            def __init__(self) -> None:
                super().__init__()
                self.one, self.two = nn.Linear(6, 16), nn.Linear(16, 3)

            def forward(self, x: Any, adjacency: Any) -> Any:
                n = x.shape[1]
                a = adjacency.abs() + xp.eye(n)
                scale = a.sum(-1).rsqrt()
                a = scale.unsqueeze(-1) * a * scale.unsqueeze(-2)
                return self.two(a @ F.relu(self.one(a @ x))).mean(1)

        return GraphConvolutions()

    @model(SETS, x="b n 16")
    def deep_sets() -> Any:
        class DeepSets(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.each = nn.Sequential(nn.Linear(16, 32), nn.ELU(), nn.Linear(32, 32))
                self.all = nn.Sequential(nn.Linear(96, 16), nn.ELU(), nn.Linear(16, 2))

            def forward(self, x: Any) -> Any:
                y = self.each(x)
                return self.all(xp.cat([y.mean(1), y.amax(1), y.std(1, unbiased=False)], dim=-1))

        return DeepSets()

    return found
