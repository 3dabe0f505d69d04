"""Training: configuration, the loop, checkpoints that resume to the bit."""

from pytransformer.training.config import TrainingConfig, from_tables, load
from pytransformer.training.errors import OutputError
from pytransformer.training.run import Outcome, train

__all__ = ["Outcome", "OutputError", "TrainingConfig", "from_tables", "load", "train"]
