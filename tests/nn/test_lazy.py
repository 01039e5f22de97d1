"""Lazy layers become the layers they name, with the sizes of the first input."""

from __future__ import annotations

import pytest

import frazil as fz

nn = fz.nn
KINDS = [("Conv", (3,)), ("ConvTranspose", (3,)), ("BatchNorm", ()), ("InstanceNorm", ())]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(("kind", "channels"), KINDS)
def test_every_lazy_layer_is_the_layer_it_names(kind, channels, n):
    lazy, eager = getattr(nn, f"Lazy{kind}{n}d"), getattr(nn, f"{kind}{n}d")
    options = {"kernel_size": 2, "bias": True} if channels else {"affine": True, "track_running_stats": True}
    layer = lazy(*channels, **options)
    assert layer.has_uninitialized_params() and isinstance(layer.weight, nn.UninitializedParameter)
    x = fz.randn(2, 4, *(5,) * n)
    held = list(layer.parameters())
    out = layer(x)
    right = eager(4, *channels, **options)
    assert type(layer) is eager and repr(layer) == repr(right)
    assert all(a is b for a, b in zip(held, layer.parameters(), strict=True))
    assert not isinstance(layer.weight, nn.UninitializedParameter)
    right.load_state_dict(layer.state_dict())
    fz.testing.assert_close(layer.eval()(x), right.eval()(x))
    assert out.shape == right(x).shape


def test_a_lazy_model_trains_and_loads():
    model = nn.Sequential(nn.LazyConv2d(4, 3, groups=2), nn.Flatten(), nn.LazyLinear(2))
    optimizer = fz.optim.SGD(model.parameters(), lr=0.1)
    x = fz.randn(3, 2, 5, 5)
    model(x).sum().backward()
    before = model[2].weight.clone()
    optimizer.step()
    assert not (before == model[2].weight).all()
    other = nn.Sequential(nn.LazyConv2d(4, 3, groups=2), nn.Flatten(), nn.LazyLinear(2))
    other.load_state_dict(model.state_dict())
    fz.testing.assert_close(other(x), model(x))
    assert other[2].in_features == 36 and other[0].in_channels == 2
    with pytest.raises(RuntimeError, match="divisible by groups"):
        nn.LazyConv1d(4, 1, groups=2)(fz.randn(1, 3, 4))
    with pytest.raises(RuntimeError, match="dimensions"):
        nn.LazyConv1d(4, 1)(fz.randn(3))


@pytest.mark.parametrize("ask", [lambda p: p.numel(), lambda p: p.shape, lambda p: p.size()])
def test_parameters_without_a_shape_say_so(ask):
    """A count of the parameters of a model would leave them out."""
    net = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    for t in (net[0].weight, net[1].running_mean):
        with pytest.raises(RuntimeError, match="has no shape yet: call the model once"):
            ask(t)
    net(fz.ones(2, 4))
    assert sum(p.numel() for p in net.parameters()) == 3 * 4 + 3 + 6


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ["BatchNorm", "InstanceNorm"])
def test_lazy_normalisations_have_the_defaults_of_batch_normalisation(kind, n):
    lazy = getattr(nn, f"Lazy{kind}{n}d")
    layer = lazy()
    assert (layer.eps, layer.momentum, layer.affine, layer.track_running_stats) == (1e-5, 0.1, True, True)
    layer = lazy(1e-3, None, True, True, None, fz.float64)
    layer(fz.ones(2, 3, *[4] * n, dtype=fz.float64))
    assert (layer.eps, layer.momentum, layer.num_features, layer.weight.dtype) == (1e-3, None, 3, fz.float64)
    assert (
        lazy(affine=False).weight is None
        and lazy(bias=False).bias is None
        and lazy(track_running_stats=False).running_mean is None
    )
    with pytest.raises(TypeError, match="epsilon"):
        lazy(epsilon=1e-3)
