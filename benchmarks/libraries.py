"""`python -m benchmarks.libraries [--only TEXT] [--single]`: models of libraries that know PyTorch alone, by both.

Needs torch and those of timm, transformers and kornia that are to run (`pip install timm transformers kornia`). Every model
is made by its library in a process with PyTorch, which keeps weights, inputs, results and gradients; then in one where
`import torch` is frazil (`frazil run-torch`), from the same weights. In float64, where rounding is no excuse; `--single`: in
float32. Printed are the largest difference of a result, relative to its largest element, and of a gradient, relative to its
largest element or a thousandth of the largest of all gradients. The models are small: the question is whether it is the same,
not how fast it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "libraries.json"
#: The largest relative differences that count as equal.
BARS = {"results": 1e-5, "gradients": 1e-4}

_SIZED = {"img_size": 64}
_TINY = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37}
_GROUPED = {**_TINY, "num_key_value_heads": 2}
_GPT = {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4}
_DISTILLED = {"vocab_size": 99, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 37}
_T5 = {"vocab_size": 99, "d_model": 32, "d_ff": 37, "num_layers": 2, "num_heads": 4, "d_kv": 8}
_SEGMENTS = {"hidden_sizes": [8, 16, 16, 16], "depths": [1] * 4, "num_attention_heads": [1, 2, 2, 2]}
_PICTURES = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_SPEECH = {**_TINY, "conv_dim": (16, 16), "conv_stride": (4, 2), "conv_kernel": (8, 3), "num_conv_pos_embeddings": 16}
_SPEECH = {key: value for key, value in _SPEECH.items() if key != "vocab_size"} | {"num_conv_pos_embedding_groups": 2}

_ANY_SIZE = """resnet18 convnext_atto efficientnet_lite0 mobilevit_xxs poolformer_s12 regnety_002 mobileone_s0 repvgg_a0
    edgenext_xx_small fastvit_t8 res2net50_14w_8s hrnet_w18_small densenet121 dla34 ghostnet_100 pvt_v2_b0 focalnet_tiny_srf
    davit_tiny inception_next_atto starnet_s1 vgg11_bn rexnetr_100 nf_regnet_b0 lambda_resnet26t skresnet18 selecsls42b
    tresnet_m hardcorenas_a vovnet39a cspresnet50 gernet_s"""
_ONE_SIZE = """vit_tiny_patch16_224 mixer_s32_224 deit_tiny_patch16_224 levit_128s cait_xxs24_224 gmlp_ti16_224
    xcit_nano_12_p16_224 maxvit_rmlp_pico_rw_256 coatnet_pico_rw_224 twins_pcpvt_small volo_d1_224 nest_tiny sequencer2d_s
    visformer_tiny botnet26t_256"""

#: timm: model -> options.
TIMM: dict[str, dict[str, Any]] = {
    **{name: {} for name in _ANY_SIZE.split()},
    **dict.fromkeys(_ONE_SIZE.split(), _SIZED),
    "swin_tiny_patch4_window7_224": {**_SIZED, "window_size": 2},
}
#: transformers: name -> class, configuration, its options, and what is given: tokens, for a decoder too (both), pictures, sound.
TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    **{
        name: (f"{name}Model", f"{name}Config", _TINY, "tokens")
        for name in ("Bert", "Roberta", "Electra", "DebertaV2", "Albert")
    },
    "DistilBert": ("DistilBertModel", "DistilBertConfig", _DISTILLED, "tokens"),
    **{
        name: (f"{name}ForCausalLM", f"{name}Config", _GROUPED, "tokens")
        for name in ("Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Phi", "Mixtral")
    },
    "GPTNeoX": ("GPTNeoXForCausalLM", "GPTNeoXConfig", _TINY, "tokens"),
    "GPT2": ("GPT2LMHeadModel", "GPT2Config", _GPT, "tokens"),
    "GPTJ": ("GPTJForCausalLM", "GPTJConfig", {**_GPT, "rotary_dim": 4}, "tokens"),
    "Bloom": ("BloomForCausalLM", "BloomConfig", {"vocab_size": 99, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "tokens"),
    "Mamba": ("MambaForCausalLM", "MambaConfig", {**_TINY, "state_size": 4}, "tokens"),
    "T5": ("T5Model", "T5Config", _T5, "both"),
    "ViT": ("ViTModel", "ViTConfig", {**_PICTURES, "intermediate_size": 37}, "pictures"),
    "Dinov2": ("Dinov2Model", "Dinov2Config", _PICTURES, "pictures"),
    "Beit": ("BeitModel", "BeitConfig", _PICTURES, "pictures"),
    "ConvNext": ("ConvNextModel", "ConvNextConfig", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}, "pictures"),
    "Segformer": ("SegformerModel", "SegformerConfig", _SEGMENTS, "pictures"),
    "Wav2Vec2": ("Wav2Vec2Model", "Wav2Vec2Config", _SPEECH, "sound"),
    "Hubert": ("HubertModel", "HubertConfig", _SPEECH, "sound"),
}  # fmt: skip
#: kornia: name -> the function of its inputs, and their shapes.
KORNIA: dict[str, tuple[str, list[tuple[int, ...]]]] = {
    "gaussian_blur": ("kornia.filters.gaussian_blur2d(a, (3, 5), (1.5, 1.5))", [(1, 3, 16, 20)]),
    "sobel": ("kornia.filters.sobel(a)", [(1, 3, 16, 20)]),
    "median_blur": ("kornia.filters.median_blur(a, (3, 3))", [(1, 3, 16, 20)]),
    "bilateral_blur": ("kornia.filters.bilateral_blur(a, (3, 3), 0.1, (1.5, 1.5))", [(1, 3, 16, 20)]),
    "rotate": ("kornia.geometry.rotate(a, torch.tensor([30.0], dtype=a.dtype))", [(1, 3, 16, 20)]),
    "rgb_to_lab": ("kornia.color.rgb_to_lab(a)", [(1, 3, 16, 20)]),
    "resize": ("kornia.geometry.resize(a, (8, 9), antialias=True)", [(1, 3, 16, 20)]),
    "homography": ("kornia.geometry.find_homography_dlt(a, b)", [(1, 8, 2), (1, 8, 2)]),
    "quaternion": ("kornia.geometry.quaternion_to_rotation_matrix(a)", [(3, 4)]),
    "ssim": ("kornia.metrics.ssim(a, b, 5)", [(1, 3, 16, 20), (1, 3, 16, 20)]),
    "dilation": ("kornia.morphology.dilation(a, torch.ones(3, 3, dtype=a.dtype))", [(1, 3, 16, 20)]),
    "harris": ("kornia.feature.harris_response(a)", [(1, 3, 16, 20)]),
    "clahe": ("kornia.enhance.equalize_clahe(a)", [(1, 3, 16, 16)]),
    "focal_loss": ("kornia.losses.focal_loss(a, torch.ones(4, dtype=torch.int64), 0.5, 2.0, 'mean')", [(4, 5)]),
}
LIBRARIES: dict[str, dict[str, Any]] = {"timm": TIMM, "transformers": TRANSFORMERS, "kornia": KORNIA}


def _made(torch: Any, library: str, name: str) -> tuple[Any, list[Any]]:
    """The model and its inputs, which are the same numbers for the same model."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        return torch.tensor(rng.standard_normal(shape).astype(np.float32))

    def tokens() -> Any:
        return torch.tensor(rng.integers(2, 90, (2, 12)))

    found: Any = importlib.import_module(library)
    if library == "timm":
        return found.create_model(name, pretrained=False, num_classes=10, **TIMM[name]), [drawn(2, 3, 64, 64)]
    if library == "kornia":
        call, shapes = KORNIA[name]
        inputs = [torch.tensor(rng.random(shape).astype(np.float32)) for shape in shapes]
        return eval(f"lambda a, b=None: {call}", {"kornia": found, "torch": torch}), inputs
    made, configuration, options, kind = TRANSFORMERS[name]
    model = getattr(found, made)(getattr(found, configuration)(**options))
    inputs = {"tokens": [tokens()], "pictures": [drawn(1, 3, 32, 32)], "sound": [drawn(1, 1600)]}
    return model, [tokens(), None, tokens()] if kind == "both" else inputs[kind]  # None: no mask


def _tensors(torch: Any, value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for key in value for t in _tensors(torch, value[key])]
    if isinstance(value, (list, tuple)):
        return [t for item in value for t in _tensors(torch, item)]
    return []


def _run(torch: Any, model: Any, inputs: list[Any], double: bool) -> dict[str, list[Any]]:
    """The results, and the gradients of inputs and parameters of a number that every element of every result moves."""
    is_module = hasattr(model, "parameters")
    if double:
        model = model.double() if is_module else model
        inputs = [x.double() if x is not None and x.is_floating_point() else x for x in inputs]
    if is_module:
        model.eval()
    inputs = [x.requires_grad_() if x is not None and x.is_floating_point() else x for x in inputs]
    results = [y for y in _tensors(torch, model(*inputs)) if y.is_floating_point()]
    weighted = [(y.flatten() * (torch.arange(y.numel()).to(y.dtype) * 0.37).cos()).mean() for y in results if y.requires_grad]
    if weighted:
        sum(weighted).backward()
    leaves = [x for x in inputs if x is not None and x.requires_grad] + (list(model.parameters()) if is_module else [])
    return {
        "results": [y.detach().numpy() for y in results],
        "gradients": [None if leaf.grad is None else leaf.grad.numpy() for leaf in leaves],
    }


def _difference(ours: list[Any], theirs: list[Any], least: float) -> float:
    """The largest difference, relative to the largest element or to `least`; infinite where shapes or dtypes differ, or one is
    missing on one side."""
    if len(ours) != len(theirs):
        return float("inf")
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if (a is None) != (b is None) or (a is not None and (a.shape != b.shape or a.dtype != b.dtype)):
            return float("inf")
        if a is not None and a.size:
            worst = max(worst, float(np.abs(a - b).max() / max(np.abs(b).max(), least, 1e-30)))
    return worst


def _side(side: str, library: str, folder: str, names: list[str], double: bool) -> None:
    """Run one library's models in this process, and keep what they gave, or compare with what was kept."""
    warnings.simplefilter("ignore")
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    if side == "frazil":
        from frazil.porting import torch_is_frazil

        torch_is_frazil()
    import torch

    for name in names:
        kept = Path(folder, f"{library}.{name}")
        row: dict[str, Any] = {"library": library, "model": name}
        try:
            model, inputs = _made(torch, library, name)
            if side == "torch":
                state = {k: v.numpy() for k, v in model.state_dict().items()} if hasattr(model, "state_dict") else {}
                kept.write_bytes(pickle.dumps((state, _run(torch, model, inputs, double))))
                continue
            if not kept.exists():
                continue
            state, theirs = pickle.loads(kept.read_bytes())
            if state:
                model.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
            ours = _run(torch, model, inputs, double)
            largest = max((float(np.abs(g).max()) for g in theirs["gradients"] if g is not None and g.size), default=0.0)
            leasts = {"results": 0.0, "gradients": 1e-3 * largest}
            row |= {kind: _difference(ours[kind], theirs[kind], leasts[kind]) for kind in BARS}
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {error}"[:300]
        print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.libraries", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="models whose name holds this text")
    parser.add_argument("--single", action="store_true", help="in float32")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        library = options.side[1]
        names = [name for name in LIBRARIES[library] if options.only in name]
        return _side(options.side[0], library, options.folder, names, not options.single)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for library in LIBRARIES:
            if importlib.util.find_spec(library) is None:
                print(f"{library}: not installed, left out")
                continue
            for side in ("torch", "frazil"):
                command = [sys.executable, "-m", "benchmarks.libraries", "--side", side, library, "--folder", folder]
                command += ["--only", options.only, *(["--single"] if options.single else [])]
                done = subprocess.run(command, capture_output=True, text=True)
                rows += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
                if done.returncode:
                    print(f"{library}: the process of {side} ended: {done.stderr[-300:]}")
    for row in rows:
        equal = "error" not in row and all(row[kind] <= bar for kind, bar in BARS.items())
        shown = row.get("error") or ", ".join(f"{kind} {row[kind]:.1e}" for kind in BARS)
        print(f"{row['library']:<13} {row['model']:<30} {'equal  ' if equal else 'DIFFERS'} {shown}")
        row["equal"] = equal
    print(f"{sum(row['equal'] for row in rows)} of {len(rows)} equal")
    if not options.only and not options.single:
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
