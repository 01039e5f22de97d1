"""Spatial transformers: places and values of warped images and volumes, with their gradients, and as files."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

RNG = np.random.default_rng(5)
IMAGE, VOLUME = RNG.standard_normal((2, 3, 5, 4)), RNG.standard_normal((2, 2, 3, 4, 5))
#: Places inside, at the edges and outside.
PLACES, PLACES_3D = RNG.uniform(-2.5, 2.5, (2, 6, 7, 2)), RNG.uniform(-1.6, 1.6, (2, 3, 4, 2, 3))
THETA, THETA_3D = RNG.standard_normal((2, 2, 3)), RNG.standard_normal((2, 3, 4))


def _close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("image", "places"), [(IMAGE, PLACES), (VOLUME, PLACES_3D)], ids=["images", "volumes"])
@pytest.mark.parametrize(
    ("mode", "padding_mode", "align_corners"),
    list(itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True))),
)
def test_values_and_gradients(image, places, mode, padding_mode, align_corners):
    if mode == "bicubic" and image is VOLUME:  # neither library has it
        for library in (fz, torch):
            with pytest.raises((RuntimeError, fz.errors.ArgumentError), match="bicubic"):
                library.nn.functional.grid_sample(
                    library.tensor(image), library.tensor(places), mode, align_corners=align_corners
                )
        return
    results = []
    for library in (fz, torch):
        x, grid = (library.tensor(a, requires_grad=True) for a in (image, places))
        y = library.nn.functional.grid_sample(x, grid, mode, padding_mode, align_corners)
        (y * library.arange(y.numel()).reshape(y.shape)).sum().backward()
        results.append((y, x.grad, grid.grad if mode != "nearest" else x.grad))
    for ours, theirs in zip(*results, strict=True):
        _close(ours, theirs)


def test_gradients_at_the_pixels_themselves():
    """A spatial transformer begins with the identity: every place is a pixel, where the slope is that to the next one."""
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 3)), -1)[None]
    results = []
    for library in (fz, torch):
        places = library.tensor(grid, requires_grad=True)
        image = library.arange(15.0, dtype=library.float64).reshape(1, 1, 3, 5) ** 2
        library.nn.functional.grid_sample(image, places, align_corners=True).sum().backward()
        results.append(places.grad)
    _close(*results)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.filterwarnings("ignore:Since version 1.3.0:UserWarning")  # of PyTorch, for images of one row
@pytest.mark.parametrize(("theta", "size"), [(THETA, (2, 3, 4, 5)), (THETA, (2, 1, 1, 3)), (THETA_3D, (2, 1, 2, 3, 4))])
def test_places(theta, size, align_corners):
    ours, theirs = fz.tensor(theta, requires_grad=True), torch.tensor(theta, requires_grad=True)
    a = fz.nn.functional.affine_grid(ours, size, align_corners=align_corners)
    b = torch.nn.functional.affine_grid(theirs, torch.Size(size), align_corners=align_corners)
    _close(a, b)
    (a**2).sum().backward()
    (b**2).sum().backward()
    _close(ours.grad, theirs.grad)


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_a_spatial_transformer_is_exported(padding_mode):
    class Transformer(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.locate = fz.nn.Sequential(fz.nn.AdaptiveAvgPool2d(1), fz.nn.Flatten(), fz.nn.Linear(1, 6))
            self.locate[2].bias.data.copy_(fz.tensor([1.0, 0, 0, 0, 1, 0]))

        def forward(self, x: Any) -> Any:
            theta = self.locate(x).view(-1, 2, 3)
            grid = fz.nn.functional.affine_grid(theta, x.size())
            return fz.nn.functional.grid_sample(x, grid, padding_mode=padding_mode)

    fz.manual_seed(0)
    axes = {"x": {0: "batch", 2: "height", 3: "width"}}
    report = fz.onnx.export(Transformer(), fz.randn(2, 1, 6, 7), dynamic_shapes=axes)
    assert report.inputs == ["x: float32[batch, 1, height, width]"] and report.checks is not None


def test_mistakes_are_told():
    with pytest.raises(fz.errors.ShapeError, match=r"grid_sample: .*given \[1, 1, 2, 2\] and \[1, 2, 2, 3\]"):
        fz.nn.functional.grid_sample(fz.ones(1, 1, 2, 2), fz.ones(1, 2, 2, 3))
    with pytest.raises(fz.errors.ShapeError, match="affine_grid: expected theta"):
        fz.nn.functional.affine_grid(fz.ones(1, 3, 3), (1, 1, 2, 2))
    with pytest.raises(fz.errors.ArgumentError, match="mode is 'bilinear', 'nearest' or 'bicubic', given 'cubic'"):
        fz.nn.functional.grid_sample(fz.ones(1, 1, 2, 2), fz.ones(1, 2, 2, 2), mode="cubic")
    with pytest.raises(fz.errors.ArgumentError, match="padding_mode is"):
        fz.nn.functional.grid_sample(fz.ones(1, 1, 2, 2), fz.ones(1, 2, 2, 2), padding_mode="reflect")


SIZES = [{"size": (3, 4)}, {"size": (13, 20)}, {"scale_factor": 0.5}, {"scale_factor": (0.37, 1.6)}, {"size": (7, 9)}]
SIZES += [{"scale_factor": 0.3, "recompute_scale_factor": True}]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_images_are_resized_by_means_of_what_a_pixel_covers(mode, align_corners):
    rng = np.random.default_rng(0)
    for options in SIZES:
        options = options | {"mode": mode, "align_corners": align_corners, "antialias": True}
        x = torch.tensor(rng.standard_normal((2, 3, 7, 9)), requires_grad=True)
        y = fz.tensor(x.detach().numpy(), requires_grad=True)
        wanted, found = torch.nn.functional.interpolate(x, **options), fz.nn.functional.interpolate(y, **options)
        np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
        wanted.sin().sum().backward()
        found.sin().sum().backward()
        np.testing.assert_allclose(y.grad.numpy(), x.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_images_of_bytes_are_resized_with_the_weights_of_pytorch(mode, antialias, channels):
    rng = np.random.default_rng(0)
    for align_corners in (False, True):
        for options in SIZES:
            options = options | {"mode": mode, "align_corners": align_corners, "antialias": antialias}
            x = rng.integers(0, 256, (2, channels, 16, 11)).astype(np.uint8)
            wanted = torch.nn.functional.interpolate(torch.tensor(x), **options)
            assert fz.nn.functional.interpolate(fz.tensor(x), **options).tolist() == wanted.tolist()
