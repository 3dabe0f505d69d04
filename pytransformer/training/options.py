"""Dataclasses as tables of options: each field carries its help, its type and its range.

``option`` declares a field, ``read_table`` fills a dataclass from a TOML table and refuses what
does not fit, naming ``[table] key``; ``nearest`` words the hint for a misspelt name.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

from pytransformer.errors import UserError

T = TypeVar("T")

_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}
_PLURALS = {float: "numbers", str: "strings"}


def option(
    default: Any,
    text: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    more_than: float | None = None,
    less_than: float | None = None,
    required: bool = False,
) -> Any:
    """Declare a field of a table.

    Args:
        default: its value when the table does not hold it.
        text: one line for ``--print-config``.
        at_least: least value of a number, or of each number of a list.
        at_most: greatest value of a number, or of each number of a list.
        more_than: bound that is not itself allowed.
        less_than: bound that is not itself allowed.
        required: the table must hold it, and not as an empty string.
    """
    metadata = dict(
        text=text,
        at_least=at_least,
        at_most=at_most,
        more_than=more_than,
        less_than=less_than,
        required=required,
    )
    return dataclasses.field(default=default, metadata=metadata)


def read_table(table: str, options: type[T], values: Mapping[str, Any]) -> T:
    """Fill the dataclass ``options`` from the TOML table ``[table]``.

    Raises:
        UserError: for an unknown key, a missing one, or a value of the wrong type or range.
    """
    fields = {field.name: field for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    types = typing.get_type_hints(options)
    for key in values:
        if key not in fields:
            raise UserError(f"[{table}] {key} is unknown{nearest(key, fields)}")
    for key, field in fields.items():
        if field.metadata["required"] and not values.get(key):
            raise UserError(f"[{table}] {key} is missing: {field.metadata['text']}")
    converted = {
        key: _convert(f"[{table}] {key}", value, types[key], fields[key].metadata)
        for key, value in values.items()
    }
    return options(**converted)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the closest known one, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def convert_value(name: str, value: Any, kind: Any) -> Any:
    """Check one value against a type: int, float, bool, str, a Literal, or a tuple of floats or
    strings, of a fixed length or of any (``tuple[float, ...]``).

    Raises:
        UserError: naming ``name``, the value and what was expected.
    """
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise UserError(f"{name} = {value!r}: must be one of {', '.join(choices)}")
        return value
    if typing.get_origin(kind) is tuple:
        item, *others = typing.get_args(kind)  # all items are of one type
        length = None if others == [...] else 1 + len(others)
        if not isinstance(value, list | tuple) or length not in (None, len(value)):
            count = "" if length is None else f"{length} "
            raise UserError(f"{name} = {value!r}: must be a list of {count}{_PLURALS[item]}")
        return tuple(convert_value(name, one, item) for one in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise UserError(f"{name} = {value!r}: must be {_NAMES[kind]}")
    return value


def _convert(name: str, value: Any, kind: Any, metadata: Mapping[str, Any]) -> Any:
    converted = convert_value(name, value, kind)
    for number in converted if isinstance(converted, tuple) else (converted,):
        _check_range(name, number, metadata)
    return converted


def _check_range(name: str, number: Any, metadata: Mapping[str, Any]) -> None:
    at_least, at_most, more_than, less_than = (
        metadata[bound] for bound in ("at_least", "at_most", "more_than", "less_than")
    )
    if isinstance(number, float) and not math.isfinite(number):
        raise UserError(f"{name} = {number}: must be finite")
    if at_least is not None and number < at_least:
        raise UserError(f"{name} = {number}: must be at least {at_least}")
    if at_most is not None and number > at_most:
        raise UserError(f"{name} = {number}: must be at most {at_most}")
    if more_than is not None and number <= more_than:
        raise UserError(f"{name} = {number}: must be more than {more_than}")
    if less_than is not None and number >= less_than:
        raise UserError(f"{name} = {number}: must be less than {less_than}")
