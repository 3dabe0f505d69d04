"""How good the model is on sentences it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import torch

from pytransformer.data.batches import TokenBatches
from pytransformer.data.tokenizer import Tokenizer
from pytransformer.model import Transformer
from pytransformer.training.config import TrainingConfig
from pytransformer.training.processes import Processes
from pytransformer.training.split import open_split
from pytransformer.training.update import autocast

T = TypeVar("T")

# Sentences translated between two looks at whether the run shall stop.
_TRANSLATED_AT_ONCE = 64


@dataclass(frozen=True)
class Sample:
    """A sentence that shows how the model translates by now."""

    source: str
    reference: str
    translation: str


@dataclass(frozen=True)
class Validation:
    """The scores of one model.

    Attributes:
        loss: mean negative log-likelihood per predicted token, in nats, without label smoothing.
        bleu: sacreBLEU (cased) of the translations, 0 to 100.
        samples: some of these translations, the same sentences each time.
    """

    loss: float
    bleu: float
    samples: Sequence[Sample] = ()

    @property
    def perplexity(self) -> float:
        """``exp(loss)``; infinity where that is no float."""
        return math.exp(self.loss) if self.loss < 709 else math.inf

    def rank(self, metric: str) -> tuple[float, float]:
        """Larger is better: the metric first, the other score between equals."""
        return (self.bleu, -self.loss) if metric == "bleu" else (-self.loss, self.bleu)


class Validator:
    """Scores models on the ``valid`` part of prepared data.

    Attributes:
        signature: sacreBLEU's, of the scores.
    """

    def __init__(
        self, config: TrainingConfig, tokenizer: Tokenizer, processes: Processes | None = None
    ) -> None:
        """Read the validation data.

        Args:
            config: what the run was told.
            tokenizer: that of the data.
            processes: those that share the work; None: this one alone.

        Raises:
            UserError: as ``open_split``, or if sacreBLEU's tokenizer is not installed.
        """
        self._options = config.training
        self._judging = config.validation
        self._processes = processes or Processes()
        self._tokenizer = tokenizer
        dataset = open_split(config, "valid")
        self._batches = TokenBatches(dataset, config.data.batch_tokens, seed=0, shuffle=False)
        pairs = list(zip(dataset.source_text(), dataset.target_text(), strict=True))
        chosen = [
            pairs[index] for index in _spread(len(pairs), self._judging.max_sentences or None)
        ]
        self._sources = [source for source, _ in chosen]
        self._references = [target for _, target in chosen]
        self._shown = _spread(len(chosen), self._judging.samples)
        # A missing tokenizer is reported before the work.
        self.signature = self._bleu(self._references)[1]

    def validate(self, model: Transformer, stop: Callable[[], bool]) -> Validation | None:
        """Score ``model``; None if ``stop`` became true on the way.

        The model is left in training mode, and torch's generator as it was.
        """
        model.eval()
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                own = self._loss(model, stop), self._translate(model, stop)
        finally:
            model.train()
        every = self._processes.gather(own)
        losses = [loss for loss, _ in every if loss is not None]
        translated = [texts for _, texts in every if texts is not None]
        if len(losses) < len(every) or len(translated) < len(every):
            return None
        loss = sum(total for total, _ in losses) / sum(count for _, count in losses)
        translations = _dealt_back(translated)
        return Validation(loss, self._bleu(translations)[0], self._samples(translations))

    def _loss(self, model: Transformer, stop: Callable[[], bool]) -> tuple[float, int] | None:
        """The sum over this process's tokens, and how many they are."""
        total, count = 0.0, 0
        for batch in self._own(self._batches.epoch(0)):
            if stop():
                return None
            src, tgt = batch.src.to(self._options.device), batch.tgt.to(self._options.device)
            with autocast(self._options):
                loss = model.loss(src, tgt, label_smoothing=0.0, reduction="sum")
            total += loss.item()
            count += batch.tokens_target
        return total, count

    def _translate(self, model: Transformer, stop: Callable[[], bool]) -> list[str] | None:
        # Decoding is needed here only; a program that builds its own loop stays free of it.
        from pytransformer.decoding import Translator

        translator = Translator(model, self._tokenizer)
        own = list(self._own(self._sources))
        translations: list[str] = []
        for start in range(0, len(own), _TRANSLATED_AT_ONCE):
            if stop():
                return None
            sources = own[start : start + _TRANSLATED_AT_ONCE]
            translations += translator.translate(sources, beam_size=self._judging.beam_size)
        return translations

    def _own(self, items: Iterable[T]) -> Iterator[T]:
        return islice(items, self._processes.rank, None, self._processes.size)

    def _samples(self, translations: Sequence[str]) -> list[Sample]:
        return [
            Sample(self._sources[index], self._references[index], translations[index])
            for index in self._shown
        ]

    def _bleu(self, translations: Sequence[str]) -> tuple[float, str]:
        from pytransformer.decoding.evaluation import corpus_bleu

        return corpus_bleu(translations, self._references, self._judging.tokenize)


def _dealt_back(parts: Sequence[Sequence[str]]) -> list[str]:
    """What ``_own`` dealt out, in its order."""
    whole = [""] * sum(map(len, parts))
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole


def _spread(count: int, most: int | None) -> list[int]:
    """At most ``most`` (None: all) of the indices below ``count``, at even distances."""
    taken = count if most is None else min(count, most)
    return [index * count // taken for index in range(taken)]
