"""A context that libraries enter around masks by `vmap`."""

from contextlib import nullcontext


class TransformGetItemToIndex(nullcontext[None]):
    """Change nothing: `x[i]` with a tensor `i` of one number is recorded and mapped as it stands.

    >>> from frazil._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex
    >>> with TransformGetItemToIndex(): pass
    """
