"""From parallel text to batches: tokenizer, preparation, memory-mapped data sets, batches."""

from pytransformer.data.batches import Batch, TokenBatches
from pytransformer.data.dataset import ParallelDataset
from pytransformer.data.prepare import prepare
from pytransformer.data.tokenizer import Tokenizer
from pytransformer.data.vocabulary import train_tokenizer

__all__ = [
    "Batch",
    "ParallelDataset",
    "TokenBatches",
    "Tokenizer",
    "prepare",
    "train_tokenizer",
]
