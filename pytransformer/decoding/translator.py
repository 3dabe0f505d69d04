"""Text in, text out: tokenizer, batches, search.

Sentences are translated in batches of similar length and returned in the order of the input. What
else is in a batch does not change a translation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from pytransformer.data.tokenizer import Tokenizer
from pytransformer.decoding.search import EXTRA_LENGTH, Hypothesis, SearchOptions, search
from pytransformer.directory import load_model
from pytransformer.errors import UserError
from pytransformer.model import Transformer
from pytransformer.packed import pack

ComputeType = Literal["float32", "bfloat16"]

# Bounds the memory of a batch of long sentences: the positions of source and translation together.
_BATCH_POSITIONS = 16384


@dataclass(frozen=True)
class Translation:
    """One translation of one sentence.

    Attributes:
        text: without a line end.
        score: log-probability (natural logarithm) after the length penalty; 0 for an empty line.
        tokens: ids of the target pieces, without ``</s>``.
    """

    text: str
    score: float
    tokens: list[int]


class Translator:
    """A model and its tokenizer.

    The model may be one that is being trained: it is put into eval mode for the time of a call.
    The number of threads is torch's (``torch.set_num_threads``).
    """

    def __init__(self, model: Transformer, tokenizer: Tokenizer) -> None:
        """Raise ValueError if the two differ in the size of their vocabulary."""
        if model.config.vocab_size != tokenizer.vocab_size:
            raise ValueError(
                f"the model has a vocabulary of {model.config.vocab_size} ids, but the tokenizer "
                f"one of {tokenizer.vocab_size}; give the tokenizer that the model was trained with"
            )
        self.model = model
        self.tokenizer = tokenizer

    @classmethod
    def load(
        cls,
        directory: str | Path,
        compute_type: ComputeType = "float32",
        device: torch.device | str = "cpu",
    ) -> Translator:
        """Read a model directory.

        Args:
            directory: as written by training, or a Hugging Face Marian model.
            compute_type: dtype of the parameters and of the arithmetic.
            device: where to translate.

        Raises:
            UserError: if the directory is missing, foreign or damaged.
            ValueError: if ``compute_type`` is unknown.
        """
        if compute_type not in get_args(ComputeType):
            choices = " or ".join(get_args(ComputeType))
            raise ValueError(f"compute_type = {compute_type!r}: must be {choices}")
        model, tokenizer = load_model(Path(directory), dtype=getattr(torch, compute_type))
        return cls(model.to(device), tokenizer)

    def translate(
        self,
        texts: Sequence[str],
        beam_size: int = 4,
        length_penalty: float = 0.6,
        max_length: int | None = None,
        batch_size: int = 64,
    ) -> list[str]:
        """The best translation of each text.

        Args:
            texts: one sentence each; an empty or blank one has an empty translation.
            beam_size: hypotheses followed at a time; 1 is greedy search.
            length_penalty: more favours longer translations (``SearchOptions``).
            max_length: the most tokens of a translation (``SearchOptions``).
            batch_size: the most sentences translated at a time; does not change the result.

        Raises:
            UserError: if a sentence is longer than the model's learned positions reach, or no valid
                Unicode.
            ValueError: if an option is out of its range.
            TypeError: if ``texts`` is one string, or holds something else than strings.
        """
        options = SearchOptions(beam_size, length_penalty, max_length=max_length)
        return [best[0].text for best in self.translate_batch(texts, options, batch_size)]

    def translate_batch(
        self, texts: Sequence[str], options: SearchOptions | None = None, batch_size: int = 64
    ) -> list[list[Translation]]:
        """The best translations of each text, best first, with their scores.

        Arguments and errors are those of ``translate``; ``options.num_hypotheses`` says how many.
        An empty or blank text has one translation, which is empty.
        """
        _refuse_string(texts)
        sentences, error = self._encode(texts, first_line=1)
        if error is not None:
            raise error
        return self._translate(sentences, options, batch_size)

    def translate_stream(
        self,
        texts: Iterable[str],
        options: SearchOptions | None = None,
        batch_size: int = 64,
        look_ahead: int = 1024,
    ) -> Iterator[list[Translation]]:
        """The translations of each text in turn, in the order of the input, from any iterable.

        Args:
            texts: read as needed, ``look_ahead`` at a time; if it raises, what came before is
                translated first.
            options: None takes the defaults.
            batch_size: as in ``translate_batch``.
            look_ahead: more makes batches of more similar lengths; 1 answers each text before the
                next one is read.
        """
        _refuse_string(texts)
        if look_ahead < 1:
            raise ValueError(f"look_ahead = {look_ahead}: must be at least 1")
        texts = iter(texts)
        line = 1
        while True:
            window, error = _take(texts, look_ahead)
            sentences, too_long = self._encode(window, line)
            yield from self._translate(sentences, options, batch_size)
            if too_long is not None:
                raise too_long
            if error is not None:
                raise error
            if len(window) < look_ahead:
                return
            line += look_ahead

    def _encode(
        self, texts: Sequence[str], first_line: int
    ) -> tuple[list[list[int]], UserError | None]:
        """Token ids up to the first text that is too long, and the error for that one."""
        for number, text in enumerate(texts, start=first_line):
            if not isinstance(text, str):
                raise TypeError(f"text {number} is {type(text).__name__}; give a str")
            refuse_surrogates(text, f"line {number}")
        sentences = self.tokenizer.encode([text.strip() for text in texts])
        if self.model.config.positions != "learned":
            return sentences, None
        limit = self.model.config.max_length
        for index, tokens in enumerate(sentences):
            if len(tokens) + 1 > limit:
                return sentences[:index], UserError(
                    f"line {first_line + index} has {len(tokens) + 1} tokens (</s> included), but "
                    f"the learned positions of this model end at {limit}; split the line"
                )
        return sentences, None

    def _translate(
        self, sentences: list[list[int]], options: SearchOptions | None, batch_size: int
    ) -> list[list[Translation]]:
        results = [[Translation("", 0.0, [])] for _ in sentences]
        eos = self.tokenizer.eos_id
        device = self.model.embedding.device
        with _evaluating(self.model):
            for batch in _batches([len(tokens) for tokens in sentences], batch_size):
                rows = [torch.tensor([*sentences[index], eos]) for index in batch]
                found = search(self.model, pack(rows).to(device), options)
                for index, hypotheses in zip(batch, found, strict=True):
                    results[index] = self._read(hypotheses)
        return results

    def _read(self, hypotheses: list[Hypothesis]) -> list[Translation]:
        texts = self.tokenizer.decode([hypothesis.tokens for hypothesis in hypotheses])
        return [
            Translation(text, hypothesis.score, hypothesis.tokens)
            for text, hypothesis in zip(texts, hypotheses, strict=True)
        ]


@contextmanager
def _evaluating(model: Transformer) -> Iterator[None]:
    """Eval mode and no autograd inside; the model's own mode again afterwards."""
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def _batches(lengths: list[int], batch_size: int) -> Iterator[list[int]]:
    """Indices of sentences that are not empty, longest first, in batches that fit in memory."""
    if batch_size < 1:
        raise ValueError(f"batch_size = {batch_size}: must be at least 1")
    order = sorted(
        (index for index, length in enumerate(lengths) if length > 0),
        key=lambda index: -lengths[index],
    )
    start = 0
    while start < len(order):
        longest = 2 * lengths[order[start]] + EXTRA_LENGTH
        size = max(1, min(batch_size, _BATCH_POSITIONS // longest))
        yield order[start : start + size]
        start += size


def _refuse_string(texts: Iterable[str]) -> None:
    if isinstance(texts, str | bytes):
        raise TypeError(f"texts is one string, {texts[:40]!r}; give a list of sentences")


def refuse_surrogates(text: str, name: str) -> None:
    """Raise UserError if ``text`` has no UTF-8 form, as what Python makes of undecodable bytes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{name} is not valid Unicode (character {error.start + 1} is {text[error.start]!a}); "
            "give UTF-8 text"
        ) from error


def _take(texts: Iterator[str], count: int) -> tuple[list[str], Exception | None]:
    """Up to ``count`` texts, fewer at the end or at an error, which is returned."""
    taken: list[str] = []
    try:
        while len(taken) < count:
            taken.append(next(texts))
    except StopIteration:
        pass
    except Exception as error:
        return taken, error
    return taken, None
