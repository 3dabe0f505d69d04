"""The encoder-decoder of "Attention Is All You Need" (Vaswani et al., 2017)."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from pytransformer import ops
from pytransformer.checks import values_are_checked
from pytransformer.config import TransformerConfig
from pytransformer.nn.decoder import Decoder
from pytransformer.nn.decoder_state import DecoderState
from pytransformer.nn.encoder import Encoder
from pytransformer.nn.feed_forward import FeedForward
from pytransformer.nn.linear import Linear
from pytransformer.packed import Packed
from pytransformer.positions import sinusoids
from pytransformer.precision import autocast_dtype, compute_dtype
from pytransformer.workspaces import release_workspaces


class Transformer(nn.Module):
    """Encoder, decoder, and one matrix for both embeddings and the output (section 3.4).

    ``<pad>``, the last id, starts every target sentence: its embedding is zero and stays so, and
    it has no score.

    Under ``torch.autocast`` rows travel in the autocast dtype beside float32 parameters.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.d_model))
        self.encoder_positions = self._new_positions()
        self.decoder_positions = self._new_positions()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        nn.init.normal_(self.embedding, std=config.d_model**-0.5)
        with torch.no_grad():
            self.embedding[config.pad_id] = 0.0
        weakref.finalize(self, release_workspaces).atexit = False

    def encode(self, src: Packed) -> Packed:
        """The encoder's rows.

        Args:
            src: int64 tokens ``[rows]``; or float rows ``[rows, d_model]`` (image patches, audio
                frames), which stand for embedded tokens with their positions already added.

        Returns:
            ``[rows, d_model]`` with the boundaries of ``src``.

        Raises:
            ValueError: if ``src`` is on another device than the model, or its rows do not fit.
            TypeError: if ``src`` is no ``Packed``.
        """
        return self._encode(src, self.embedding)

    def decode(self, tgt: Packed, memory: Packed) -> Packed:
        """The decoder's rows for whole target sentences.

        Args:
            tgt: int64 tokens ``[rows]``, each sentence from its BOS on.
            memory: what ``encode`` returned for the same sentences.

        Returns:
            ``[rows, d_model]``; row ``i`` of a sentence has seen its tokens up to ``i``.

        Raises:
            ValueError: if ``tgt`` is on another device than the model, or its number of sentences
                is another than that of ``memory``.
            TypeError: if ``tgt`` is no ``Packed``.
        """
        return self._decode(tgt, memory, self.embedding)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every token but ``<pad>``: ``[rows, d_model] -> [rows, vocab_size - 1]``."""
        return ops.linear(hidden, self._output_weight())

    def loss(
        self, src: Packed, tgt: Packed, label_smoothing: float = 0.1, reduction: str = "mean"
    ) -> Tensor:
        """Cross-entropy of each target token given the ones before it (section 5.4).

        Args:
            src: as for ``encode``.
            tgt: int64 tokens; each sentence holds BOS … EOS, at least two tokens. The decoder
                reads it without its last token and predicts it without its first.
            label_smoothing: as in ``torch.nn.functional.cross_entropy``.
            reduction: ``mean`` over predicted tokens, ``sum``, or ``none``.

        Returns:
            A scalar, or ``[predicted tokens]`` for ``none``; at least float32.

        Raises:
            ValueError: as ``encode`` and ``decode``; or if ``tgt`` has no sentences, or one without
                a token to predict, or boundaries that do not fit its rows (on a CUDA device these
                two only where ``PYTRANSFORMER_CHECK=1`` is set).
            TypeError: as ``encode`` and ``decode``.
        """
        self._check_packed("tgt", tgt)
        inputs, targets = _shift(tgt)
        source, target, output = ops.tied(self.embedding, 3)
        hidden = self._decode(inputs, self._encode(src, source), target).values
        return ops.linear_cross_entropy(
            hidden,
            output,
            targets,
            label_smoothing=label_smoothing,
            reduction=reduction,
            classes=self.config.pad_id,
        )

    @torch.no_grad()
    def start_decoding(self, memory: Packed, beam_size: int, max_length: int) -> DecoderState:
        """Prepare to decode the sentences of ``memory`` one position at a time.

        Args:
            memory: what ``encode`` returned.
            beam_size: rows for each sentence.
            max_length: how often ``step`` may be called at most.
        """
        if self.training:
            raise RuntimeError("start_decoding: the model is in training mode; call eval() first")
        if beam_size < 1 or max_length < 1:
            raise ValueError(
                f"beam_size = {beam_size}, max_length = {max_length}: must be at least 1"
            )
        return self.decoder.start(memory, self._position_rows(max_length), beam_size, max_length)

    @torch.no_grad()
    def step(self, tokens: Tensor, state: DecoderState) -> Tensor:
        """Decode one position further.

        Args:
            tokens: int64 ``[sentences * beam_size]``, the token at this position of each row; BOS
                at the first.
            state: from ``start_decoding``; it is advanced in place.

        Returns:
            hidden rows ``[sentences * beam_size, d_model]``, equal to what ``decode`` gives for
            the last row of the prefix.
        """
        rows = state.sentences * state.beam_size
        if tokens.shape != (rows,):
            raise ValueError(
                f"tokens has shape {tuple(tokens.shape)}; expected [{rows}] for "
                f"{state.sentences} sentences with {state.beam_size} beams"
            )
        if state.position == state.max_length:
            raise ValueError(f"all {state.max_length} positions are done; start with more")
        here = state.positions[state.position : state.position + 1]  # [1, d_model]
        embedded = self._embed_tokens(
            tokens[:, None], None, None, here, self.embedding
        )  # [rows, 1, d_model]
        hidden = self.decoder.step(embedded[:, 0], state)
        state.position += 1
        return hidden

    def hidden_maps(self) -> Iterator[tuple[nn.Parameter, int]]:
        """The matrices inside the layers, in order, each with the number of maps that it stacks.

        They are all but embeddings, biases and norms. A weight ``[outputs, inputs]`` that stacks
        ``n`` maps holds ``n`` matrices ``[outputs / n, inputs]`` (queries, keys and values: 3).
        """
        for module in self.modules():
            if isinstance(module, Linear):
                yield module.weight, module.blocks
            elif isinstance(module, FeedForward):
                yield module.w1, 1
                yield module.w2, 1

    def _new_positions(self) -> nn.Parameter | None:
        if self.config.positions == "sinusoidal":
            return None
        table = torch.empty(self.config.max_length, self.config.d_model)
        return nn.Parameter(nn.init.normal_(table, std=self.config.d_model**-0.5))

    def _output_weight(self) -> Tensor:
        return self.embedding[: self.config.pad_id]

    def _encode(self, src: Packed, table: Tensor) -> Packed:
        self._check_packed("src", src)
        if src.values.is_floating_point():
            return self.encoder(self._check_rows(src))
        return self.encoder(self._embed(src, self.encoder_positions, table))

    def _decode(self, tgt: Packed, memory: Packed, table: Tensor) -> Packed:
        self._check_packed("tgt", tgt)
        if len(tgt) != len(memory):
            raise ValueError(f"tgt has {len(tgt)} sentences, memory has {len(memory)}")
        return self.decoder(self._embed(tgt, self.decoder_positions, table), memory)

    def _embed(self, tokens: Packed, positions: Tensor | None, table: Tensor) -> Packed:
        rows = self._embed_tokens(
            tokens.values, tokens.cu_seqlens, tokens.max_seqlen, positions, table
        )
        return tokens.with_values(rows)

    def _embed_tokens(
        self,
        tokens: Tensor,
        cu_seqlens: Tensor | None,
        max_seqlen: int | None,
        positions: Tensor | None,
        table: Tensor,
    ) -> Tensor:
        """Section 3.4: embeddings are scaled by ``sqrt(d_model)`` before positions are added.

        ``table`` is the embedding matrix, or a tied use of it, whose gradient may be sparse.
        """
        return ops.embedding(
            tokens,
            table,
            cu_seqlens,
            max_seqlen=max_seqlen,
            scale=math.sqrt(self.config.d_model),
            positions="sinusoidal" if positions is None else positions,
            dropout_p=self.config.dropout if self.training else 0.0,
            padding_idx=self.config.pad_id,
            dtype=self._row_dtype(),
            sparse=table is not self.embedding,
        )

    def _row_dtype(self) -> torch.dtype:
        """What rows travel in: the autocast dtype, or that of the parameters."""
        return autocast_dtype(self.embedding.device) or self.embedding.dtype

    def _check_packed(self, name: str, packed: Packed) -> None:
        if not isinstance(packed, Packed):
            raise TypeError(f"{name} is {type(packed).__name__}; give a Packed, as pack() makes it")
        device = self.embedding.device
        for part, tensor in (("", packed.values), (".cu_seqlens", packed.cu_seqlens)):
            if tensor.device != device:
                raise ValueError(
                    f"{name}{part} is on {tensor.device}, but the model is on {device}; move one "
                    "of them with .to(device)"
                )

    def _check_rows(self, src: Packed) -> Packed:
        if src.values.dim() != 2 or src.values.shape[1] != self.config.d_model:
            raise ValueError(
                f"src has float rows of shape {tuple(src.values.shape)}; expected "
                f"[rows, {self.config.d_model}]"
            )
        return src.with_values(src.values.to(self._row_dtype()))

    def _position_rows(self, length: int) -> Tensor:
        """``[at least length, d_model]``: what the decoder adds to its embedded tokens."""
        if self.decoder_positions is None:
            table = sinusoids(length, self.config.d_model, self.embedding.device)
            return table.to(compute_dtype(self.embedding.dtype))  # as the op adds them
        if length > self.config.max_length:
            raise ValueError(
                f"max_length = {length}, but the model has learned positions for "
                f"{self.config.max_length}"
            )
        return self.decoder_positions


def _shift(tgt: Packed) -> tuple[Packed, Tensor]:
    """Each sentence without its last token, and the tokens of each without its first.

    Index arithmetic alone, so that a compiler sees shapes and no data-dependent sizes.
    """
    batch = len(tgt)
    if batch == 0:
        raise ValueError("tgt has no sentences, so there is nothing to predict; give at least one")
    if not torch.compiler.is_compiling() and values_are_checked(tgt.cu_seqlens):
        _check_boundaries(tgt)
    predicted = tgt.values.shape[0] - batch
    device = tgt.values.device
    sentences = torch.arange(batch, device=device)
    sentence = sentences.repeat_interleave(tgt.lengths - 1, output_size=predicted)
    # Each earlier sentence has lost one token.
    kept = torch.arange(predicted, device=device) + sentence
    lost = torch.arange(batch + 1, dtype=torch.int32, device=device)
    inputs = Packed(tgt.values[kept], tgt.cu_seqlens - lost, tgt.max_seqlen - 1)
    return inputs, tgt.values[kept + 1]


def _check_boundaries(tgt: Packed) -> None:
    ends = tgt.cu_seqlens.tolist()
    first, last, rows = ends[0], ends[-1], tgt.values.shape[0]
    if (first, last) != (0, rows):
        raise ValueError(
            f"tgt.cu_seqlens runs from {first} to {last}; with {rows} rows it must run from 0 to "
            f"{rows}"
        )
    length, index = min((end - start, i) for i, (start, end) in enumerate(pairwise(ends)))
    if length < 2:
        raise ValueError(
            f"tgt sentence {index} has {length} tokens; it needs BOS and at least one token to "
            "predict"
        )
