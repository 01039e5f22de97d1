"""Fine-tune a network that PyTorch trained and exported: its ONNX file becomes a module, gets another last layer, and learns on.

python examples/fine_tune.py [FOLDER] [DEVICE ...]

Needs PyTorch (pip install torch). PyTorch's network tells the digits 0 to 4; frazil's learns all ten, on every device named.
"""

import sys
from pathlib import Path

import onnxruntime
import torch

import frazil as fz
from frazil import nn
from frazil.nn import functional as F
from frazil.plugins import digits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
devices = sys.argv[2:] or ["cpu"]
training, held_out = digits.load()


def in_pytorch():
    """A ConvNet that has learned 0 to 4, as an ONNX file."""
    torch.manual_seed(0)
    layers = torch.nn
    net = layers.Sequential(
        layers.Conv2d(1, 16, 3),
        layers.BatchNorm2d(16),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Flatten(),
        layers.Linear(144, 5),
    )
    few = training.labels < 5
    images, labels = torch.from_numpy(training.images[few]), torch.from_numpy(training.labels[few]).long()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(3):
        for chunk in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(images[chunk]), labels[chunk]).backward()
            optimizer.step()
    torch.onnx.export(
        net.eval(),
        (images[:2],),
        str(folder / "five.onnx"),
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,  # else the batch norm becomes a part of the convolution
        input_names=["x"],
        output_names=["scores"],
        dynamic_axes={"x": {0: "batch"}},
    )


def accuracy(model, device):
    """The share of the held-out images that are read correctly."""
    model.eval()
    with fz.no_grad():
        scores = model(fz.tensor(held_out.images, device=device))
    return (scores.argmax(1) == fz.tensor(held_out.labels, device=device)).float().mean().item()


in_pytorch()
for device in devices:
    fz.manual_seed(0)
    model = fz.onnx.load(folder / "five.onnx", device=device)
    last = nn.Linear(144, 10).to(device)
    layer = model.get_submodule("5")
    layer.weight, layer.bias = last.weight, last.bias
    before = accuracy(model, device)
    optimizer = fz.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(3):
        order = fz.randperm(len(training.images)).numpy()
        for start in range(0, len(order), 64):
            chunk = order[start : start + 64]
            images, labels = (fz.tensor(part[chunk], device=device) for part in (training.images, training.labels))
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"{device}: {before:.1%} of ten digits are read with a new last layer, {accuracy(model, device):.1%} after training")

model = model.eval().to("cpu")
example = fz.tensor(held_out.images[:2])
print(fz.onnx.export(model, example, folder / "ten.onnx", dynamic_shapes={"x": {0: "batch"}}, output_names=["scores"]))
(scores,) = onnxruntime.InferenceSession(folder / "ten.onnx").run(["scores"], {"x": held_out.images})
print(f"onnxruntime: {(scores.argmax(1) == held_out.labels).mean():.1%} of ten digits are read")
