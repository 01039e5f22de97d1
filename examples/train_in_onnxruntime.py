"""Freeze a whole training step, forward, backward and optimiser, and train with it in onnxruntime.

python examples/train_in_onnxruntime.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

import frazil as fz
from frazil import nn
from frazil.nn import functional as F

file = Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "step.onnx"
fz.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = fz.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def step(x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


x = fz.linspace(-3, 3, 64).reshape(64, 1)
y = fz.sin(x)
print(fz.onnx.export_step(step, (x, y), file, dynamic_shapes={"x": {0: "batch"}, "y": {0: "batch"}}))

session = fz.onnx.TrainingSession(file)
for i in range(301):
    loss = session.step(x, y)
    if i % 100 == 0:
        print(f"step {i:3}: loss {loss:.5f}")

eager = [step(x, y).item() for _ in range(301)]
print(f"the same 301 steps in frazil end at {eager[-1]:.5f}")
assert np.isclose(loss, eager[-1], rtol=1e-2)
