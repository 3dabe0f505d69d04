"""Which devices this installation can compute on."""

from __future__ import annotations

import importlib
import re

import torch

from pytransformer.errors import UserError

LEAST_CAPABILITY = (8, 0)
"""Of CUDA devices: tensor cores with bfloat16, and asynchronous copies."""


def usable_device(name: str, option: str) -> torch.device:
    """The device of that name, if the ops run there.

    Args:
        name: ``cpu``, ``cuda`` (torch's current device) or ``cuda:N``.
        option: what the user set to it, for messages.

    Raises:
        UserError: if there is no such device, or this build of pytransformer has no kernels for it.
    """
    if re.fullmatch(r"cpu|cuda(:\d+)?", name) is None:
        raise UserError(f"{option} {name}: must be cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda" and (obstacle := _obstacle(device)) is not None:
        raise UserError(f"{option} {name}: {obstacle}; or use cpu")
    return device


def cuda_devices() -> list[torch.device]:
    """Those that the ops run on."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = [torch.device("cuda", index) for index in range(count)]
    return [device for device in devices if _obstacle(device) is None]


def _obstacle(device: torch.device) -> str | None:
    """Why the ops cannot run on a CUDA device, and what helps."""
    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} was built without CUDA; install one that was built with it "
            "(https://pytorch.org/get-started)"
        )
    if not torch.cuda.is_available():
        return "torch sees no CUDA device; look at nvidia-smi"
    if device.index is not None and device.index >= torch.cuda.device_count():
        return f"torch sees {torch.cuda.device_count()} CUDA devices, counted from 0; name another"
    from pytransformer import ops  # after what can be said without the compiled extension

    if ops.BACKEND != "native":
        return None
    if importlib.import_module("pytransformer._C").build_information()["cuda"] is None:
        return (
            "pytransformer was built without kernels for CUDA; in the source tree: "
            "PYTRANSFORMER_CUDA=1 pip install --no-build-isolation --no-deps --force-reinstall ."
        )
    capability = torch.cuda.get_device_capability(device)
    if capability < LEAST_CAPABILITY:
        return (
            f"{torch.cuda.get_device_name(device)} has compute capability "
            f"{'.'.join(map(str, capability))}; the kernels need "
            f"{'.'.join(map(str, LEAST_CAPABILITY))} or higher (A100, RTX 30 and later); use "
            "another device"
        )
    return None
