"""The hot path: a call of an op becomes a kernel call, a `Tensor`, and a tape node when a gradient may be asked for.

`make_call` builds the public function of an op. Two shapes are so common that they have a path of their own (one or two tensors,
and no attributes given); everything they do not understand, they pass to `general_call`, which understands all. So a tape node is
made in three places, `_unary`, `_binary` and `_node`: what changes in one changes in all.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes, mixed, widen
from .errors import ArgumentError, DeviceError, DTypeError, FrazilError
from .explain import describe, explain, held, kinds, noted, where
from .out import WIDENING, write_out
from .state import BATCHINGS, INFERENCES, RECORDINGS, SPARSE, STATE
from .table import OPS, OTHER_NAMES, Op, in_todays_order, unknown
from .tape import Node, OutputNode, called
from .tensor import Tensor, choose_new, from_numpy, whole, wrap
from .views import lie, link_view

_new: Callable[[type[Tensor]], Tensor] = object.__new__

_counting = threading.Lock()

#: In the place of a tensor that was not given by position.
_ABSENT: Any = object()


def count_inference(more: int) -> None:
    """Count the blocks of `inference_mode`. While there is one, another function makes tensors, so that it costs nothing else."""
    global _new
    with _counting:
        INFERENCES[0] += more
        _new = choose_new()


def make_call(op: Op) -> Callable[..., Any]:
    """The public function of `op`."""
    if not op.packed and not op.optional and not op.required and op.outputs == 1 and not op.view:
        if len(op.tensors) == 1:
            return _named(_unary(op), op)
        if len(op.tensors) == 2 and not op.attributes:
            return _named(_binary(op), op)
    if op.packed:

        def call(*args: Any, **attrs: Any) -> Any:
            return general_call(op, args, attrs)

        return _named(call, op)
    return _named(_with_attributes(op), op)


def _named(call: Callable[..., Any], op: Op) -> Callable[..., Any]:
    call.__name__ = call.__qualname__ = op.name
    call.__module__ = op.fn.__module__
    call.__doc__ = op.fn.__doc__
    call.__wrapped__ = op.fn  # type: ignore[attr-defined]
    return call


def _unary(op: Op) -> Callable[..., Any]:
    name = op.name
    takes = op.kernel_takes
    save = bool(op.save_inputs)
    save_output = op.save_output
    differentiable = op.differentiable
    save_shapes = op.save_shapes
    through_body = op.through_body
    defaults = op.defaults
    recordings = RECORDINGS
    with_attributes = _with_attributes(op)
    fine: Any = None  # the dtype of the last array that the op takes: mostly that of the next

    def call(x: Any = _ABSENT, /, *rest: Any, **given: Any) -> Any:
        nonlocal fine
        if rest or given or recordings[0] or not isinstance(x, Tensor):
            if x is _ABSENT:
                return general_call(op, (), given)
            return with_attributes(x, *rest, **given)
        xa = x._a
        device = x._dev
        kernel = device.kernels[name]
        if kernel is None or (through_body and x._rg):
            return general_call(op, (x,), {})
        if takes is not None and xa.dtype is not fine:
            if device.native[xa.dtype].kind not in takes:
                return general_call(op, (x,), {})
            fine = xa.dtype
        try:
            ya = kernel(xa, **defaults) if defaults else kernel(xa)
        except Exception as error:
            raise explain(op, (x,), defaults, error) from error
        y = _new(Tensor)
        y._a = ya
        y._dev = device
        if x._rg and differentiable and STATE.grad:
            ver = x._ver
            y._node = node = Node(
                op,
                (x._node or x,),
                (x,) if save else None,
                (ver[0],) if save and ver is not None else None,
                defaults,
                ya.shape,
                ya.dtype,
            )
            y._rg = True
            if save_output:
                node.output = (ya, device)
                node.output_version = y._ver = [0]
            if save_shapes:
                node.shapes = (xa.shape,)
        return y

    return call


def _binary(op: Op) -> Callable[..., Any]:
    name = op.name
    takes = op.kernel_takes
    save_a, save_b = 0 in op.save_inputs, 1 in op.save_inputs
    save = save_a or save_b
    save_output = op.save_output
    differentiable = op.differentiable
    save_shapes = op.save_shapes
    through_body = op.through_body
    recordings = RECORDINGS
    numbers = op.promote in ("common", "float")
    exact = op.name in WIDE_NUMBERS
    unpromoted = op.promote is None
    fine: Any = None  # the dtype of the last arrays that the op takes: mostly that of the next

    def call(a: Any = _ABSENT, b: Any = _ABSENT, /, *rest: Any, **attrs: Any) -> Any:
        nonlocal fine
        try:
            device = a._dev
            aa = a._a
            ba = b._a
            fast = device is b._dev and (aa.dtype is ba.dtype or unpromoted)
        except AttributeError:
            fast = (
                numbers and (type(b) is float or type(b) is int) and isinstance(a, Tensor) and device.native[aa.dtype].kind == "f"
            )
            if fast and not recordings[0]:
                known = device.native[aa.dtype]
                if exact and known.itemsize == 2 and not dtypes.holds(known, b):
                    return general_call(op, (a, b, *rest), attrs)
                b = device.scalar(b, known)
                ba = b._a
        if not fast or rest or attrs or recordings[0]:
            return general_call(op, (a, b, *rest) if b is not _ABSENT else () if a is _ABSENT else (a,), attrs)
        kernel = device.kernels[name]
        tracked = (a._rg or b._rg) and differentiable and STATE.grad
        if kernel is None or (through_body and (a._rg or b._rg)):
            return general_call(op, (a, b), attrs)
        if takes is not None and aa.dtype is not fine:
            if device.native[aa.dtype].kind not in takes:
                return general_call(op, (a, b), attrs)
            fine = aa.dtype
        try:
            ya = kernel(aa, ba)
        except Exception as error:
            raise explain(op, (a, b), {}, error) from error
        y = _new(Tensor)
        y._a = ya
        y._dev = device
        if tracked:
            versions = None
            if save and (a._ver is not None or b._ver is not None):
                versions = (0 if a._ver is None else a._ver[0], 0 if b._ver is None else b._ver[0])
            y._node = node = Node(
                op,
                ((a._node or a) if a._rg else None, (b._node or b) if b._rg else None),
                (a if save_a else None, b if save_b else None) if save else None,
                versions,
                attrs,
                ya.shape,
                ya.dtype,
            )
            y._rg = True
            if save_output:
                node.output = (ya, device)
                node.output_version = y._ver = [0]
            if save_shapes:
                node.shapes = (aa.shape, ba.shape)
        return y

    return call


def _with_attributes(op: Op) -> Callable[..., Any]:
    """Ops with attributes or optional tensors: quick when all tensors are of one device and dtype, as they nearly always are."""
    count = len(op.tensors)
    least = count - op.optional
    defaults, names, canon = op.defaults, op.attributes, op.canon
    required = [(names.index(name), name) for name in op.required]
    one_dtype = op.promote is not None and op.promoted is None
    takes = op.kernel_takes
    plain = op.promoted is None and (count == 1 or (count > 0 and (one_dtype or op.takes is None)))
    recordings = RECORDINGS

    def call(*args: Any, **given: Any) -> Any:
        tensors = args[:count]
        if recordings[0] or not plain or len(tensors) < least:
            return general_call(op, args, given)
        try:
            device = tensors[0]._dev
            dtype = tensors[0]._a.dtype
            for t in tensors[1:]:
                if t is not None and (t._dev is not device or (one_dtype and t._a.dtype is not dtype)):
                    return general_call(op, args, given)
        except AttributeError:  # not a tensor
            return general_call(op, args, given)
        if takes is not None and device.native[dtype].kind not in takes:
            return general_call(op, args, given)
        if given or len(args) > count:
            attrs = defaults.copy()
            attrs.update(zip(names, args[count:]))  # noqa: B905  (too many are found below)
            attrs.update(given)
            if (
                len(attrs) != len(defaults)
                or len(args) - count > len(names)
                or (given and names[0] in given and len(args) > count)
            ):
                return general_call(op, args, given)
            for position, name in required:
                if position >= len(args) - count and name not in given:
                    return general_call(op, args, given)
            if canon is not None:
                try:
                    attrs = canon(*tensors, *[None] * (count - len(tensors)), **attrs)
                except FrazilError as error:
                    raise noted(op, tensors, attrs, error) from None
        elif required:
            return general_call(op, args, given)
        else:
            attrs = defaults
        if len(tensors) < count:
            tensors += (None,) * (count - len(tensors))
        return run(op, tensors, attrs, device)

    return call


def general_call(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
    """Any op with any arguments: attributes by position, numbers, promotion, recording."""
    if STATE.autocast is not None:
        return mixed.called(op.name, lambda *args, **attrs: general_call(op, args, attrs), args, attrs)
    given = attrs
    out = attrs.pop("out", None) if "out" in attrs and "out" not in op.defaults else None
    if out is not None:
        if op.name in WIDENING and attrs.get("dtype") is None:
            attrs["dtype"] = getattr(out, "dtype", None)
    tensors, attrs = _bind(op, args, attrs)
    if SPARSE:
        for t in tensors:
            if isinstance(t, Tensor) and type(t._dev) is SPARSE[0]:
                return t._dev.call(op, tensors, attrs)
    for i, t in enumerate(tensors):  # only here, where it costs the usual call nothing
        if isinstance(t, np.ndarray):
            tensors[i] = from_numpy(t)
        elif not isinstance(t, Tensor) and hasattr(type(t), "__torch_function__"):
            overrides = importlib.import_module("frazil.overrides")
            if overrides.brings_one(type(t)):
                return overrides.taken_over(op.call, args, given)
        elif i and op.name in _REFLECTED and (answer := _reflected(op, tensors[0], t)) is not NotImplemented:
            return answer
    if op.name in WIDE_NUMBERS and (half := _half_with_number(op, tensors)):
        cast = OPS["cast"].call
        wide = [cast(t, dtype=dtypes.float32) if isinstance(t, Tensor) and t.dtype is half else t for t in tensors]
        result = cast(op.call(*wide, **attrs), dtype=half)
        return result if out is None else write_out(op.name, out, result)
    device = _common_device(op, tensors)
    if device.recording and any(isinstance(value, (Tensor, tuple, list)) for value in attrs.values()):
        attrs = {name: _numbers(value) for name, value in attrs.items()}
    if device.depth:
        tensors = [device.lifted(t) for t in tensors]
    if op.takes is not None and "i" in op.takes:
        _check_kinds(op, tensors)
    if op.promote is not None:
        tensors = _promote(op, tensors, device)
    else:
        tensors = [t if t is None or isinstance(t, Tensor) else as_operand(op.name, t, device) for t in tensors]
    if op.canon is not None and (attrs is not op.defaults or op.required):
        try:
            attrs = op.canon(*tensors, **attrs)
        except FrazilError as error:
            raise noted(op, tensors, attrs, error) from None
    if op.takes is not None:
        _check_kinds(op, tensors)
    result = run(op, tensors, attrs, device)
    if out is not None:
        return write_out(op.name, out, result)
    return result


#: What Python asks of the right operand, where the left one does not know it.
_REFLECTED = {
    "add": "__radd__", "sub": "__rsub__", "mul": "__rmul__", "div": "__rtruediv__", "floor_divide": "__rfloordiv__",
    "remainder": "__rmod__", "power": "__rpow__", "matmul": "__rmatmul__", "bitwise_and": "__rand__", "bitwise_or": "__ror__",
    "bitwise_xor": "__rxor__", "bitwise_left_shift": "__rlshift__", "bitwise_right_shift": "__rrshift__", "lt": "__gt__",
    "le": "__ge__", "gt": "__lt__", "ge": "__le__",
}  # fmt: skip


def is_foreign(value: Any) -> bool:
    """Return whether a value is no tensor, no array, no number, and does not say what becomes of calls with it."""
    return (
        not isinstance(value, (Tensor, np.ndarray)) and not hasattr(value, "__torch_function__") and _number_dtype(value) is None
    )


def _reflected(op: Op, left: Any, right: Any) -> Any:
    """What an object that comes second, and is no operand of frazil's, makes of the operator itself."""
    if not is_foreign(right) or type(right).__module__ == "builtins":
        return NotImplemented
    method = getattr(type(right), _REFLECTED[op.name], None)
    return NotImplemented if method is None else method(right, left)


#: Ops that compute floats of 16 bits with a number, or with a 0-d tensor of another dtype, in float32: rounded first, 70000 would
#: be infinite. Others round it, as PyTorch does.
WIDE_NUMBERS = frozenset({"mul", "div", "floor_divide", "trunc_divide", "lerp"})


def _half_with_number(op: Op, tensors: list[Any]) -> dtypes.dtype | None:
    """The dtype of 16 bits that the result will have, where a number among the operands is none of that dtype."""
    given = [t for t in tensors if isinstance(t, Tensor)]
    halves = {t.dtype for t in given if t.dtype in dtypes.HALVES}
    deciding = [t for t in given if t._a.shape] or given
    if len(halves) != 1 or any(t.dtype not in halves for t in deciding):
        return None
    (half,) = halves
    found = False
    for i, t in enumerate(tensors):
        if isinstance(t, Tensor):
            found = found or (i > 0 and t.dtype is not half and op.promote != "same")  # the first one is rounded
        elif t is not None:
            found = found or not dtypes.holds(half, t)
        if isinstance(t, complex) or (isinstance(t, Tensor) and t.dtype.is_complex):
            return None
    return half if found else None


def run(op: Op, tensors: Any, attrs: dict[str, Any], device: Any) -> Any:
    """The op on tensors of one device and dtype, of kinds that it takes, with canonical attributes."""
    tracked = False
    for t in tensors:
        if t is not None and t._rg:
            tracked = STATE.grad
            break
    kernel = device.kernels[op.name]
    if kernel is None and SPARSE and type(device) is SPARSE[0]:
        return device.call(op, tensors, attrs)
    if op.body is not None and (kernel is None or (tracked and op.through_body)):
        if op.rule is not None and kernel is None:
            held(op, tensors, attrs)
        body = widen.body(op, tensors) if dtypes.NARROW else op.body
        if not tensors:  # nothing else says where
            with device:
                return body(**attrs)
        if not tracked or op.through_body:
            results = body(*tensors, **attrs)
            if tracked:
                called(op, attrs, results, tensors)
            return results if op.layout is None else lie(op.layout, results, *tensors)
        STATE.grad = False
        try:
            results = body(*tensors, **attrs)
        finally:
            STATE.grad = True
        if op.layout is not None:
            results = lie(op.layout, results, *tensors)
        arrays: Any = tuple(r._a for r in results) if op.outputs > 1 else results._a
    else:
        if op.view and device.aliases and not tensors[0]._a.shape:
            tensors[0]._a = device.kernels["writable"](tensors[0]._a)  # a scalar object has no memory to share
        lifted = [None if t is None else t._a if t._dev is device else device.lift(t) for t in tensors]
        try:
            arrays = kernel(*lifted, **attrs)
        except FrazilError as error:
            raise noted(op, tensors, attrs, error) from error.__cause__
        except Exception as error:
            raise explain(op, tensors, attrs, error, device) from error
    if op.outputs > 1:
        return _several(op, tensors, attrs, arrays, device, tracked)
    y = _new(Tensor)
    y._a = arrays
    y._dev = device
    if tracked and op.differentiable and device.native[arrays.dtype].kind in "fc":
        y._node = node = _node(op, tensors, attrs, arrays.shape, arrays.dtype)
        y._rg = True
        if op.save_output:
            node.output = (arrays, device)
            node.output_version = y._ver = [0]
    if op.view:
        link_view(op, tensors[0], y, attrs, device)
    return y


def _node(op: Op, tensors: Any, attrs: dict[str, Any], shape: Any, dtype: Any) -> Node:
    inputs: Any = None
    versions = None
    if op.saves_all:
        inputs = tensors
    elif op.save_inputs:
        save = op.save_inputs
        inputs = [t if i in save else None for i, t in enumerate(tensors)]
    if inputs is not None:
        for t in inputs:
            if t is not None and t._ver is not None:
                versions = [0 if t is None or t._ver is None else t._ver[0] for t in inputs]
                break
    edges = tuple([(t._node or t) if t is not None and t._rg else None for t in tensors])
    node = Node(op, edges, inputs, versions, attrs, shape, dtype)
    if op.save_shapes:
        node.shapes = tuple([None if t is None else t._a.shape for t in tensors])
    return node


def _several(op: Op, tensors: Any, attrs: dict[str, Any], arrays: Any, device: Any, tracked: bool) -> tuple[Tensor, ...]:
    results = tuple(wrap(a, device) for a in arrays)
    if tracked and op.differentiable:
        parent = _node(op, tensors, attrs, tuple(a.shape for a in arrays), tuple(a.dtype for a in arrays))
        versions = []
        for i, y in enumerate(results):
            if device.native[y._a.dtype].kind in "fc":
                y._node = OutputNode(parent, i, y._a.shape, y._a.dtype)
                y._rg = True
            if op.save_output:
                y._ver = [0]
                versions.append(y._ver)
        if op.save_output:
            parent.output = (arrays, device)
            parent.output_version = versions
    return results


# ----------------------------------------------------------------------------------------------------------------- arguments


def _bind(op: Op, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Tensors and attributes from the arguments as the user wrote them."""
    names = op.tensors
    if len(args) > len(names) and (ordered_anew := in_todays_order(op.name, args)) is not None:
        args, given = (*ordered_anew[0],), {**given, **ordered_anew[1]}
    if op.packed:
        head = len(names) - 1
        if len(args) > head and isinstance(args[head], (list, tuple)):
            tensors = [*args[:head], *args[head]]
            rest = args[head + 1 :]
        elif names[-1] in given or "tensors" in given:
            tensors = [*args[:head], *(given.pop(names[-1], None) or given.pop("tensors"))]
            rest = args[head:]
        else:
            tensors = [a for a in args if isinstance(a, Tensor) or a is None]
            rest = args[len(tensors) :]
            if not tensors:
                raise ArgumentError(f"{op.name}: expected a sequence of tensors, given {kinds(args)}")
    else:
        tensors = list(args[: len(names)])
        rest = args[len(names) :]
    if not given and not rest:
        if op.required:
            raise ArgumentError(f"{op.name}: missing argument {op.required[0]!r}; its signature is {op.usage()}")
        attrs = op.defaults
    else:
        attrs = dict(op.defaults)
        if len(rest) > len(op.attributes):
            raise ArgumentError(f"{op.name}: too many arguments ({len(args)}); its signature is {op.usage()}")
        for name, value in zip(op.attributes, rest, strict=False):
            attrs[name] = value
        seen = set(op.attributes[: len(rest)])
        for name, value in given.items():
            if name not in attrs and not op.packed and (position := op.position(name)) is not None:
                if position < len(args):
                    raise ArgumentError(f"{op.name}: {name!r} is given twice; its signature is {op.usage()}")
                tensors += [None] * (position + 1 - len(tensors))
                tensors[position] = value
            elif (known := next((n for n in (name, *OTHER_NAMES.get(name, ())) if n in attrs), None)) is not None:
                if known in seen:
                    raise ArgumentError(f"{op.name}: {known!r} is given twice; its signature is {op.usage()}")
                attrs[known] = value
                seen.add(known)
            else:
                raise ArgumentError(f"{op.name}: {unknown(name, [*op.names, *op.attributes])} Its signature is {op.usage()}")
        for name in op.required:
            if name not in seen:
                raise ArgumentError(f"{op.name}: missing argument {name!r}; its signature is {op.usage()}")
    if not op.packed:
        missing = len(names) - len(tensors)
        if missing:
            tensors += [None] * missing
        for i in range(len(names) - op.optional):
            if tensors[i] is None:
                raise ArgumentError(f"{op.name}: missing tensor {op.names[i]!r}; its signature is {op.usage()}")
    return tensors, attrs


def _numbers(value: Any) -> Any:
    """An attribute with sizes in the place of integer tensors of one element."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(_numbers, value)) if any(isinstance(v, (Tensor, tuple, list)) for v in value) else value
    return whole(value) if isinstance(value, Tensor) and value.dtype.kind in "iu" else value


def _common_device(op: Op, tensors: list[Any]) -> Any:
    if BATCHINGS[0]:
        deepest = max((t._dev for t in tensors if isinstance(t, Tensor)), key=lambda d: d.depth, default=None)
        if deepest is not None and deepest.depth:
            return deepest
    if RECORDINGS[0] and STATE.recorder is not None:
        return STATE.recorder.device
    device = guest = None
    for t in tensors:
        if isinstance(t, Tensor):
            if t._a.shape == ():
                guest = guest or t._dev  # a 0-d CPU tensor follows the others, as in PyTorch
                if guest.type == "cpu":
                    continue
            if device is None:
                device = t._dev
            elif t._dev is not device:
                raise DeviceError(
                    f"{op.name}: its tensors are on different devices: {where(tensors)}. Move them to one, for example "
                    f"with .to({str(device)!r})"
                )
    device = device or guest
    if device is None:
        raise ArgumentError(f"{op.name}: expected a tensor, given {kinds(tensors)}; make one with fz.tensor(...)")
    if device.recording:
        raise device.escaped(op.name)
    return device


def _check_kinds(op: Op, tensors: Any) -> None:
    """Refuse dtypes that the op does not take."""
    for t in tensors:
        if t is None or type(t) in (float, int):
            continue
        given = t._dev.native[t._a.dtype] if isinstance(t, Tensor) else _number_dtype(t)
        if given is not None and given.kind not in op.takes:  # type: ignore[operator]
            if given.is_complex:
                raise DTypeError(
                    f"{op.name}: not defined for complex tensors, which have no order, given {kinds(tensors)}; take .real, .imag "
                    f"or .abs()"
                )
            if "i" not in op.takes:  # type: ignore[operator]
                raise DTypeError(f"{op.name}: x must be floating, given {kinds(tensors)}; convert it with .float()")
            raise DTypeError(
                f"{op.name}: not defined for bool tensors, given {kinds(tensors)}; convert one with .to(fz.int64), or use &, |, "
                f"^ and ~"
            )


def _number_dtype(value: Any) -> dtypes.dtype | None:
    kind = type(value)
    if kind is float:
        return dtypes.get_default_dtype()
    if kind is int:
        return dtypes.int64
    if kind is bool:
        return dtypes.bool_
    if kind is complex:
        return dtypes.complex64
    if isinstance(value, np.generic):
        return dtypes.as_dtype(type(value.item()))
    return getattr(value, "number_dtype", None)  # SymInt, SymFloat


def as_operand(name: str, value: Any, device: Any, dtype: dtypes.dtype | None = None) -> Tensor:
    """A number as a 0-d tensor of the device."""
    natural = _number_dtype(value)
    if natural is None:
        raise ArgumentError(f"{name}: expected a tensor or a number, given {describe(value)}; make a tensor with fz.tensor(...)")
    return device.scalar(value, dtype or natural)


def _promote(op: Op, tensors: list[Any], device: Any) -> list[Any]:
    """Bring the operands to one dtype, by PyTorch's rules."""
    chosen = range(len(tensors)) if op.promoted is None else op.promoted
    operands = []
    same: Any = None
    plain = True
    for i in chosen:
        t = tensors[i]
        if t is None:
            continue
        if isinstance(t, Tensor):
            d = t._dev.native[t._a.dtype]
            operands.append((d, 2 if t._a.shape else 1))
        else:
            d = _number_dtype(t) or as_operand(op.name, t, device).dtype  # raises for what is no number
            operands.append((d, 0))
            plain = False
            if op.promote == "same":
                continue
        same = d if same is None or same is d else False
    if op.promote == "same":
        if same is False:
            raise DTypeError(f"{op.name}: its tensors differ in dtype: {kinds(tensors)}. Convert one with .to(dtype)")
        return [t if t is None or isinstance(t, Tensor) else as_operand(op.name, t, device, same) for t in tensors]
    target = same if same else dtypes.result_type_of(operands)
    if op.promote == "float" and target.kind not in "fc":
        target = dtypes.get_default_dtype()
    elif op.promote == "number" and target.kind == "b":
        target = dtypes.int64
    elif same and plain and len(operands) == len(tensors):
        return tensors
    result = list(tensors)
    for i, t in enumerate(tensors):
        if t is None:
            continue
        if not isinstance(t, Tensor):
            result[i] = as_operand(op.name, t, device, target if i in chosen else None)
        elif i in chosen and t._dev.native[t._a.dtype] is not target:
            result[i] = OPS["cast"].call(t, dtype=target)
    return result
