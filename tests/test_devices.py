"""A device that cannot compute is refused in a sentence that says what helps."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from pytransformer import ops
from pytransformer.cli.main import main
from pytransformer.devices import cuda_devices, usable_device
from pytransformer.errors import UserError
from tests.cases.device import DEVICE, cpu_only, cuda_only


@pytest.fixture
def torch_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A torch that says it sees one H200, and an extension with kernels for it."""
    built = SimpleNamespace(build_information=lambda: {"cuda": "13.0"})
    monkeypatch.setitem(sys.modules, "pytransformer._C", built)
    monkeypatch.setattr(ops, "BACKEND", "native")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    return monkeypatch


def test_the_cpu_is_always_there() -> None:
    assert usable_device("cpu", "--device") == torch.device("cpu")


def test_a_gpu_is_taken_where_there_is_one(torch_with_a_gpu: pytest.MonkeyPatch) -> None:
    assert usable_device("cuda", "--device") == torch.device("cuda")
    assert usable_device("cuda:0", "--device") == torch.device("cuda", 0)
    assert cuda_devices() == [torch.device("cuda", 0)]


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:-1", "mps", "", "cpu:0"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"--device {name}: must be cpu, cuda or cuda:N"):
        usable_device(name, "--device")


def test_a_torch_without_cuda_is_named(torch_with_a_gpu: pytest.MonkeyPatch) -> None:
    torch_with_a_gpu.setattr(torch.version, "cuda", None)
    with pytest.raises(UserError, match=r"torch \S+ was built without CUDA.*pytorch\.org.*use cpu"):
        usable_device("cuda", "--device")


def test_a_machine_without_a_gpu_is_named(torch_with_a_gpu: pytest.MonkeyPatch) -> None:
    torch_with_a_gpu.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"\[training\] device cuda: torch sees no CUDA device"):
        usable_device("cuda", "[training] device")
    assert cuda_devices() == []


def test_a_gpu_that_is_not_there_is_named(torch_with_a_gpu: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"cuda:3: torch sees 1 CUDA devices, counted from 0"):
        usable_device("cuda:3", "--device")


def test_a_build_without_kernels_is_named(torch_with_a_gpu: pytest.MonkeyPatch) -> None:
    built = SimpleNamespace(build_information=lambda: {"cuda": None})
    torch_with_a_gpu.setitem(sys.modules, "pytransformer._C", built)
    with pytest.raises(UserError, match=r"built without kernels for CUDA.*PYTRANSFORMER_CUDA=1"):
        usable_device("cuda", "--device")
    torch_with_a_gpu.setattr(ops, "BACKEND", "reference")
    assert usable_device("cuda", "--device") == torch.device("cuda")


def test_an_old_gpu_is_named_with_the_least_capability(
    torch_with_a_gpu: pytest.MonkeyPatch,
) -> None:
    torch_with_a_gpu.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(UserError, match=r"NVIDIA H200 has compute capability 7\.5.*8\.0 or higher"):
        usable_device("cuda:0", "--device")
    assert cuda_devices() == []


@cpu_only
@pytest.mark.parametrize(
    "command",
    [
        ["translate", "MODEL", "INPUT"],
        ["evaluate", "MODEL", "--source", "INPUT", "--reference", "INPUT"],
        ["attend", "MODEL", "a sentence"],
        ["bench", "embedding"],
    ],
    ids=lambda command: command[0],
)
def test_commands_refuse_it_in_one_line(
    command: list[str], tmp_path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    text = tmp_path / "text"
    text.write_text("a\n", encoding="utf-8")
    words = [str(text) if word == "INPUT" else word for word in command]
    assert main([*words, "--device", "cuda"]) == 1
    assert "--device cuda: torch" in capsys.readouterr().err


@cuda_only
def test_this_one_is_usable() -> None:
    assert usable_device(DEVICE, "--device").type == "cuda"
