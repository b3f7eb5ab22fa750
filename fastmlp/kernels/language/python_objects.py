"""Objects of Python in code of others that Numba compiles: their type, their address, a call."""

from collections.abc import Callable
from typing import Any

from .backend import extending, intrinsic, ir, lower_constant, types
from .simd import INT


def register_type(python_type: type, numba_type: type, call: Callable[..., Any]) -> None:
    """Let compiled code take objects of a Python type, as arguments and as constants, return and
    call them: ``call`` is an overload, whose first argument is the object.

    The object has attributes ``numba_type`` and ``network``, the address that :func:`address_of`
    gives. An argument is kept alive while compiled code holds it, a constant by ``pin()``.
    """
    extending.typeof_impl.register(python_type)(lambda value, _: value.numba_type)
    extending.overload_method(numba_type, "__call__")(call)

    @extending.lower_builtin(numba_type, numba_type, types.VarArg(types.Any))
    def called(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_function((numba_type, "__call__"), sig)(builder, args)

    @extending.register_model(numba_type)
    class Model(extending.models.StructModel):  # type: ignore[misc]
        def __init__(self, manager: Any, kind: Any) -> None:
            owner = types.MemInfoPointer(types.voidptr)
            numbers = [("address", types.int64), ("object", types.int64)]
            super().__init__(manager, kind, [("owner", owner), *numbers])

    @extending.unbox(numba_type)
    def take(kind: Any, value: Any, c: Any) -> Any:
        number = c.pyapi.object_getattr_string(value, "network")
        address = c.pyapi.long_as_longlong(number)
        c.pyapi.decref(number)
        pointer = c.builder.inttoptr(address, c.context.get_value_type(types.voidptr))
        owner = c.pyapi.nrt_meminfo_new_from_pyobject(pointer, value)
        itself = c.builder.ptrtoint(value, INT)
        return extending.NativeValue(_native(c.context, c.builder, kind, owner, address, itself))

    @extending.box(numba_type)
    def give(kind: Any, native: Any, c: Any) -> Any:
        itself = c.builder.inttoptr(c.builder.extract_value(native, 2), c.pyapi.pyobj)
        c.pyapi.incref(itself)
        c.context.nrt.decref(c.builder, kind, native)
        return itself

    @lower_constant(numba_type)
    def constant(context: Any, builder: Any, kind: Any, value: Any) -> Any:
        # Numba then refuses to keep the caller on disk, where the address would be an old one.
        pointer = context.add_dynamic_addr(builder, value.pin(), info="a network")
        address, itself = builder.ptrtoint(pointer, INT), ir.Constant(INT, id(value))
        return _native(context, builder, kind, pointer.type(None), address, itself)


def _native(context: Any, builder: Any, kind: Any, *parts: Any) -> Any:
    """The value of an object: who keeps it alive, its address, and that of the Python object."""
    native = ir.Constant(context.get_value_type(kind), ir.Undefined)
    for index, part in enumerate(parts):
        native = builder.insert_value(native, part, index)
    return native


@intrinsic
def address_of(typing_context, value):
    """The address of an object of a type of :func:`register_type`."""

    def emit(context, builder, sig, args):
        return builder.extract_value(args[0], 1)

    return types.int64(value), emit
