"""Prepared data for the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases.micro_run import prepare_data


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of prepared data, shared and never written to."""
    return prepare_data(tmp_path_factory.mktemp("micro"))
