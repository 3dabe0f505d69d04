"""An interrupted preparation goes on where it stopped, and ends as one that was never stopped."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytransformer import files
from pytransformer.data import encoding, prepare, raw, write_split
from pytransformer.errors import UserError
from pytransformer.files import WriteError
from tests.cases.micro_run import write_text
from tests.data.test_prepare import content

OPTIONS = {"vocab_size": 60, "valid_lines": 20}


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty-eight runs of ten pairs to learn from; after each it is noted how far the work is."""
    monkeypatch.setattr(encoding, "_CHUNK", 10)
    monkeypatch.setattr(write_split, "_NOTE_SECONDS", 0.0)


@pytest.fixture
def text(tmp_path: Path) -> tuple[Path, Path]:
    return write_text(tmp_path, 400)


def stop_after(monkeypatch: pytest.MonkeyPatch, runs: int, error: BaseException) -> list[int]:
    """Let the writing of ids fail; the returned list grows by what each run has read."""
    seen: list[int] = []
    append = write_split._SplitFiles.append

    def stopping(self, encoded) -> None:
        if len(seen) == runs:
            raise error
        append(self, encoded)
        seen.append(encoded.read)

    monkeypatch.setattr(write_split._SplitFiles, "append", stopping)
    return seen


@pytest.mark.parametrize("runs", [0, 1, 17, 38, 39])  # the last one while `valid` is written
@pytest.mark.parametrize("threads", [1, 3])
def test_it_goes_on_where_it_was_interrupted(
    text, tmp_path: Path, monkeypatch, runs: int, threads: int
) -> None:
    prepare(*text, tmp_path / "whole", **OPTIONS)
    with monkeypatch.context() as context:
        stop_after(context, runs, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            prepare(*text, tmp_path / "data", threads=threads, **OPTIONS)
    assert not (tmp_path / "data").exists()
    with monkeypatch.context() as context:
        context.setattr(raw, "read_pairs", once_less := Counting(raw.read_pairs))
        module = importlib.import_module("pytransformer.data.prepare")
        context.setattr(module, "train_tokenizer", None)  # learned already
        seen = stop_after(context, 10**9, KeyboardInterrupt())
        report = prepare(*text, tmp_path / "data", threads=threads, **OPTIONS)
    assert sum(seen) == 400 - 10 * min(runs, 38)
    assert once_less.calls == (2 if runs < 38 else 1)  # counted already; for train and for valid
    assert content(tmp_path / "data") == content(tmp_path / "whole")
    assert not (tmp_path / "data.unfinished").exists()
    assert report.train.pairs == 380


class Counting:
    def __init__(self, function) -> None:
        self._function = function
        self.calls = 0

    def __call__(self, *arguments):
        self.calls += 1
        return self._function(*arguments)


def test_it_is_interrupted_while_the_vocabulary_reads(text, tmp_path: Path, monkeypatch) -> None:
    module = importlib.import_module("pytransformer.data.prepare")
    with monkeypatch.context() as context:
        context.setattr(module, "sample", interrupted_sample)
        with pytest.raises(KeyboardInterrupt):
            prepare(*text, tmp_path / "data", **OPTIONS)
    monkeypatch.setattr(raw, "read_pairs", reading := Counting(raw.read_pairs))
    prepare(*text, tmp_path / "data", **OPTIONS)
    assert reading.calls == 3  # counted already; for the vocabulary, for train and for valid


def interrupted_sample(split):
    yield "a sentence"
    raise KeyboardInterrupt


def test_other_text_or_options_begin_anew(text, tmp_path: Path, monkeypatch) -> None:
    for change in ("options", "text"):
        with monkeypatch.context() as context:
            stop_after(context, 5, KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                prepare(*text, tmp_path / "data", overwrite=True, **OPTIONS)
        options = dict(OPTIONS)
        if change == "options":
            options["max_length"] = 10
        else:
            text[0].write_bytes(text[0].read_bytes().replace(b"cat", b"dog"))
        with monkeypatch.context() as context:
            seen = stop_after(context, 10**9, KeyboardInterrupt())
            prepare(*text, tmp_path / "data", overwrite=True, **options)
        assert sum(seen) == 400
        prepare(*text, tmp_path / f"whole {change}", **options)
        assert content(tmp_path / "data") == content(tmp_path / f"whole {change}")
        assert not (tmp_path / "data.unfinished").exists()


def test_a_full_disk_keeps_what_is_done(text, tmp_path: Path, monkeypatch) -> None:
    prepare(*text, tmp_path / "whole", **OPTIONS)
    with monkeypatch.context() as context:
        stop_after(context, 5, OSError(28, "No space left on device"))
        with pytest.raises(WriteError, match="data: No space left on device"):
            prepare(*text, tmp_path / "data", **OPTIONS)
    with monkeypatch.context() as context:
        seen = stop_after(context, 10**9, KeyboardInterrupt())
        prepare(*text, tmp_path / "data", **OPTIONS)
    assert sum(seen) == 350
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_damaged_work_is_thrown_away(text, tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as context:
        stop_after(context, 5, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            prepare(*text, tmp_path / "data", **OPTIONS)
    tokens = tmp_path / "data.unfinished" / "train.target.tokens.npy"
    os.truncate(tokens, tokens.stat().st_size - 1)
    with pytest.raises(UserError, match="is shorter than was written; give the command again"):
        prepare(*text, tmp_path / "data", **OPTIONS)
    prepare(*text, tmp_path / "data", **OPTIONS)
    prepare(*text, tmp_path / "whole", **OPTIONS)
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_damaged_progress_is_not_gone_on_with(text, tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as context:
        stop_after(context, 5, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            prepare(*text, tmp_path / "data", **OPTIONS)
    path = tmp_path / "data.unfinished" / "progress.json"
    noted = json.loads(path.read_text(encoding="utf-8"))
    noted["progress"]["train"]["read"] = "50"
    path.write_text(json.dumps(noted), encoding="utf-8")
    prepare(*text, tmp_path / "data", **OPTIONS)
    prepare(*text, tmp_path / "whole", **OPTIONS)
    assert content(tmp_path / "data") == content(tmp_path / "whole")


@pytest.mark.parametrize("failing", ["flush_all", "put_directory"])
def test_the_last_steps_leave_nothing_in_the_output(text, tmp_path, monkeypatch, failing) -> None:
    prepare(*text, tmp_path / "whole", **OPTIONS)

    def interrupt(*arguments, **options) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(files, failing, interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(*text, tmp_path / "data", **OPTIONS)
    # What a process leaves that is killed while it notes something.
    (tmp_path / "data.unfinished" / ".progress.json.0123456789abcdef.tmp").touch()
    with monkeypatch.context() as context:
        seen = stop_after(context, 10**9, KeyboardInterrupt())
        prepare(*text, tmp_path / "data", **OPTIONS)
    assert sum(seen) == (20 if failing == "flush_all" else 400)
    assert content(tmp_path / "data") == content(tmp_path / "whole")


@pytest.mark.parametrize("name", ["mine.txt", "train.source.tokens.npy/mine.txt", ""])
def test_files_of_the_user_are_left_alone(text, tmp_path: Path, name: str) -> None:
    mine = tmp_path / "data.unfinished" / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"data\.unfinished.* move it away"):
        prepare(*text, tmp_path / "data", **OPTIONS)
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_came_into_the_output_meanwhile_stays(text, tmp_path, monkeypatch, overwrite) -> None:
    output, mine = tmp_path / "data", tmp_path / "data" / "mine.txt"
    prepare(*text, tmp_path / "whole", **OPTIONS)
    if overwrite:
        prepare(*text, output, **{**OPTIONS, "max_length": 5})

    def put_and_encode(*arguments):
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine", encoding="utf-8")
        return encoding.encode_all(*arguments)

    with monkeypatch.context() as context:
        context.setattr(write_split, "encode_all", put_and_encode)
        with pytest.raises(WriteError, match=r"cannot write .*data"):
            prepare(*text, output, overwrite=overwrite, **OPTIONS)
    assert mine.read_text(encoding="utf-8") == "mine"
    mine.unlink()
    seen = stop_after(monkeypatch, 10**9, KeyboardInterrupt())
    prepare(*text, output, overwrite=overwrite, **OPTIONS)
    assert sum(seen) == 20  # those for `valid`
    assert content(output) == content(tmp_path / "whole")


@pytest.mark.parametrize("there", ["nothing", "an empty directory", "prepared data"])
def test_a_link_stays_and_what_it_points_to_is_written(text, tmp_path: Path, there: str) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    if there == "an empty directory":
        real.mkdir()
    elif there == "prepared data":
        prepare(*text, real, **{**OPTIONS, "max_length": 5})
    link.symlink_to("real")
    prepare(*text, link, overwrite=True, **OPTIONS)
    prepare(*text, tmp_path / "whole", **OPTIONS)
    assert link.is_symlink()
    assert content(real) == content(tmp_path / "whole")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"real", "link", "whole", "text.en", "text.de"}


def test_two_do_not_prepare_the_same(text, tmp_path: Path, monkeypatch) -> None:
    def second(self, encoded) -> None:
        prepare(*text, tmp_path / "data", **OPTIONS)

    monkeypatch.setattr(write_split._SplitFiles, "append", second)
    with pytest.raises(UserError, match="another process is preparing "):
        prepare(*text, tmp_path / "data", **OPTIONS)


_SLOW = """
import sys, time
from pytransformer.data import encoding, write_split
from pytransformer.cli.main import main
encoding._CHUNK, write_split._NOTE_SECONDS = 10, 0.0
append = write_split._SplitFiles.append
def slowly(self, encoded):
    append(self, encoded)
    time.sleep(0.05)
write_split._SplitFiles.append = slowly
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_loses_nothing(text, tmp_path: Path, how: signal.Signals) -> None:
    words = ["--vocab-size", "60", "--valid-lines", "20"]
    command = ["prepare", "--source", str(text[0]), "--target", str(text[1]), *words]
    output = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, *command, "--output", str(output)],
        stderr=subprocess.PIPE,
        text=True,
    )
    lengths = tmp_path / "data.unfinished" / "train.target.lengths"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (lengths.exists() and lengths.stat().st_size > 200):
        time.sleep(0.01)
    process.send_signal(how)
    error = process.communicate(timeout=60)[1]
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted; the same command goes on where it stopped" in error
    assert not output.exists()
    kept = lengths.stat().st_size
    assert 0 < kept < 4 * 380
    prepare(*text, output, **OPTIONS)
    prepare(*text, tmp_path / "whole", **OPTIONS)
    assert content(output) == content(tmp_path / "whole")
