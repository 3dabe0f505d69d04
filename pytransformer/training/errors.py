"""What ends a run without being its configuration's fault."""

from __future__ import annotations

from pytransformer.errors import UserError


class OutputError(UserError):
    """The output directory cannot be written; what was saved before is whole.

    The run can go on with ``resume`` once there is room.
    """
