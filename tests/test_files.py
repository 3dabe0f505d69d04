"""Writing is all or nothing, and damage is told by name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pytransformer import files
from pytransformer.errors import UserError
from tests.cases.disk import full_disk


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_only_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with files.atomic_file(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "content"
    assert names(path.parent) == ["file"]


def test_a_failed_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with files.atomic_file(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    files.write_text(tmp_path / "file", "")
    with files.atomic_directory(tmp_path / "directory") as temporary:
        (temporary / "private").touch(mode=0o600)
    expected = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    for path in (tmp_path / "file", tmp_path / "directory" / "private"):
        assert stat.S_IMODE(path.stat().st_mode) == expected
    umask = 0o666 & ~expected
    assert stat.S_IMODE((tmp_path / "directory").stat().st_mode) == 0o777 & ~umask


@pytest.mark.parametrize("exchange", [True, False])
def test_a_directory_replaces_the_whole_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    path = tmp_path / "directory"
    path.mkdir()
    (path / "old").touch()
    with files.atomic_directory(path, replace=True) as temporary:
        (temporary / "new").touch()
        assert names(path) == ["old"]
    assert names(path) == ["new"]
    assert names(tmp_path) == ["directory"]


def test_a_failed_exchange_of_names_puts_the_former_directory_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "directory"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def fail_for_the_new_one(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)

    def replace() -> None:
        with files.atomic_directory(path, replace=True):
            pass

    with pytest.raises(UserError, match="Input/output error"):
        replace()
    assert names(path) == ["old"]
    assert names(tmp_path) == ["directory"]


def test_a_directory_through_a_link_replaces_what_the_link_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real").mkdir()
    with files.atomic_directory(tmp_path / "link") as temporary:
        (temporary / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["new"]


def test_content_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "mine").touch()
    (tmp_path / "file").touch()

    def write(path: Path, replace: bool) -> None:
        with files.atomic_directory(path, replace=replace):
            pass

    with pytest.raises(UserError, match="exists and is not empty"):
        write(tmp_path / "directory", False)
    with pytest.raises(UserError, match="is a file"):
        write(tmp_path / "file", True)
    assert names(tmp_path) == ["directory", "file"]


def test_a_full_disk_leaves_the_old_directory_whole(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    path.mkdir()
    (path / "old").write_text("content")

    def write() -> None:
        with files.atomic_directory(path, replace=True) as temporary:
            files.write_text(temporary / "small", "x")
            files.write_text(temporary / "large", "x" * 100_000)

    with full_disk(4096), pytest.raises(UserError) as error:
        write()
    assert str(error.value) == (
        f"cannot write {path}: File too large; what was there before is unchanged"
    )
    assert names(tmp_path) == ["directory"]
    assert (path / "old").read_text() == "content"


def test_a_link_is_replaced_by_another(tmp_path: Path) -> None:
    for target in ("one", "two"):
        files.atomic_link(tmp_path / "link", target)
        assert (tmp_path / "link").readlink() == Path(target)
    assert names(tmp_path) == ["link"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = [f".{name}.0123456789abcdef.{end}" for name in ("d", "a.b") for end in ("tmp", "old")]
    for name in left:
        (tmp_path / name / "nested").mkdir(parents=True)
    (tmp_path / ".file.0123456789abcdef.tmp").touch()
    (tmp_path / ".link.0123456789abcdef.tmp").symlink_to("mine")
    for name in ("mine", ".mine.tmp", "mine.0123456789abcdef.tmp"):
        (tmp_path / name).mkdir()
    files.remove_unfinished(tmp_path)
    assert names(tmp_path) == [".mine.tmp", "mine", "mine.0123456789abcdef.tmp"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_missing_permission_is_worded(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        files.write_text(tmp_path / "file", "")


def test_json_goes_round(tmp_path: Path) -> None:
    value = {"한국어": [1, 2.5, None], "ä": {"b": True}, "no UTF-8": os.fsdecode(b"\xff.en")}
    files.write_json(tmp_path / "value.json", value)
    assert files.read_json(tmp_path / "value.json", "do this") == value
    assert "한국어" in (tmp_path / "value.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*: No such file"),
        (b'{"a":\n 1', "line 2: not valid JSON"),
        (b"[1]", "holds a JSON list, expected an object"),
        (b'{"a": "\xff"}', "cannot read"),
    ],
)
def test_damaged_json_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "value.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"{message}.*; do this$") as error:
        files.read_json(path, "do this")
    assert str(path) in str(error.value)


def test_checksums_tell_every_kind_of_damage(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"12345678")
    files.write_checksums(tmp_path, ["data"])
    files.verify_checksums(tmp_path, "do this")

    path.write_bytes(b"1234567")
    with pytest.raises(UserError, match="data has 7 bytes, but 8 were written; do this"):
        files.verify_checksums(tmp_path, "do this")
    path.write_bytes(b"12345679")
    with pytest.raises(UserError, match=r"data has changed .*; do this"):
        files.verify_checksums(tmp_path, "do this")
    path.unlink()
    with pytest.raises(UserError, match="data is missing; do this"):
        files.verify_checksums(tmp_path, "do this")
    files.write_json(tmp_path / files.CHECKSUMS, {"data": 1})
    with pytest.raises(UserError, match=r"listed size and checksum of .*data are damaged; do"):
        files.verify_checksums(tmp_path, "do this")
    (tmp_path / files.CHECKSUMS).unlink()
    files.verify_checksums(tmp_path, "do this")
