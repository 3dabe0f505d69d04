"""How a model was made, for the ``training.json`` beside it: what it takes to make it again.

The whole configuration, sizes and checksums of the text and of what was prepared from it, versions,
the kernels that computed it (the bits depend on them), the update, and the scores of its validation
with the signature that makes them comparable.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy
import sacrebleu
import sentencepiece
import torch

from pytransformer import ops
from pytransformer.data.mixture import Mixture
from pytransformer.training.config import TrainingConfig
from pytransformer.training.state import TrainingState
from pytransformer.version import __version__


def describe_run(config: TrainingConfig, dataset: Mixture, signature: str) -> dict[str, Any]:
    """What all models of a run share.

    Args:
        config: what the run was told.
        dataset: what it learns from.
        signature: sacreBLEU's, of the validation.
    """
    return {
        "config": config.to_tables(),
        "data": [{key: corpus.info[key] for key in ("raw", "files")} for corpus in dataset.corpora],
        "versions": _versions(),
        "arithmetic": _arithmetic(),
        "bleu_signature": signature,
    }


def describe_model(run: dict[str, Any], state: TrainingState) -> dict[str, Any]:
    """``run`` and what is true of the model as it stands; null scores where it was not judged."""
    judged = state.validated_step == state.step
    scores = {"loss": state.validated_loss, "bleu": state.validated_bleu} if judged else None
    return {"step": state.step, "validation": scores, **run}


def _arithmetic() -> str:
    """The kernels' instruction set; on other devices it is only that of what the CPU does."""
    if ops.BACKEND != "native":
        return ops.BACKEND
    from pytransformer import _C

    isa: str = _C.isa()
    return isa


def _versions() -> dict[str, str]:
    return {
        "pytransformer": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "sentencepiece": sentencepiece.__version__,
        "sacrebleu": sacrebleu.__version__,
    }
