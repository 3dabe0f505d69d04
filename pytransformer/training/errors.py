"""What ends a run without being its configuration's fault."""

from __future__ import annotations

import errno

from pytransformer.errors import UserError


class OutputError(UserError):
    """The output directory cannot be written; what was saved before is whole.

    The run can go on with ``resume`` once that is repaired.

    Attributes:
        disk_full: whether there was no room, on the disk or in the user's share of it.
    """

    def __init__(self, message: str, cause: Exception) -> None:
        super().__init__(message)
        self.disk_full = getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
