"""The decorator of compiled functions.

That a kernel calls only kernels of its own file is tested for the whole package in ``tests/test_project.py``.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from impact.numerics.kernel import Kernel, kernel
from tests.shared import ROOT


def double_plain(values: Any) -> Any:
    return 2 * values


@kernel
def double(values: Any) -> Any:
    return values + values


@kernel(fastmath={"reassoc"})
def quadruple(values: Any) -> Any:
    """Four times."""
    return double(double(values))


@kernel
def fill(value: float, out: Any) -> None:
    out[:] = value


def test_a_kernel_may_call_kernels_of_its_file() -> None:
    np.testing.assert_array_equal(quadruple(np.array([1.0, 2.5])), [4.0, 10.0])
    assert (quadruple.__name__, quadruple.__doc__) == ("quadruple", "Four times.")


def test_one_compiled_form_serves_all_arrays() -> None:
    own: Any = kernel(double_plain)
    frozen = np.ones(3)
    frozen.setflags(write=False)
    for values in (np.ones(3), frozen, np.ones(6)[::2]):
        np.testing.assert_array_equal(own(values), [2.0, 2.0, 2.0])
    assert len(own.compiled.signatures) == 1
    assert np.ones(3).flags.writeable


def test_an_array_that_comes_by_keyword_is_filled() -> None:
    out = np.zeros(2)
    fill(3.0, out=out)
    np.testing.assert_array_equal(out, [3.0, 3.0])


def test_the_oracle_answers_where_numba_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)

    def never(values: Any) -> Any:
        raise AssertionError("not compiled and not called")

    assert kernel(oracle=double_plain)(never)(np.array([3.0])).tolist() == [6.0]
    with pytest.raises(ImportError):
        kernel(never)(np.array([3.0]))


def test_no_folder_for_the_cache() -> None:
    """A function that stands in no file has none."""
    space: dict[str, Any] = {}
    exec("def plus(values):\n    return values + 1", space)
    own = kernel(space["plus"])
    assert own(np.array([1.0])).tolist() == [2.0]
    assert isinstance(own, Kernel)


def test_numba_is_imported_at_the_first_call() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tests.numerics.test_kernel import double\n"
        "before = 'numba' in sys.modules\n"
        "double(np.ones(1))\n"
        "print(before, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
