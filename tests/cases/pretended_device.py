"""A device that is not there, for what Python does with devices.

Its tensors wrap tensors of the CPU, which compute for them; all that Python and torch's dispatcher
see is a device of their own. Mixing it with the CPU is refused as on a GPU, and so is a generator
of the CPU. What kernels for CUDA compute is shown elsewhere: they run on the CPU by the tests of
the kernels (tests/cuda_on_host).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretended"

# Ops of torch that take tensors of two devices: copies between them, and indices from the CPU.
_MIXING = {"copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_"}


class PretendedTensor(Tensor):
    """A tensor of the CPU that says it is on another device."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> PretendedTensor:
        where = dict(dtype=inner.dtype, layout=inner.layout, device=torch.device(NAME, 0))
        if inner.layout == torch.strided:
            where |= dict(strides=inner.stride(), storage_offset=inner.storage_offset())
        wrapper = Tensor._make_wrapper_subclass(cls, inner.size(), **where)
        wrapper.inner = inner
        return wrapper

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{self.inner!r} ({NAME})"

    def tolist(self) -> Any:
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """Sees what is asked to make tensors on the device, which has no tensor to be seen by."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


def pretend() -> None:
    """From now on ``device="pretended"`` is such a device."""
    _setup_privateuseone_for_python_backend(NAME)
    # Numbers of Python become tensors of the CPU before they are moved, so that it is seen.
    torch._C._set_only_lift_cpu_tensors(True)
    # A module moved to another type gets new tensors, not new data in the old ones.
    torch.__future__.set_swap_module_params_on_conversion(True)
    _Factories().__enter__()


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [x for x in pytree.tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    pretended = [x for x in tensors if isinstance(x, PretendedTensor)]
    asked = kwargs.get("device")
    wraps = bool(pretended) if asked is None else torch.device(asked).type == NAME
    if wraps:
        _refuse_generators_of_the_cpu(kwargs)
        _refuse_mixing(func, tensors, len(pretended))
    inner_args, inner_kwargs = pytree.tree_map_only(
        PretendedTensor, lambda x: x.inner, (args, {**kwargs})
    )
    if asked is not None and wraps:
        inner_kwargs["device"] = torch.device("cpu")
    result = func(*inner_args, **inner_kwargs)
    if not wraps:
        return result
    result = pytree.tree_map_only(Tensor, PretendedTensor, result)
    return return_and_correct_aliasing(func, args, kwargs, result) if pretended else result


def _refuse_generators_of_the_cpu(kwargs: dict[str, Any]) -> None:
    generator = kwargs.get("generator")
    if generator is not None and generator.device.type == "cpu":
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")


def _refuse_mixing(func: Any, tensors: list[Tensor], pretended: int) -> None:
    """A number of the CPU, which has no dimension, may meet tensors of any device."""
    if not pretended or func._schema.name.partition("::")[2] in _MIXING:
        return
    for x in tensors:
        if not isinstance(x, PretendedTensor) and x.dim() > 0:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but {func} got one on {NAME} "
                f"and one of shape {tuple(x.shape)} on {x.device}"
            )
