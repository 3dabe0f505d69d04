"""What a directory of prepared data holds.

- ``{split}.{side}.tokens.npy`` and ``{split}.{side}.offsets.npy`` for each split ``train`` and
  ``valid`` and each side ``source`` and ``target``: the ids of every sentence, without ``</s>`` and
  without the start token (see ``ragged``).
- ``valid.source.txt``, ``valid.target.txt``: the untokenised sentences, the references that
  validation is scored against.
- The tokenizer's four files.
- ``info.json``: languages, counts, the size and checksum of every file and of the raw text,
  versions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytransformer.data.ragged import offset_file, token_file
from pytransformer.data.tokenizer import (
    SOURCE_MODEL,
    TARGET_MODEL,
    TOKENIZER_FILES,
    VOCABULARY,
)
from pytransformer.errors import UserError
from pytransformer.files import check, read_json

SPLITS = ("train", "valid")
SIDES = ("source", "target")
INFO = "info.json"
# The files of the tokenizer that decide which text becomes which ids.
NUMBERING_FILES = (SOURCE_MODEL, TARGET_MODEL, VOCABULARY)
FORMAT = "pytransformer-data"
FORMAT_VERSION = 1
PREPARE_AGAIN = "prepare the data again"


def token_stem(directory: Path, split: str, side: str) -> Path:
    """What the names of a side's two array files begin with."""
    return directory / f"{split}.{side}"


def text_file(directory: Path, split: str, side: str) -> Path:
    """The untokenised sentences of a side."""
    return directory / f"{split}.{side}.txt"


def data_files() -> list[str]:
    """The names of all files of prepared data, in order, but for ``INFO``, which lists them."""
    stems = [token_stem(Path(), split, side) for split in SPLITS for side in SIDES]
    arrays = [file(stem) for stem in stems for file in (token_file, offset_file)]
    texts = [text_file(Path(), "valid", side) for side in SIDES]
    return sorted([*(path.name for path in (*arrays, *texts)), *TOKENIZER_FILES])


def read_info(directory: Path) -> dict[str, Any]:
    """``info.json`` of prepared data.

    Raises:
        UserError: if the directory was not written by ``prepare``, or by another version of it.
    """
    path = directory / INFO
    if not path.is_file():
        raise UserError(f"{path} is missing; name a directory written by `pytransformer prepare`")
    info = read_json(path, PREPARE_AGAIN)
    if info.get("format") != FORMAT:
        raise UserError(f"{path} is foreign; name a directory written by `pytransformer prepare`")
    if info.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {info.get('format_version')}, but this pytransformer "
            f"reads version {FORMAT_VERSION}; {PREPARE_AGAIN}"
        )
    for key, kind in (("vocab_size", int), ("splits", dict), ("files", dict)):
        if not isinstance(info.get(key), kind):
            raise UserError(f"{path} lacks {key!r}, it is damaged; {PREPARE_AGAIN}")
    return info


def check_file(directory: Path, info: dict[str, Any], name: str, *, content: bool = True) -> None:
    """Compare a file of prepared data with what ``info`` says of it.

    Args:
        directory: where the data lies.
        info: the content of its ``info.json``.
        name: of the file.
        content: whether to compare the checksum too, or only the size.

    Raises:
        UserError: naming the file and the difference.
    """
    expected = info["files"].get(name)
    if expected is None:
        raise UserError(f"{directory / INFO} does not list {name}; {PREPARE_AGAIN}")
    check(directory / name, expected, PREPARE_AGAIN, content=content)


def check_tokenizer(directory: Path, info: dict[str, Any]) -> None:
    """``check_file`` for the tokenizer's files."""
    for name in TOKENIZER_FILES:
        check_file(directory, info, name)
