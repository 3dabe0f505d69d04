"""Where a command writes what ``--output`` names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pytransformer.errors import UserError
from pytransformer.files import atomic_file


def refuse_inputs(output: Path | None, *inputs: Path | None) -> None:
    """Raise UserError if ``output`` is one of the files that are read."""
    for path in inputs:
        if output and path and output.exists() and path.exists() and output.samefile(path):
            raise UserError(f"--output {output} is the file {path} that is read; name another")


@contextmanager
def open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """Standard output; or a file that becomes ``path`` when the block ends well, all at once.

    Raises:
        UserError: if the system refuses; a file that was there is then as it was.
    """
    if path is None:
        yield sys.stdout.buffer
    elif path.exists() and not path.is_file():
        # A pipe or a device cannot be replaced by a file.
        try:
            with path.open("wb") as file:
                yield file
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    else:
        place = path.resolve() if path.is_symlink() else path  # the file, not the link to it
        with atomic_file(place) as temporary, temporary.open("wb") as file:
            yield file
