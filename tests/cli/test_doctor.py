"""What is whole passes; what is broken is named, with a remedy and exit status 1."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pytransformer import ops
from pytransformer.cli.main import main
from pytransformer.diagnosis import installation
from pytransformer.diagnosis.installation import openmp_runtimes
from pytransformer.diagnosis.report import OpCheck, Report
from pytransformer.diagnosis.self_check import check_ops
from pytransformer.diagnosis.self_check_cases import CASES
from tests.cases.backend import native_only


@pytest.fixture
def no_self_check(monkeypatch):
    """The self-check takes a second, and many tests are about something else."""
    monkeypatch.setattr("pytransformer.diagnosis.self_check.CASES", {})


def diagnose(capsys) -> tuple[int, dict]:
    status = main(["doctor", "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_whole_installation_passes(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert torch.__version__ in out
    for op in CASES:
        assert f"  {op} " in out
    assert "problem" not in out
    assert out.endswith("All is well.\n")


def test_json_holds_the_same(capsys):
    status, report = diagnose(capsys)
    assert status == 0
    assert report["healthy"] is True
    assert report["facts"]["torch"] == torch.__version__
    assert {check["op"]: check["passed"] for check in report["checks"]} == dict.fromkeys(
        CASES, True
    )


def test_every_op_is_checked():
    assert set(CASES) == set(ops.__all__) - {"BACKEND"}


@pytest.mark.parametrize("wrong", [1.05, math.nan], ids=["off by a twentieth", "nan"])
def test_wrong_numbers_are_found(monkeypatch, capsys, wrong):
    linear = ops.linear
    monkeypatch.setattr(ops, "linear", lambda *args, **named: linear(*args, **named) * wrong)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "problem: wrong results: linear\n remedy: " in out
    assert [line.split()[0] for line in out.splitlines() if " WRONG " in line] == ["linear"]


def test_a_wrong_gradient_is_found(monkeypatch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * 1.1

    norm = ops.layer_norm
    monkeypatch.setattr(ops, "layer_norm", lambda x, **named: norm(Wrong.apply(x), **named))
    check = {check.op: check for check in check_ops()}["layer_norm"]
    assert not check.passed
    assert check.where.endswith("gradient of x")


def test_an_op_that_raises_is_named_with_its_error(monkeypatch, capsys):
    def broken(**_):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(ops, "attention", broken)
    status, report = diagnose(capsys)
    assert status == 1
    check = next(check for check in report["checks"] if check["op"] == "attention")
    assert check["failure"] == "RuntimeError: no such kernel"
    assert check["error"] is None
    assert sum(not check["passed"] for check in report["checks"]) == 1


@native_only
def test_the_instruction_set_is_restored():
    from pytransformer import _C

    before = _C.isa()
    _C.set_isa("generic")
    try:
        where = {check.where.split(", ")[1] for check in check_ops()}
        assert _C.isa() == "generic"
    finally:
        _C.set_isa(before)
    assert where <= {name for name, runs in _C.instruction_sets() if runs}


def test_an_extension_that_cannot_be_imported(monkeypatch):
    def refuse(name):
        raise ImportError(f"{name} was built for torch 1.0")

    monkeypatch.setattr(installation.importlib, "import_module", refuse)
    report = Report()
    assert not installation._examine_backend(report)
    assert report.problems[0].what == "pytransformer.ops was built for torch 1.0"
    assert "pip install --no-build-isolation" in report.problems[0].remedy


def test_the_command_starts_where_the_package_cannot_be_imported(tmp_path):
    """A whole process, which believes that the extension was built for another torch."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\n"
        "built_for = types.ModuleType('pytransformer._built_for')\n"
        "built_for.TORCH = '1.0.0'\n"
        "sys.modules[built_for.__name__] = built_for\n"
    )
    paths = [str(tmp_path), str(Path(__file__).parents[2])]
    environment = dict(PYTHONPATH=os.pathsep.join(paths), PYTRANSFORMER_BACKEND="native")
    result = subprocess.run(
        [sys.executable, "-m", "pytransformer", "doctor"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert "problem: pytransformer was built for torch 1.0.0, but torch" in result.stdout
    assert "remedy:" in result.stdout
    assert not result.stderr


def test_without_a_compiler_the_remedy_begins_with_one(monkeypatch):
    monkeypatch.setattr(installation.shutil, "which", lambda _: None)
    assert installation._remedy_for_import().startswith("install a C++20 compiler")


def test_an_unknown_backend_is_to_be_unset(monkeypatch):
    monkeypatch.setenv("PYTRANSFORMER_BACKEND", "fast")
    assert installation._remedy_for_import() == "unset PYTRANSFORMER_BACKEND"


EXTENSION = {
    "build_information": lambda: dict(version="0.0.9", torch="2.6.0", compiler="GNU", cuda=None),
    "kernel_names": lambda: ["matmul"],
    "omp_max_threads": torch.get_num_threads,
    "instruction_sets": lambda: [("avx512", False), ("avx2", True), ("generic", True)],
    "isa": lambda: "generic",
}


def test_an_extension_of_another_version_and_a_slower_instruction_set(monkeypatch):
    monkeypatch.setattr(installation, "_examine_pool", lambda *_: None)
    report = Report(facts={"cuda": ""})
    assert installation._examine_extension(report, SimpleNamespace(**EXTENSION))
    assert "is of version 0.0.9" in report.problems[0].what
    assert report.notes == ["PYTRANSFORMER_ISA asks for generic; avx2 would be faster"]
    assert "avx512 (not on this machine)" in report.facts["instructions"]


def test_an_instruction_set_that_is_not_there():
    def refuse():
        raise RuntimeError("instruction set 'sse' is not compiled in")

    report = Report(facts={"cuda": ""})
    extension = SimpleNamespace(**{**EXTENSION, "isa": refuse})
    assert not installation._examine_extension(report, extension)
    assert report.problems[-1].what == "instruction set 'sse' is not compiled in"


def test_two_openmp_runtimes(monkeypatch):
    threads = torch.get_num_threads()
    runtimes = [Path("/a/libgomp.so.1"), Path("/b/libomp.so")]
    monkeypatch.setattr(installation, "openmp_runtimes", lambda: runtimes)
    report = Report()
    installation._examine_pool(report, SimpleNamespace(omp_max_threads=lambda: threads))
    assert "two OpenMP runtimes" in report.problems[0].what
    assert "/a/libgomp.so.1, /b/libomp.so" in report.problems[0].what
    assert torch.get_num_threads() == threads


@native_only
def test_torch_governs_the_threads_of_the_kernels():
    from pytransformer import _C

    report = Report()
    installation._examine_pool(report, _C)
    assert report.healthy


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="reads what Linux tells")
def test_the_runtime_of_torch_is_found():
    assert any("omp" in path.name for path in openmp_runtimes())


@pytest.mark.parametrize("limited", [True, False])
def test_few_threads_are_a_problem_unless_they_are_asked_for(monkeypatch, limited):
    for name in installation._THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if limited:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(installation, "_processors", lambda: 8)
    report = Report()
    installation._examine_torch(report)
    words = [problem.what for problem in report.problems], report.notes
    what = "torch uses 1 threads, but 8 processors are available"
    expected = ([], [f"{what}: OMP_NUM_THREADS=1 limits it"]) if limited else ([what], [])
    assert words == expected


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(installation, "_version", lambda name: None if name == "tqdm" else "1.0")
    report = Report()
    installation._examine_packages(report)
    assert [(problem.what, problem.remedy) for problem in report.problems] == [
        ("not installed: tqdm", "pip install tqdm")
    ]


def test_without_matplotlib_nothing_is_wrong(monkeypatch):
    monkeypatch.setattr(installation, "_version", lambda _: None)
    report = Report()
    installation._examine_pictures(report)
    assert report.healthy
    assert "pip install 'pytransformer[pictures]'" in report.notes[0]


@pytest.mark.usefixtures("no_self_check")
def test_the_reference_backend_is_a_note(monkeypatch, capsys):
    if ops.BACKEND == "native":
        monkeypatch.setattr(ops, "BACKEND", "reference")
    status, report = diagnose(capsys)
    assert status == 0
    assert report["facts"]["backend"] == "reference"
    assert "PYTRANSFORMER_BACKEND=reference" in report["notes"][0]


def test_a_difference_passes_within_its_tolerance_only():
    assert OpCheck("linear", 1.0, 1.0, "").passed
    assert not OpCheck("linear", 1.1, 1.0, "").passed
    assert not OpCheck("linear", math.nan, 1.0, "").passed
    assert not OpCheck("linear", 0.0, 1.0, "", failure="raised").passed


def test_processors_are_those_of_this_process():
    assert 1 <= installation._processors() <= (os.cpu_count() or 1)
