"""Weight and spectral normalisation, compared with PyTorch: values, gradients, names, several steps of training."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

KINDS = {
    "weight_norm of a convolution": lambda t: t.nn.utils.weight_norm(t.nn.Conv1d(2, 3, 2)),
    "weight_norm, one length": lambda t: t.nn.utils.weight_norm(t.nn.Conv1d(2, 3, 2), dim=None),
    "weight_norm, other dim": lambda t: t.nn.utils.weight_norm(t.nn.Conv1d(2, 3, 2), "weight", 1),
    "spectral_norm of a convolution": lambda t: t.nn.utils.spectral_norm(t.nn.Conv1d(2, 3, 2)),
    "spectral_norm of a transposed one": lambda t: t.nn.utils.spectral_norm(t.nn.ConvTranspose1d(2, 3, 2), n_power_iterations=2),
}


@pytest.mark.filterwarnings("ignore:.*norm")
@pytest.mark.parametrize("kind", KINDS)
def test_normalised_weights_train_as_in_pytorch(kind):
    theirs, ours = KINDS[kind](torch), KINDS[kind](fz)
    assert {k: tuple(v.shape) for k, v in theirs.state_dict().items()} == {
        k: tuple(v.shape) for k, v in ours.state_dict().items()
    }
    assert [n for n, _ in theirs.named_parameters()] == [n for n, _ in ours.named_parameters()]
    ours.load_state_dict({k: fz.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(2, 2, 5)).astype(np.float32)
    optimizers = torch.optim.SGD(theirs.parameters(), lr=0.1), fz.optim.SGD(ours.parameters(), lr=0.1)
    for training in (True, True, False):
        results = []
        for t, layer, optimizer in ((torch, theirs, optimizers[0]), (fz, ours, optimizers[1])):
            layer.train(training)
            optimizer.zero_grad()
            y = layer(t.tensor(x))
            (y * y).sum().backward()
            optimizer.step()
            results.append(y.detach().numpy())
        np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(value.numpy(), ours.state_dict()[name].numpy(), rtol=1e-4, atol=1e-5, err_msg=name)

    fz.onnx.export(ours, fz.tensor(x))
    kept = ours(fz.tensor(x))
    remove = fz.nn.utils.remove_weight_norm if "weight_norm" in kind else fz.nn.utils.remove_spectral_norm
    plain = remove(ours)
    assert sorted(plain.state_dict()) == ["bias", "weight"]
    fz.testing.assert_close(plain(fz.tensor(x)), kept)


def test_what_is_refused():
    layer = fz.nn.utils.weight_norm(fz.nn.Linear(2, 2))
    with pytest.raises(RuntimeError, match="Linear.weight has this normalisation already"):
        fz.nn.utils.weight_norm(layer)
    with pytest.raises(ValueError, match="Linear.bias has no such normalisation to remove"):
        fz.nn.utils.remove_weight_norm(layer, "bias")
