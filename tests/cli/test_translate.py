"""``pytransformer translate`` as a process and in-process."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytransformer.cli.main import main
from pytransformer.decoding import SearchOptions, Translator
from pytransformer.directory import save_model
from tests.cases import translators

TEXTS = [*translators.LINES[:6], "", "the old cat", "  "]


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "model"
    save_model(directory, translators.model(7), translators.tokenizer())
    return directory


@pytest.fixture(name="expected", scope="module")
def _expected(model: Path) -> list[str]:
    return Translator.load(model).translate(TEXTS)


class Terminal(io.BytesIO):
    """Standard input that claims to be a terminal, or not, and tells when a line is read."""

    def __init__(self, data: bytes, interactive: bool = False) -> None:
        super().__init__(data)
        self.interactive = interactive
        self.buffer = self
        self.before_line: Callable[[], None] = lambda: None

    def __next__(self) -> bytes:
        self.before_line()
        return super().__next__()

    def isatty(self) -> bool:
        return self.interactive


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes, interactive: bool = False) -> Terminal:
    terminal = Terminal(data, interactive)
    monkeypatch.setattr(sys, "stdin", terminal)
    return terminal


def lines(texts: list[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def test_one_line_out_per_line_in(
    model: Path,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    feed(monkeypatch, b"\xef\xbb\xbf" + lines(TEXTS))  # a byte order mark is no text
    assert main(["translate", str(model)]) == 0
    out, err = capsys.readouterr()
    assert out == lines(expected).decode()
    assert expected[6] == expected[8] == ""
    assert err.startswith("9 sentences in ")
    assert "sentences/s" in err
    assert "tokens/s" in err


@pytest.mark.parametrize("name", ["in.txt", "in.txt.gz"])
def test_files(
    model: Path,
    expected: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    data = lines(TEXTS).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    arguments = ["translate", str(model), str(tmp_path / name), "--quiet"]
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").read_bytes() == lines(expected)
    assert capsys.readouterr() == ("", "")


def test_options_reach_the_search(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").write_bytes(lines(TEXTS))
    options = ["--beam-size", "3", "--length-penalty", "1.5", "--max-length", "7", "--n-best", "2"]
    run = ["translate", str(model), str(tmp_path / "in"), *options, "--scores", "--batch-size", "2"]
    assert main([*run, "--quiet"]) == 0
    found = Translator.load(model).translate_batch(TEXTS, SearchOptions(3, 1.5, 2, 7))
    expected = [
        (str(number), best.score, best.text)
        for number, translations in enumerate(found, start=1)
        for best in translations
    ]
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(number, text) for number, _, text in rows] == [(n, text) for n, _, text in expected]
    scores = [float(score) for _, score, _ in rows]
    assert scores == pytest.approx([score for _, score, _ in expected], abs=2e-5)


def test_a_terminal_is_answered_line_by_line(
    model: Path,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    terminal = feed(monkeypatch, lines(TEXTS), interactive=True)
    written: list[bytes] = []
    terminal.before_line = lambda: written.append(capsysbinary.readouterr().out)
    assert main(["translate", str(model)]) == 0
    # Before each line is read, the answers to all earlier ones are out.
    assert written == [b"", *(f"{text}\n".encode() for text in expected)]
    assert capsysbinary.readouterr() == (b"", b"")


@pytest.mark.parametrize("batch_size", ["1", "64"])
def test_invalid_utf8_comes_after_what_was_good(
    model: Path,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    batch_size: str,
) -> None:
    bad = lines(TEXTS[:3]) + b"K\xe4tze\n" + lines(TEXTS[:2])
    options = ["--batch-size", batch_size]
    feed(monkeypatch, bad)
    assert main(["translate", str(model), *options]) == 1
    out, err = capsys.readouterr()
    assert out == lines(expected[:3]).decode()
    assert err.startswith("pytransformer: error: standard input, line 4: not valid UTF-8")
    (tmp_path / "in").write_bytes(bad)
    assert main(["translate", str(model), str(tmp_path / "in"), *options]) == 1
    out, err = capsys.readouterr()
    assert out == lines(expected[:3]).decode()
    assert "in, line 4: not valid UTF-8" in err


def test_a_damaged_model_is_one_clear_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def message(directory: Path) -> str:
        assert main(["translate", str(directory), str(tmp_path / "in")]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("pytransformer: error: ")
        assert err.count("\n") == 1
        return err

    (tmp_path / "in").write_bytes(lines(TEXTS))
    assert "missing" in message(tmp_path / "missing")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "README").write_text("something else")
    assert "config.json" in message(tmp_path / "foreign")
    truncated = tmp_path / "truncated"
    truncated.mkdir()
    for file in model.iterdir():
        data = file.read_bytes()
        cut = len(data) // 2 if file.suffix == ".safetensors" else len(data)
        (truncated / file.name).write_bytes(data[:cut])
    assert "model.safetensors" in message(truncated)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--beam-size", "0"], "--beam-size 0: must be at least 1"),
        (["--beam-size", "1" + 20 * "0"], "at most 1024"),
        (["--n-best", "5"], "--n-best 5: must be at least 1 and at most 4, the --beam-size"),
        (["--max-length", "1" + 20 * "0"], "at most 65536"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--batch-size", "1" + 20 * "0"], "at most 65536"),
        (["--threads", "0"], "--threads 0"),
        (["--threads", "100000"], "--threads 100000: must be at least 1 and at most 1024"),
        (["--length-penalty", "nan"], "--length-penalty nan: must be at least -10.0"),
        (["--output", "/dev/null/out"], "cannot write /dev/null/out"),
        (["absent.txt"], "cannot read absent.txt"),
    ],
)
def test_mistakes_are_named(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    feed(monkeypatch, b"")
    assert main(["translate", str(model), *options]) == 1
    assert message in capsys.readouterr().err


def test_the_input_is_not_overwritten(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, link = tmp_path / "in", tmp_path / "link"
    text.write_bytes(lines(TEXTS))
    link.symlink_to(text)
    assert main(["translate", str(model), str(text), "--output", str(link)]) == 1
    assert f"--output {link} is the file {text} that is read" in capsys.readouterr().err
    assert text.read_bytes() == lines(TEXTS)


def test_an_error_leaves_the_output_of_before(model: Path, tmp_path: Path) -> None:
    text, out = tmp_path / "in", tmp_path / "out"
    text.write_bytes(lines(TEXTS[:3]) + b"K\xe4tze\n")
    out.write_text("old")
    assert main(["translate", str(model), str(text), "--output", str(out)]) == 1
    assert main(["translate", str(model), str(tmp_path / "absent"), "--output", str(out)]) == 1
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_what_is_no_regular_file_is_written_and_not_replaced(
    model: Path, expected: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(lines(TEXTS))
    (tmp_path / "link").symlink_to("out")
    run = ["translate", str(model), str(tmp_path / "in"), "--quiet", "--output"]
    assert main([*run, str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "out").read_bytes() == lines(expected)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert main([*run, str(pipe)]) == 0
        if not pipe.is_fifo():
            reader.kill()  # nobody will ever write to it
        assert reader.communicate(timeout=20)[0] == lines(expected)
    assert pipe.is_fifo()


def test_standard_input_that_is_closed(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["translate", str(model)]) == 1
    assert "standard input is closed; name a file" in capsys.readouterr().err


def test_as_a_process_whose_reader_leaves(model: Path, expected: list[str]) -> None:
    """Without a UTF-8 locale, and with a reader that takes one line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytransformer", "translate", str(model), "--batch-size", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    # Line by line, as another program would ask.
    for text, answer in zip(TEXTS[:3], expected, strict=False):
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == f"{answer}\n".encode()
    process.stdout.close()
    process.stdin.write(lines(TEXTS))
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 141
