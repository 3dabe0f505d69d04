"""What an examination found, apart from how it is printed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Something wrong, and in words what repairs it."""

    what: str
    remedy: str


@dataclass(frozen=True)
class OpCheck:
    """The worst comparison of one op with its reference.

    Attributes:
        op: its name in ``pytransformer.ops``.
        error: the largest difference of an element; NaN when a result is not a number.
        tolerance: the difference that rounding explains.
        where: type, instruction set and result of that comparison.
        failure: why no comparison could be made, or "".
    """

    op: str
    error: float
    tolerance: float
    where: str
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Whether rounding explains the difference; NaN is never explained."""
        return not self.failure and self.error <= self.tolerance


@dataclass
class Report:
    """Everything found.

    Attributes:
        facts: one line of text for each thing looked at, by its name.
        notes: what a user may want to know, but what is not wrong.
        problems: what is wrong.
        checks: the self-check of the ops, one each.
    """

    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    checks: list[OpCheck] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an error that is not a number becomes None."""
        values = dataclasses.asdict(self)
        for check, plain in zip(self.checks, values["checks"], strict=True):
            plain["passed"] = check.passed
            for key in ("error", "tolerance"):
                if plain[key] != plain[key]:
                    plain[key] = None
        return {"healthy": self.healthy, **values}
