"""At size 0, as a number, in every layout and dtype, with NaN and infinities: PyTorch and frazil both refuse, or give the same.

`python -m tests.parity.edges WORD` shows the differences of the calls with that word.
"""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

from .edge_calls import lines
from .edges import problems, torch

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

#: Calls and edges (expressions) where frazil differs, and why.
DIFFERENT = [
    (r"T\.(sign|sgn)\(x\)", "special", "NaN has no sign; PyTorch makes it 0"),
    (r"T\.acosh", ".*", "PyTorch has finite slopes below 1, where there is no value"),
    (r"T\.prod\(x\)", "special", "zeros beside NaN: the products of the others are NaN; PyTorch has 0"),
    (r"T\.logit\(x\)", "special", "the slope at -0.0 has the sign of the zero"),
    (r"T\.slogdet", "expanded|zeros", "a singular matrix has no gradient"),
    (r"T\.atan2", "uint8", "PyTorch's gradient negates a uint8"),
    (r"T\.ldexp", "int64", "PyTorch's gradient takes negative powers of 2 in integers"),
    (r"T\.(ldexp|addcmul|clamp\(x, y, z\))", "bool", "bools count as numbers"),
    (r"T\.kthvalue", "special|zeros", "which of equals it was"),
    (r"T\.(quantile|renorm)", "special", "where the result is NaN it has no gradient, or a NaN"),
    (r"T\.bincount", "0", "PyTorch looks at no weights where there is nothing to count"),
    (r"T\.clamp\(x, (y, z|min=y)\)", "special", "NaN keeps its gradient"),
    (r"T\.round\(x, decimals=1\)", "float16", "rounded from the product in float16"),
    (r"T\.add\(x, y, alpha=2\)", "bool", "2 is an integer"),
    (r"T\.index_add", "3 -> 0|0 at 0.0", "no index is in the range of nothing; PyTorch does not look"),
    (r"x\.mT", "0-d", "deprecated in PyTorch"),
    (r"F\.hardtanh\(x\)", "uint8", "-1 limits no uint8"),
    (r"(F\.embedding_bag\(y, x\)|M\.EmbeddingBag)", "0", "a bag of nothing is 0"),
    (r"F\.conv", "3 -> 0", "sums of no channels are 0; PyTorch's result has no channels"),
    (r"F\.conv3d", "2 -> 0", "no volumes of nothing"),
    (r"F\.conv", "special", "0 times infinity at the padding, and in products that PyTorch leaves out"),
    (r"F\.max_pool1d\(x, 2\)", "int64", "integers, as in max_pool2d"),
    (r"F\.adaptive_avg_pool3d", "0", "a mean of nothing is refused as in 1 and 2 dimensions"),
    (r"F\.adaptive_avg_pool2d\(x, 0\)", "int64|bool|uint8", "refused as with any other size"),
    (r"(F\.batch_norm|M\.BatchNorm)", "3 -> 0|0 at 0.1", "3 weights for no channels; PyTorch does not look"),
    (r"F\.(batch_norm\(x, None|group_norm)", "special", "scale and shift are two steps"),
    (r"F\.pixel_unshuffle", "0", "the result has its shape, where PyTorch gives the input back"),
    (r"(F\.fold|M\.Fold)", "bool", "sums of bools are integers"),
    (r"F\.grid_sample", "special", "a weight of 0 times infinity is NaN"),
    (r"F\.scaled_dot", "0", "values and masks that do not fit are refused whether or not there is anything"),
    (r"F\.scaled_dot.*attn_mask=w\)", "special", "NaN among the keys"),
    (r"(F\.(huber|cross|binary|soft)|M\.Huber)", "float16", "promoted as everywhere"),
    (r"F\.cross_entropy\(x, y\) \| 2 3; 2 3u", "3 -> 0", "no classes"),
    (r"(F\.binary_cross_entropy\(|M\.BCELoss)", "zeros", "the slope of the target, whose logarithm counts as -100"),
    (r"F\.soft_margin_loss", "0-d|bool|uint8", "broadcast and negated as everywhere"),
    (r"F\.multi_margin_loss", "2 -> 0|0-d|special", "the mean of nothing is NaN, and NaN stays"),
    (r"M\.InstanceNorm1d", "2 -> 0|0 at 0.0", "nothing is normalised to nothing"),
]
if torch.backends.cpu.get_cpu_capability() == "AVX512":
    DIFFERENT.append((r"F\.gelu\(x\)", "special", "of infinity it is infinity; NaN in PyTorch's loops for AVX-512 alone"))
#: Differs on some processors only, by a rounding: not strict.
SOMETIMES = [(r"T\.pinverse", "expanded", "whether a singular value counts as 0 is decided by its last bits")]

PARTS = 6


@functools.cache
def found(line: str) -> list[str]:
    with np.errstate(all="ignore"):
        return list(problems(line))


def excuse(line: str, problem: str) -> int | None:
    """Which exception the difference is."""
    edge = problem.split(":")[0]
    return next(
        (i for i, (call, edges, _) in enumerate(DIFFERENT + SOMETIMES) if re.match(call, line) and re.search(edges, edge)), None
    )


def test_every_exception_is_strict() -> None:
    """What is in the list does differ."""
    chosen = [line for line in lines() if any(re.match(call, line) for call, _, _ in DIFFERENT)]
    used = {excuse(line, problem) for line in chosen for problem in found(line)}
    assert not set(range(len(DIFFERENT))) - used, [DIFFERENT[i] for i in set(range(len(DIFFERENT))) - used]


@pytest.mark.parametrize("part", range(PARTS))
def test_edges(part: int) -> None:
    new = [f"{line}  {problem}" for line in lines()[part::PARTS] for problem in found(line) if excuse(line, problem) is None]
    assert not new, "\n".join(new[:30])
