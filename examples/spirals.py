"""Tell two spirals apart: define, train, save, load, export, and run the file without frazil.

python examples/spirals.py [FOLDER]
"""

import sys
from pathlib import Path

import onnxruntime

import frazil as fz
from frazil import nn
from frazil.nn import functional as F

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
fz.manual_seed(0)

# 400 points on two spirals, half a turn apart.
angle = fz.rand(400) * 9 + 1
spiral = fz.randint(0, 2, (400,))
turn = angle + fz.pi * spiral
points = fz.stack([angle * turn.cos(), angle * turn.sin()], dim=1) / 10 + 0.01 * fz.randn(400, 2)

model = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
optimizer = fz.optim.AdamW(model.parameters(), lr=0.01)
for epoch in range(501):
    loss = F.cross_entropy(model(points), spiral)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 100 == 0:
        correct = (model(points).argmax(1) == spiral).float().mean()
        print(f"epoch {epoch:3}: loss {loss.item():.4f}, {correct.item():.1%} correct")

# A checkpoint is a safetensors file: loading it runs no code.
fz.save(model.state_dict(), folder / "spirals.safetensors")
model.load_state_dict(fz.load(folder / "spirals.safetensors"))

print()
print(fz.onnx.export(model, points[:2], folder / "spirals.onnx", input_names=["points"], output_names=["scores"]))

session = onnxruntime.InferenceSession(folder / "spirals.onnx")
(scores,) = session.run(["scores"], {"points": points.numpy()})
print()
print(f"onnxruntime: {(scores.argmax(1) == spiral.numpy()).mean():.1%} correct")
