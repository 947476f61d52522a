"""The one door to numba: a kernel is compiled when it is first called, and plain numpy answers where numba is not.

A kernel is a function of arrays and numbers that numba can compile. It calls only kernels of its own file: the cache on
disk knows when that file changed, and would keep an old inner kernel of another one. Whoever wants threads calls a
kernel from several: it runs without the lock of the interpreter. (numba's own ``parallel=True`` is not used. Its
threads are not those that ``impact.parallel`` limits, and may neither be forked nor entered twice.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from threading import RLock
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

import numpy as np

__all__ = ["Kernel", "as_passed", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")

_one_at_a_time = RLock()


@overload
def kernel(function: Callable[P, R], /) -> Kernel[P, R]: ...
@overload
def kernel(*, oracle: Callable[..., Any] | None = None, **options: Any) -> Callable[[Callable[P, R]], Kernel[P, R]]: ...
def kernel(function: Any = None, /, *, oracle: Any = None, **options: Any) -> Any:
    """Compile a function with numba when it is first called: ``@kernel``, or ``@kernel(oracle=plain)``.

    Parameters
    ----------
    function : callable
        What is compiled. Arrays that come by position are passed C-contiguous and read-only, so that one compiled
        form serves all callers; an array that the kernel fills comes by keyword, as it is.
    oracle : callable, optional
        The same function in plain numpy, called instead where numba cannot be imported.
    **options
        For ``numba.njit``, beside ``cache=True`` and ``nogil=True``.
    """
    return partial(kernel, oracle=oracle, **options) if function is None else Kernel(function, oracle, options)


class Kernel(Generic[P, R]):
    """A function that is compiled when it is first called."""

    def __init__(self, function: Callable[P, R], oracle: Callable[P, R] | None, options: dict[str, Any]) -> None:
        update_wrapper(self, function)
        self.function, self.oracle, self.options = function, oracle, options
        self._compiled: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return (self._compiled or self.compiled)(*map(as_passed, args), **kwargs)

    @property
    def compiled(self) -> Callable[P, R]:
        """What is called: numba's dispatcher, or the oracle.

        Raises
        ------
        ImportError
            If numba cannot be imported and there is no oracle.
        """
        with _one_at_a_time:
            if self._compiled is None:
                self._compiled = self._compile()
            return self._compiled

    def _compile(self) -> Callable[P, R]:
        try:
            from numba import njit
        except ImportError:
            if self.oracle is None:
                raise
            return self.oracle
        function = _with_compiled_names(cast("FunctionType", self.function))
        try:
            return cast("Callable[P, R]", njit(cache=True, nogil=True, **self.options)(function))
        except RuntimeError:  # no folder for the cache can be written
            return cast("Callable[P, R]", njit(nogil=True, **self.options)(function))


def _with_compiled_names(function: FunctionType) -> FunctionType:
    """`function` seeing, for every kernel that it calls, what numba made of it."""
    seen = dict(function.__globals__)
    for name in function.__code__.co_names:
        if isinstance(inner := seen.get(name), Kernel):
            seen[name] = inner.compiled
    return FunctionType(function.__code__, seen, function.__name__, function.__defaults__)


def as_passed(value: Any) -> Any:
    """An array as kernels take it by position, C-contiguous and read-only; as it is where it already is that."""
    if not isinstance(value, np.ndarray) or ((flags := value.flags).c_contiguous and not flags.writeable):
        return value
    array = np.ascontiguousarray(value).view()
    array.setflags(write=False)
    return array
