"""What all tests share: the device that new tensors are made on, from the import of a test on."""

from __future__ import annotations

import torch

from tests.cases.device import DEVICE

if DEVICE == "pretended":
    from tests.cases.pretended_device import pretend

    pretend()
if DEVICE != "cpu":
    torch.set_default_device(DEVICE)
