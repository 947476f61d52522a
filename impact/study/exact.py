"""Values as JSON without any loss, and a digest of what a value follows from; no pickle, and nothing that runs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from impact.errors import Refused
from impact.evidence.robust import Bound, Judged, OwnPast
from impact.files import parse_json
from impact.inference.leaving_out import LeaveOneOut
from impact.inference.protocol import Band, PlaceboPaths, Replicates, Uncertainty

__all__ = ["Unknown", "digest", "packed", "unpacked"]

_KNOWN: Final[Mapping[str, type[Any]]] = {
    kind.__name__: kind
    for kind in (Band, Bound, Judged, LeaveOneOut, OwnPast, PlaceboPaths, Refused, Replicates, Uncertainty)
}
"""The only classes that are made of what a file says."""


class Unknown(TypeError):
    """A value of a kind that has no digest here, or is not written."""


def digest(*values: object) -> str:
    """SHA-256 of values that fixes everything a calculation can see of them: also how an array lies in memory.

    Raises
    ------
    Unknown
        One holds something else than numbers, texts, arrays, collections and dataclasses of these.
    """
    found = hashlib.sha256()
    for piece in _pieces(values):
        found.update(len(piece).to_bytes(8, "big"))
        found.update(piece)
    return found.hexdigest()


def _pieces(value: Any) -> Iterator[bytes]:
    """What a digest is taken of, every piece with the kind of the value before it."""
    kind = type(value)
    yield f"{kind.__module__}.{kind.__qualname__}".encode()
    if value is None or isinstance(value, bool | int | bytes):
        yield repr(value).encode()
    elif isinstance(value, float):
        yield float.hex(value).encode()
    elif isinstance(value, str):
        yield value.encode(errors="surrogatepass")
        yield from _pieces(dict(getattr(value, "__dict__", {})))  # a Note says more
    elif isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            yield from _pieces((value.shape, value.tolist()))
        else:
            order = "C" if value.flags.c_contiguous else "F" if value.flags.f_contiguous else value.strides
            yield f"{value.dtype.str} {value.shape} {order}".encode()
            yield value.tobytes()
    elif isinstance(value, Mapping):
        yield from _pieces(tuple(value.items()))
    elif isinstance(value, set | frozenset):
        yield from sorted(digest(one).encode() for one in value)
    elif isinstance(value, tuple | list):
        yield str(len(value)).encode()
        for one in value:
            yield from _pieces(one)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _pieces({field.name: getattr(value, field.name) for field in fields(value)})
    elif isinstance(value, BaseModel):
        yield from _pieces(dict(value))
    else:
        raise Unknown(f"no digest of {kind.__qualname__}")


def packed(value: object) -> bytes:
    """`value` as JSON, from which `unpacked` makes the same again to the last bit.

    Raises
    ------
    Unknown
        It holds something that is not written.
    """
    return json.dumps(_plain(value), allow_nan=False, separators=(",", ":")).encode()


def unpacked(content: bytes) -> Any:
    """The value that was `packed`.

    Raises
    ------
    ValueError
        The bytes are not of a value that was packed.
    """
    try:
        return _value(parse_json(content))
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError, binascii.Error) as error:
        raise ValueError("it holds no value") from error


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"number": repr(value)}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
        order = "C" if value.flags.c_contiguous else "F" if value.flags.f_contiguous else ""
        if order and kind.__module__ == "numpy":
            shape = list(value.shape) if kind is np.ndarray else None
            data = base64.b64encode(value.tobytes("A")).decode()
            return {"array": [value.dtype.str, shape, order, data]}
    if kind in (tuple, list):
        return {kind.__name__: [_plain(one) for one in value]}
    if kind is dict:
        return {"dict": [[_plain(key), _plain(one)] for key, one in value.items()]}
    if _KNOWN.get(kind.__name__) is kind:
        return {kind.__name__: [_plain(getattr(value, field.name)) for field in fields(value)]}
    raise Unknown(f"{kind.__qualname__} is not written")


def _value(said: Any) -> Any:
    if not isinstance(said, dict):
        if isinstance(said, list):
            raise ValueError("it holds a list without a kind")
        return said
    ((kind, inside),) = said.items()
    if kind == "number":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[inside]
    if kind == "array":
        dtype, shape, order, data = inside
        if np.dtype(dtype).kind not in "fiub":
            raise ValueError("it holds an array of another kind")
        flat = np.frombuffer(base64.b64decode(data, validate=True), dtype=dtype)
        return flat[0] if shape is None else flat.reshape(shape, order=order).copy("A")
    parts = [[_value(one) for one in pair] for pair in inside] if kind == "dict" else [_value(one) for one in inside]
    if kind in ("tuple", "list", "dict"):
        return {"tuple": tuple, "list": list, "dict": dict}[kind](parts)
    return _KNOWN[kind](*parts)
