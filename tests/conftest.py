"""What all tests share: the device that new tensors are made on, from the import of a test on, and
prepared data to train on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.cases.device import DEVICE

if DEVICE == "pretended":
    from tests.cases.pretended_device import pretend

    pretend()
if DEVICE != "cpu":
    torch.set_default_device(DEVICE)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of prepared data, shared and never written to."""
    from tests.cases.micro_run import prepare_data  # imports the package

    return prepare_data(tmp_path_factory.mktemp("micro"))
