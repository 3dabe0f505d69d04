"""Greedy and beam search over a batch of sentences of any lengths.

The beam holds at most ``beam_size`` hypotheses of a sentence. At each position every live
hypothesis is continued by its best tokens, and the best continuations fill the places of the beam.
One that ends in ``</s>`` is finished: it leaves, and its place stays empty (Sutskever et al. 2014,
section 3.2). With ``beam_size`` 1 this is greedy search.

A finished hypothesis of ``length`` tokens, ``</s>`` included, scores ``log_prob / penalty`` with
``penalty = ((5 + length) / 6) ** length_penalty`` (Wu et al. 2016, equation 14).

A sentence is done as soon as its answer cannot change any more, which is when one of these holds:

- no live hypothesis is left, since ``beam_size`` hypotheses are finished;
- ``num_hypotheses`` are finished, and the last of them scores at least as much as the best live
  hypothesis could reach. Log-probabilities only fall and the penalty is monotonic in the length,
  so that is the live ``log_prob`` over the penalty of the next or of the greatest length,
  whichever is better;
- the greatest length is reached. Live hypotheses then rank behind all finished ones, by the same
  score, and are returned only where too few are finished.

A sentence that is done is dropped from the batch.

The result for a sentence does not depend on the batch: log-probabilities come from kernels that
treat every row alike, all else is elementwise or selects, and equal scores are ordered by beam
place, then by token id.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pytransformer import ops
from pytransformer.config import TransformerConfig
from pytransformer.errors import UserError
from pytransformer.model import Transformer
from pytransformer.packed import Packed

EOS_ID = 0
EXTRA_LENGTH = 50
"""How much longer than its source a translation may be (Vaswani et al. 2017, section 6.1)."""

MAX_BEAM_SIZE = 1024
MAX_MAX_LENGTH = 65536
MAX_LENGTH_PENALTY = 10.0


@dataclass(frozen=True)
class SearchOptions:
    """How to search; the defaults are those of Vaswani et al. 2017, section 6.1.

    Attributes:
        beam_size: hypotheses followed at a time, 1 to 1024; 1 is greedy search.
        length_penalty: the exponent, -10 to 10; 0 ranks by log-probability, more favours length.
        num_hypotheses: how many to return for each sentence, at most ``beam_size``.
        max_length: the most tokens to generate, ``</s>`` included, 1 to 65536; None allows
            ``EXTRA_LENGTH`` more than the source has. Learned positions bound it further, by their
            number.

    Raises:
        ValueError: if a value is out of its range; the message names it.
        TypeError: if a count is no int.
    """

    beam_size: int = 4
    length_penalty: float = 0.6
    num_hypotheses: int = 1
    max_length: int | None = None

    def __post_init__(self) -> None:
        _check_count("beam_size", self.beam_size, MAX_BEAM_SIZE)
        if not -MAX_LENGTH_PENALTY <= self.length_penalty <= MAX_LENGTH_PENALTY:
            raise ValueError(f"length_penalty = {self.length_penalty}: must lie between -10 and 10")
        _check_count("num_hypotheses", self.num_hypotheses, self.beam_size, "beam_size = ")
        if self.max_length is not None:
            _check_count("max_length", self.max_length, MAX_MAX_LENGTH)


def _check_count(name: str, value: int, most: int, origin: str = "") -> None:
    if not isinstance(value, int):
        raise TypeError(f"{name} = {value!r}: must be an int, not {type(value).__name__}")
    if not 1 <= value <= most:
        raise ValueError(f"{name} = {value}: must be at least 1 and at most {origin}{most}")


@dataclass(frozen=True)
class Hypothesis:
    """One answer of the search.

    Attributes:
        tokens: without BOS and without ``</s>``.
        log_prob: natural logarithm of the probability of the tokens, and of ``</s>`` if finished.
        score: ``log_prob`` after the length penalty; hypotheses are ranked by it.
        finished: False where the greatest length cut it off.
    """

    tokens: list[int]
    log_prob: float
    score: float
    finished: bool


def penalty(length: int, length_penalty: float) -> float:
    """The divisor of a hypothesis of ``length`` tokens (Wu et al. 2016, equation 14)."""
    return ((5.0 + length) / 6.0) ** length_penalty


def search(
    model: Transformer, source: Packed, options: SearchOptions | None = None
) -> list[list[Hypothesis]]:
    """The best translations of each sentence.

    Args:
        model: in eval mode; call this under ``torch.inference_mode()`` or ``torch.no_grad()``.
        source: int64 tokens ``[rows]``, each sentence ending in ``</s>``; or float rows
            ``[rows, d_model]``.
        options: None takes the defaults.

    Returns:
        For each sentence 1 to ``num_hypotheses`` hypotheses, best first; fewer only where the
        vocabulary and the greatest length do not allow for more.

    Raises:
        UserError: if the model gives a score that is not a number.
    """
    options = options or SearchOptions()
    if len(source) == 0:
        return []
    config, device = model.config, source.values.device
    max_lengths = _max_lengths(source, config, options)
    beams = _Beams(max_lengths, options, device)
    state = model.start_decoding(model.encode(source), options.beam_size, max(max_lengths))
    tokens = torch.full((len(source) * options.beam_size,), config.pad_id, device=device)
    # A row offers each token once, so its beam_size best are all that can fill the beam.
    candidates = min(options.beam_size, config.vocab_size - 1)
    while True:
        logits = model.logits(model.step(tokens, state))
        beams.advance(*ops.top_log_probs(logits, candidates))
        kept = beams.drop_done()
        if len(beams) == 0:
            return beams.results()
        if kept is not None:
            state.keep(kept)
        if options.beam_size > 1:
            state.reorder(beams.parent_rows())
        tokens = beams.last_tokens()


def _max_lengths(source: Packed, config: TransformerConfig, options: SearchOptions) -> list[int]:
    longest = [options.max_length or length + EXTRA_LENGTH for length in source.lengths.tolist()]
    if config.positions == "learned":
        return [min(length, config.max_length) for length in longest]
    return longest


class _Beams:
    """The hypotheses of the sentences that are not done, one row of each tensor per sentence.

    Attributes:
        log_probs: float64 ``[sentences, beam]``, -inf in an empty place. float64, so that sums
            differ wherever the float32 terms do.
        history: int64 ``[sentences, beam, length]``: the tokens, arbitrary in an empty place.
        parents: int64 ``[sentences, beam]``: the place each hypothesis held one position before.
        best_finished: float64 ``[sentences, num_hypotheses]``: the best scores of finished
            hypotheses, descending, filled up with -inf.
        places: int64 ``[sentences]``: places that no finished hypothesis has taken.
    """

    def __init__(
        self, max_lengths: list[int], options: SearchOptions, device: torch.device
    ) -> None:
        sentences = len(max_lengths)
        self.beam_size = options.beam_size
        self.length_penalty = options.length_penalty
        self.num_hypotheses = options.num_hypotheses
        self.length = 0
        self.answers: list[list[Hypothesis]] = [[] for _ in range(sentences)]
        # The index in answers of each sentence left.
        self.ids = torch.arange(sentences, device="cpu")
        self.max_lengths = torch.tensor(max_lengths, device=device)
        penalties = [penalty(length, options.length_penalty) for length in max_lengths]
        self.last_penalties = torch.tensor(penalties, dtype=torch.float64, device=device)
        shape = (sentences, options.beam_size)
        self.log_probs = torch.full(shape, -torch.inf, dtype=torch.float64, device=device)
        self.log_probs[:, 0] = 0.0  # a sentence starts as one hypothesis without tokens
        self.history = torch.zeros(*shape, 0, dtype=torch.int64, device=device)
        self.parents = torch.zeros(shape, dtype=torch.int64, device=device)
        self.best_finished = torch.full_like(
            self.log_probs[:, : options.num_hypotheses], -torch.inf
        )
        self.places = torch.full((sentences,), options.beam_size, device=device)

    def __len__(self) -> int:
        """How many sentences are left."""
        return self.log_probs.shape[0]

    def advance(self, values: Tensor, tokens: Tensor) -> None:
        """Continue every live hypothesis by its best tokens and keep the best continuations.

        Args:
            values: float32 ``[sentences * beam, candidates]``, log-probabilities, descending.
            tokens: int64, the same shape.
        """
        sentences, candidates = len(self), values.shape[1]
        totals = self.log_probs.unsqueeze(-1) + values.view(sentences, self.beam_size, candidates)
        if totals.isnan().any():
            raise UserError(
                "the model's scores are not numbers: its weights are damaged, or its training "
                "diverged; use an earlier checkpoint"
            )
        # Candidates lie in the order of place, then token, which a stable sort keeps among equals.
        totals, order = totals.view(sentences, -1).sort(dim=1, descending=True, stable=True)
        totals, order = totals[:, : self.beam_size], order[:, : self.beam_size]
        tokens = tokens.view(sentences, -1).gather(1, order)
        self.parents = order // candidates
        self.length += 1
        parents = self.parents.unsqueeze(-1).expand(-1, -1, self.history.shape[2])
        self.history = torch.cat([self.history.gather(1, parents), tokens.unsqueeze(-1)], dim=2)

        place = torch.arange(self.beam_size, device=totals.device)
        taken = (place < self.places.unsqueeze(1)) & (totals > -torch.inf)
        ended = taken & (tokens == EOS_ID)
        self.log_probs = totals.masked_fill(~taken | ended, -torch.inf)
        self.places = self.places - ended.sum(1)
        totals = totals.masked_fill(~ended, -torch.inf)
        scores = totals / penalty(self.length, self.length_penalty)
        best = torch.cat([self.best_finished, scores], dim=1).sort(dim=1, descending=True).values
        self.best_finished = best[:, : self.num_hypotheses]
        self._answer(ended, totals, finished=True)

    def drop_done(self) -> Tensor | None:
        """Forget the sentences that are done; int64 indices of those left, None if none is done."""
        best_live = self.log_probs.amax(1)
        reachable = torch.maximum(
            best_live / penalty(self.length + 1, self.length_penalty),
            best_live / self.last_penalties,
        )
        cut_off = self.max_lengths == self.length
        # Where nothing is live, reachable is -inf and the comparison holds.
        done = (self.best_finished[:, -1] >= reachable) | cut_off
        if not done.any():
            return None
        live = self.log_probs > -torch.inf
        self._answer(live & cut_off.unsqueeze(1), self.log_probs, finished=False)
        kept = (~done).nonzero().squeeze(1)
        self.ids = self.ids[kept.cpu()]
        self.max_lengths = self.max_lengths[kept]
        self.last_penalties = self.last_penalties[kept]
        self.log_probs = self.log_probs[kept]
        self.history = self.history[kept]
        self.parents = self.parents[kept]
        self.best_finished = self.best_finished[kept]
        self.places = self.places[kept]
        return kept

    def parent_rows(self) -> Tensor:
        """int64 ``[sentences * beam]``: the decoder's row that each row continues."""
        first = torch.arange(len(self), device=self.parents.device) * self.beam_size
        return (first.unsqueeze(1) + self.parents).view(-1)

    def last_tokens(self) -> Tensor:
        """int64 ``[sentences * beam]``: what the decoder reads next."""
        return self.history[:, :, -1].reshape(-1)

    def results(self) -> list[list[Hypothesis]]:
        """The best answers of every sentence, best first; among equals the earlier first."""
        return [
            sorted(answers, key=lambda answer: (not answer.finished, -answer.score))[
                : self.num_hypotheses
            ]
            for answers in self.answers
        ]

    def _answer(self, which: Tensor, log_probs: Tensor, finished: bool) -> None:
        """Record the hypotheses that the boolean ``which`` [sentences, beam] picks."""
        sentences = which.nonzero()[:, 0].tolist()
        histories = self.history[which].tolist()
        divisor = penalty(self.length, self.length_penalty)
        for sentence, tokens, log_prob in zip(
            sentences, histories, log_probs[which].tolist(), strict=True
        ):
            self.answers[int(self.ids[sentence])].append(
                Hypothesis(
                    tokens=tokens[:-1] if finished else tokens,
                    log_prob=log_prob,
                    score=log_prob / divisor,
                    finished=finished,
                )
            )
