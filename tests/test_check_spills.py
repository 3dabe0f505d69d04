"""The check of compiled CUDA kernels has to see a spill in what the compiler prints."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import check_spills

PRINTED = """
ptxas info    : Compiling entry function '_Z4{name}IfEvv' for '{gpu}'
ptxas info    : Function properties for _Z4{name}IfEvv
    8 bytes stack frame, {spilled} bytes spill stores, {spilled} bytes spill loads
ptxas info    : Used {registers} registers, used 1 barriers
"""


def printed(name: str, gpu: str, spilled: int) -> str:
    return PRINTED.format(name=name, gpu=gpu, spilled=spilled, registers=255)


def exit_status(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    monkeypatch.setattr(check_spills, "build", lambda options: text)
    return check_spills.main()


def test_a_spill_fails_and_names_the_kernel_and_the_gpu(monkeypatch, capsys):
    text = printed("heap", "sm_80", 0) + printed("sums", "sm_90a", 12)
    assert exit_status(monkeypatch, text) == 1
    shown = capsys.readouterr().out
    assert "sm_90a   255 registers,  24 bytes spilled  void sums<float>" in shown
    assert "2 kernels for sm_80, sm_90a: 1 spill registers" in shown


def test_without_a_spill_it_passes(monkeypatch):
    assert exit_status(monkeypatch, printed("heap", "sm_80", 0)) == 0


def test_careful_kernels_may_spill(monkeypatch, capsys):
    careful = printed("heap", "sm_80", 40).replace("_Z4heap", "_Z14heap_carefully")
    assert exit_status(monkeypatch, careful + printed("sums", "sm_80", 0)) == 0
    assert "1 careful ones were not looked at" in capsys.readouterr().out


def test_output_without_kernels_is_an_error(monkeypatch):
    with pytest.raises(SystemExit, match="its output has changed"):
        exit_status(monkeypatch, "nothing\n")
