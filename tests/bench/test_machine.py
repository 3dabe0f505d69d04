"""The machine is described, and whether it is busy."""

from __future__ import annotations

import pytest

from bench import machine
from bench.machine import describe, peak_bandwidth, peak_operations, warning
from tests.cases.backend import native_only


def test_a_quiet_machine_is_no_reason_to_warn() -> None:
    assert warning(load=0.9, used=0.1, cores=2) == ""


@pytest.mark.parametrize(
    ("load", "used", "text"),
    [
        (1.6, 0.0, "warning: the load average is 1.6 on 2 cores: figures are disturbed"),
        (0.0, 0.9, "warning: other programs use 0.9 cores: figures are disturbed"),
        (2.0, 1.5, "on 2 cores and other programs use 1.5 cores: figures"),
    ],
)
def test_a_busy_machine_is(load: float, used: float, text: str) -> None:
    assert text in warning(load, used, cores=2)


def test_the_load_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_WATCHED_SECONDS", 0.01)
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (1000.0, 0.0, 0.0))
    assert "the load average is 1000.0" in machine.disturbance()


@native_only
def test_the_machine_is_described() -> None:
    found = describe()
    assert found.processor
    assert found.compiler
    assert found.cores >= 1
    assert found.allocator in ("malloc", "tcmalloc")


@native_only
def test_peaks_are_measured() -> None:
    assert peak_operations("float32") > 1e8
    assert peak_operations("bfloat16") > 1e8
    assert peak_bandwidth() > 1e8
