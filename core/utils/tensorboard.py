"""What a training run tells TensorBoard, as `torch.utils.tensorboard`: through the package tensorboardX, which writes its files.

The extra `tensorboard` brings that package: `pip install "frazil[tensorboard]"`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..pytree import flatten, unflatten
from ..tensor import Tensor

try:
    import tensorboardX
    from tensorboardX import summary as summary
except ImportError as error:
    raise ImportError(
        "utils.tensorboard: its files are written by the package tensorboardX, which is not installed: "
        "pip install 'frazil[tensorboard]'"
    ) from error

__all__ = ["SummaryWriter"]


def _in_numpy(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the writer that takes tensors of any device in the place of NumPy's arrays."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        args, kwargs = unflatten(tree, [_array(leaf) for leaf in leaves])
        return method(self, *args, **kwargs)

    return call


def _array(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    return (value.float() if value.dtype.name == "bfloat16" else value).numpy(force=True)


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.item() if isinstance(value, Tensor) else value for name, value in values.items()}


class SummaryWriter(tensorboardX.SummaryWriter):  # type: ignore[misc, unused-ignore]  # it may not be installed
    """Writes scalars, images, histograms, texts and graphs into `log_dir`, where TensorBoard shows them.

    Without `log_dir` it is runs/ and a folder of this moment and machine; `comment` is added to that name. What is written
    waits in memory for `flush_secs`, or until `max_queue` entries wait; `flush()` and `close()` write it now.

    >>> import frazil as fz, tempfile
    >>> from frazil.utils.tensorboard import SummaryWriter
    >>> with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
    ...     for step in range(3):
    ...         writer.add_scalar("loss", fz.tensor(1.0) / (step + 1), step)
    """

    def __init__(
        self,
        log_dir: str | Path | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        where = None if log_dir is None else str(log_dir)
        super().__init__(where, comment, purge_step, max_queue, flush_secs, filename_suffix)

    @property
    def log_dir(self) -> str:
        """Return the folder that it writes into."""
        return str(self.get_logdir())

    def get_logdir(self) -> str:
        """Return the folder that it writes into."""
        return str(self.logdir)

    @_in_numpy
    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Add a number. `new_style` and `double_precision` are accepted for PyTorch's sake: a file has one style, of float32."""
        super().add_scalar(tag, scalar_value, global_step, walltime)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """Add hyperparameters (numbers, texts, truth values) and the metrics that a run with them had.

        `hparam_domain_discrete` is accepted for PyTorch's sake and not written.
        """
        super().add_hparams(_numbers(hparam_dict), _numbers(metric_dict), run_name, global_step)

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True) -> None:
        """Add the graph of a model: that of its ONNX file, which is made for these inputs.

        `verbose` prints what the export reports; `use_strict_trace` is accepted for PyTorch's sake.
        """
        args = tuple(input_to_model) if isinstance(input_to_model, (tuple, list)) else (input_to_model,)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "model.onnx")
            report = importlib.import_module("frazil.onnx").export(model, args, path, verify=False)
            if verbose:
                print(report)
            with contextlib.redirect_stdout(io.StringIO()):  # tensorboardX prints the names of what it meets
                self.add_onnx_graph(path)


for _name in sorted(n for n in dir(tensorboardX.SummaryWriter) if n.startswith("add_")):
    if _name not in vars(SummaryWriter):
        setattr(SummaryWriter, _name, _in_numpy(getattr(tensorboardX.SummaryWriter, _name)))
