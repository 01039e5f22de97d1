"""Functions and methods that few programs use: `core/rare` has them, and its files are loaded when one of them is asked for.

The lists here are what `import frazil` needs of them. `load_all` is for those who go through the whole table.
"""

from __future__ import annotations

import importlib
from typing import Any, final

from .table import METHODS
from .tensor import Tensor

#: File of `core/rare` -> its functions of `fz`.
FUNCTIONS_OF = {
    "scans": "cummax cummin logcumsumexp gradient",
    "counting": "mode nanmedian nanquantile histogram histogramdd unravel_index nonzero_static hash_tensor",
    "numbers": "gcd lcm frexp nextafter",
    "segments": "index_reduce put segment_reduce pdist fake_quantize_per_tensor_affine fake_quantize_per_channel_affine "
    "is_same_size",
    "memory": "as_strided as_strided_ as_strided_copy as_strided_scatter empty_strided empty_permuted resize_as_",
    "copies": "alias_copy detach_copy diagonal_copy expand_copy narrow_copy permute_copy select_copy slice_copy split_copy "
    "split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy "
    "view_as_complex_copy view_as_real_copy indices_copy values_copy crow_indices_copy col_indices_copy",
    "draws": "poisson binomial",
    "symbolic": "_shape_as_tensor sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum",
    "factors": "geqrf lobpcg lu lu_solve lu_unpack matrix_exp orgqr ormqr pca_lowrank svd_lowrank triangular_solve",
}

#: File of `core/rare` -> its methods of `Tensor`.
METHODS_OF = {
    "scans": "cummax cummin logcumsumexp",
    "counting": "mode nanmedian nanquantile histogram nonzero_static hash_tensor",
    "numbers": "gcd gcd_ lcm lcm_ frexp nextafter nextafter_",
    "segments": "index_reduce index_reduce_ put put_ sum_to_size is_same_size",
    "memory": "as_strided as_strided_ as_strided_scatter new_empty_strided resize_ resize_as_ set_ is_set_to untyped_storage "
    "storage resize resize_as dim_order const_data_ptr apply_ map_ map2_",
    "copies": "narrow_copy",
    "factors": "geqrf lu lu_solve matrix_exp orgqr ormqr triangular_solve",
}

#: The functions of `fz.linalg` that "factors" has.
LINALG = frozenset(
    "cholesky_ex eig eigvals householder_product ldl_factor ldl_factor_ex ldl_solve lu lu_factor lu_factor_ex lu_solve matmul "
    "matrix_exp solve_ex".split()
)

#: What `core/functions.py` has: the functions of `fz` that are those of `fz.nn.functional` and of tensors with other signatures.
FORMS = (
    "celu_ selu_ threshold_ "
    "adaptive_max_pool1d affine_grid_generator alpha_dropout alpha_dropout_ batch_norm binary_cross_entropy_with_logits "
    "channel_shuffle constant_pad_nd conv_tbc convolution cosine_embedding_loss ctc_loss detach dropout_ embedding "
    "embedding_bag embedding_renorm_ "
    "feature_alpha_dropout feature_alpha_dropout_ feature_dropout feature_dropout_ fill frobenius_norm "
    "get_device grid_sampler grid_sampler_2d grid_sampler_3d gru gru_cell hardshrink hinge_embedding_loss instance_norm "
    "is_conj is_distributed is_inference is_neg is_signed kl_div lstm lstm_cell margin_ranking_loss max_pool1d_with_indices "
    "native_batch_norm native_channel_shuffle native_dropout native_group_norm native_layer_norm norm_except_dim "
    "nuclear_norm pixel_shuffle pixel_unshuffle poisson_nll_loss rms_norm rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell "
    "rrelu rrelu_ threshold triplet_margin_loss typename unsafe_chunk unsafe_split unsafe_split_with_sizes "
).split()

#: In-place functions of `fz`, which are methods of tensors.
IN_PLACE = (
    "abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ ceil_ clamp_ "
    "clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_ fill_ fix_ floor_ "
    "frac_ gcd_ i0_ index_put_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ "
    "relu_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_ "
).split()

#: Function -> its module.
HOMES = {name: f"rare.{home}" for home, names in FUNCTIONS_OF.items() for name in names.split()}
HOMES |= dict.fromkeys((*FORMS, *IN_PLACE), "functions")


@final
class Late:
    """Stands on the class for a method until it is asked for."""

    __slots__ = ("home", "name")

    def __init__(self, home: str, name: str) -> None:
        self.home = home
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        load(self.home)
        return METHODS[self.name].__get__(instance, owner)


def announce() -> None:
    """Let the table know which methods there will be."""
    METHODS.update({name: Late(home, name) for home, names in METHODS_OF.items() for name in names.split()})  # type: ignore[misc]


def load(home: str) -> None:
    """Load a file of `core/rare`, and put its methods on the class."""
    importlib.import_module(f"frazil.rare.{home}")
    for name in METHODS_OF.get(home, "").split():
        setattr(Tensor, name, METHODS[name])


def load_all() -> None:
    """Load every file of `core/rare`, so that the table is complete.

    >>> from frazil.late import load_all
    >>> from frazil.table import FUNCTIONS
    >>> load_all(); "cummax" in FUNCTIONS
    True
    """
    for home in FUNCTIONS_OF:
        load(home)
