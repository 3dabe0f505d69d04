"""The whole model: against torch.nn, in steps, in batches, in other precisions."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch

from pytransformer import Packed, Transformer, TransformerConfig, ops, pack
from tests.cases.backend import native_only
from tests.cases.compare import assert_bit_equal
from tests.cases.device import DEVICE, real_only
from tests.cases.models import VOCABULARY, sentences, small_config, small_model
from tests.cases.threads import threads
from tests.cases.torch_model import TorchModel

PAD = VOCABULARY - 1
VARIANTS: dict[str, dict[str, Any]] = {
    "the paper's": {},
    "gelu": dict(activation="gelu"),
    "norm first": dict(norm_first=True, activation="gelu"),
    "learned positions": dict(positions="learned"),
    "norm first, learned, silu": dict(norm_first=True, positions="learned", activation="silu"),
    "one layer, one head": dict(encoder_layers=1, decoder_layers=1, heads=1),
}
variants = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)

SRC = sentences((5, 1, 9))
TGT = sentences((4, 7, 1), seed=2, bos=True)


@variants
@pytest.mark.parametrize("training", [False, True])
def test_is_torchs_model_with_every_gradient(changes: dict[str, Any], training: bool) -> None:
    model = small_model(**changes).train(training)
    oracle = TorchModel(model)
    loss = model.loss(SRC, TGT, label_smoothing=0.1)
    loss.backward()
    expected = oracle.loss(SRC, TGT, label_smoothing=0.1)
    expected.backward()
    assert abs(float(loss.detach() - expected.detach())) <= 1e-9
    gradients = oracle.gradients()
    assert sorted(gradients) == sorted(name for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            parameter.grad, gradients[name], rtol=0, atol=1e-9, msg=lambda text, n=name: n + text
        )


@variants
def test_rows_and_logits_are_torchs(changes: dict[str, Any]) -> None:
    model = small_model(**changes)
    oracle = TorchModel(model)
    memory = model.encode(SRC)
    hidden = model.decode(TGT, memory)
    for index, source in enumerate(SRC.unpack()):
        expected = oracle.encode(source)
        torch.testing.assert_close(memory.unpack()[index], expected, rtol=0, atol=1e-9)
        rows = oracle.decode(TGT.unpack()[index], expected)
        torch.testing.assert_close(hidden.unpack()[index], rows, rtol=0, atol=1e-9)
    logits = model.logits(hidden.values)
    assert logits.shape == (hidden.values.shape[0], VOCABULARY - 1)
    torch.testing.assert_close(logits, oracle.logits(hidden.values), rtol=0, atol=1e-9)


@variants
def test_a_batch_is_its_sentences_one_by_one(changes: dict[str, Any]) -> None:
    model = small_model(**changes)
    losses = model.loss(SRC, TGT, reduction="none")
    alone = [
        model.loss(pack([source]), pack([target]), reduction="none")
        for source, target in zip(SRC.unpack(), TGT.unpack(), strict=True)
    ]
    torch.testing.assert_close(losses, torch.cat(alone), rtol=0, atol=1e-12)


def test_reductions_agree() -> None:
    model = small_model()
    each = model.loss(SRC, TGT, reduction="none")
    assert each.shape == (TGT.values.shape[0] - len(TGT),)
    torch.testing.assert_close(model.loss(SRC, TGT, reduction="sum"), each.sum())
    torch.testing.assert_close(model.loss(SRC, TGT), each.mean())


def test_the_loss_is_of_the_next_token() -> None:
    model = small_model()
    target = TGT.unpack()[1]
    hidden = model.decode(pack([target[:-1]]), model.encode(pack([SRC.unpack()[1]])))
    scores = model.logits(hidden.values).log_softmax(-1)
    expected = -scores.gather(1, target[1:, None])[:, 0]
    alone = model.loss(pack([SRC.unpack()[1]]), pack([target]), 0.0, reduction="none")
    torch.testing.assert_close(alone, expected)


def test_a_sentence_without_a_token_to_predict_is_refused() -> None:
    with pytest.raises(ValueError, match="tgt sentence 1 has 1 tokens"):
        small_model().loss(SRC, pack([torch.tensor([PAD, 0]), torch.tensor([PAD]), TGT.values]))


@pytest.mark.parametrize(
    ("boundaries", "message"),
    [
        ([0, 6, 13, 99], "runs from 0 to 99; with 15 rows"),
        ([0, 6, 10, 13], "runs from 0 to 13; with 15 rows"),
        ([-2, 6, 10, 15], "runs from -2 to 15"),
        ([0], "tgt has no sentences"),
    ],
)
def test_boundaries_that_do_not_fit_the_rows_are_refused(
    boundaries: list[int], message: str
) -> None:
    tgt = Packed(TGT.values, torch.tensor(boundaries, dtype=torch.int32), TGT.max_seqlen)
    with pytest.raises(ValueError, match=message):
        small_model().loss(SRC, tgt)


def test_what_is_elsewhere_or_not_packed_is_refused() -> None:
    model = small_model()
    with pytest.raises(ValueError, match=f"src is on meta, but the model is on {DEVICE}"):
        model.loss(SRC.to("meta"), TGT)
    with pytest.raises(ValueError, match=f"tgt is on meta, but the model is on {DEVICE}"):
        model.decode(TGT.to("meta"), model.encode(SRC))
    with pytest.raises(ValueError, match=r"src\.cu_seqlens is on meta"):
        model.encode(Packed(SRC.values, SRC.cu_seqlens.to("meta"), SRC.max_seqlen))
    with pytest.raises(TypeError, match=r"tgt is \w*Tensor; give a Packed"):
        model.loss(SRC.values, TGT.values)


def test_the_last_id_stays_zero_without_gradient() -> None:
    model = Transformer(small_config())
    assert bool((model.embedding[PAD] == 0).all())
    model.loss(SRC, TGT).backward()
    assert model.embedding.grad is not None
    assert bool((model.embedding.grad[PAD] == 0).all())
    assert bool((model.embedding.grad[:PAD] != 0).any(1).all())


@variants
@pytest.mark.parametrize("beam_size", [1, 3])
def test_steps_are_the_whole_prefix(changes: dict[str, Any], beam_size: int) -> None:
    model = small_model(**changes)
    memory = model.encode(SRC)
    state = model.start_decoding(memory, beam_size, max_length=6)
    tokens = _rows_of_tokens(len(SRC) * beam_size, 6)
    for position in range(6):
        hidden = model.step(tokens[:, position], state)
        expected = _last_rows(model, tokens[:, : position + 1], memory, beam_size)
        torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-12)


def test_steps_are_the_whole_prefix_in_bfloat16_too() -> None:
    model = small_model().bfloat16()
    memory = model.encode(SRC)
    state = model.start_decoding(memory, 1, max_length=6)
    tokens = _rows_of_tokens(len(SRC), 6)
    for position in range(6):
        hidden = model.step(tokens[:, position], state)
        assert torch.equal(hidden, _last_rows(model, tokens[:, : position + 1], memory, 1))


@variants
def test_reorder_and_keep_carry_each_rows_history(changes: dict[str, Any]) -> None:
    model = small_model(**changes)
    memory, beam_size = model.encode(SRC), 2
    state = model.start_decoding(memory, beam_size, max_length=8)
    tokens = _rows_of_tokens(6, 3)
    for position in range(2):
        model.step(tokens[:, position], state)
    order = torch.tensor([1, 1, 2, 3, 5, 4])
    state.reorder(order)
    tokens[:, :2] = tokens[order, :2]
    expected = _last_rows(model, tokens, memory, beam_size)
    torch.testing.assert_close(model.step(tokens[:, 2], state), expected, rtol=0, atol=1e-12)

    kept = torch.tensor([2, 0])
    state.keep(kept)
    assert state.sentences == 2
    rows = torch.tensor([4, 5, 0, 1])
    tokens = torch.cat([tokens[rows], torch.tensor([[1], [2], [3], [4]])], dim=1)
    fewer = pack([memory.unpack()[index] for index in kept.tolist()])
    expected = _last_rows(model, tokens, fewer, beam_size)
    torch.testing.assert_close(model.step(tokens[:, 3], state), expected, rtol=0, atol=1e-12)

    state.keep(torch.tensor([], dtype=torch.int64))
    assert model.step(torch.tensor([], dtype=torch.int64), state).shape == (0, 12)


def test_decoding_asks_for_evaluation_mode_and_for_room() -> None:
    model = small_model()
    memory = model.encode(SRC)
    with pytest.raises(ValueError, match="beam_size = 0"):
        model.start_decoding(memory, 0, 5)
    state = model.start_decoding(memory, 1, 1)
    with pytest.raises(ValueError, match=r"tokens has shape \(2,\); expected \[3\]"):
        model.step(torch.tensor([1, 2]), state)
    with pytest.raises(ValueError, match=r"rows has shape \(2,\); expected \[3\]"):
        state.reorder(torch.tensor([0, 1]))
    assert not model.step(torch.tensor([PAD] * 3), state).requires_grad
    with pytest.raises(ValueError, match="all 1 positions are done"):
        model.step(torch.tensor([1, 2, 3]), state)
    with pytest.raises(RuntimeError, match="eval"):
        model.train().start_decoding(memory, 1, 5)
    learned = small_model(positions="learned")
    with pytest.raises(ValueError, match="max_length = 33"):
        learned.start_decoding(memory, 1, 33)


def test_float_rows_take_the_place_of_embedded_tokens() -> None:
    model = small_model()
    embedded = ops.embedding(
        SRC.values, model.embedding, SRC.cu_seqlens, scale=math.sqrt(model.config.d_model)
    )
    torch.testing.assert_close(
        model.encode(SRC.with_values(embedded)).values, model.encode(SRC).values
    )
    with pytest.raises(ValueError, match=r"expected \[rows, 12\]"):
        model.encode(SRC.with_values(torch.zeros(15, 11, dtype=torch.float64)))


def test_batches_of_different_sizes_are_refused() -> None:
    model = small_model()
    with pytest.raises(ValueError, match="tgt has 3 sentences, memory has 2"):
        model.decode(TGT, model.encode(sentences((3, 4))))


def test_dropout_is_drawn_anew_and_repeated_by_the_seed() -> None:
    model = small_model(dropout=0.2, attention_dropout=0.1, activation_dropout=0.1).train()
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(float(model.loss(SRC, TGT).detach()))
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    model.eval()
    assert_bit_equal(model.loss(SRC, TGT), model.loss(SRC, TGT))


@real_only
@variants
def test_trains_in_bfloat16_under_autocast(changes: dict[str, Any]) -> None:
    model = small_model(**changes, dropout=0.1).float().train()
    with torch.autocast(DEVICE, torch.bfloat16):
        assert model.encode(SRC).values.dtype == torch.bfloat16
        loss = model.loss(SRC, TGT)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(
        parameter.grad is not None
        and parameter.grad.dtype == torch.float32
        and bool(parameter.grad.isfinite().all())
        for parameter in model.parameters()
    )


@real_only
def test_bfloat16_is_close_to_float64() -> None:
    model = small_model()
    exact = float(model.loss(SRC, TGT).detach())
    with torch.autocast(DEVICE, torch.bfloat16):
        rounded = float(model.float().loss(SRC, TGT).detach())
    # A handful of roundings on the way, each of half an epsilon.
    assert abs(rounded - exact) <= 4 * torch.finfo(torch.bfloat16).eps * exact


@real_only
def test_weights_survive_saving() -> None:
    model, other = small_model(), small_model(seed=9)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer))
    assert_bit_equal(model.loss(SRC, TGT), other.loss(SRC, TGT))


def test_parameters_have_the_documented_names() -> None:
    names = set(small_model(norm_first=True, positions="learned").state_dict())
    attention = {
        f"self_attention.{part}.{kind}" for part in ("qkv", "out") for kind in ("weight", "bias")
    }
    cross = {
        f"cross_attention.{part}.{kind}"
        for part in ("q", "kv", "out")
        for kind in ("weight", "bias")
    }
    shared = {f"feed_forward.{name}" for name in ("w1", "b1", "w2", "b2")} | attention
    shared |= {
        f"{part}_norm.{kind}"
        for part in ("self_attention", "feed_forward")
        for kind in ("weight", "bias")
    }
    cross |= {f"cross_attention_norm.{kind}" for kind in ("weight", "bias")}
    expected = {"embedding", "encoder_positions", "decoder_positions"}
    expected |= {
        f"{side}.norm.{kind}" for side in ("encoder", "decoder") for kind in ("weight", "bias")
    }
    for index in range(2):
        expected |= {f"encoder.layers.{index}.{name}" for name in shared}
        expected |= {f"decoder.layers.{index}.{name}" for name in shared | cross}
    assert names == expected


def test_base_has_the_papers_parameters() -> None:
    with torch.device("meta"):
        model = Transformer(TransformerConfig.preset("base", vocab_size=37000))
    d, ff, layers = 512, 2048, 6
    attention, feed_forward, norm = 4 * (d * d + d), 2 * d * ff + ff + d, 2 * d
    encoder = layers * (attention + feed_forward + 2 * norm)
    decoder = layers * (2 * attention + feed_forward + 3 * norm)
    assert sum(p.numel() for p in model.parameters()) == 37000 * d + encoder + decoder


@native_only
@variants
def test_threads_change_no_bit(changes: dict[str, Any]) -> None:
    src, tgt = sentences((30, 1, 17, 25) * 10), sentences((20, 5, 30, 9) * 10, seed=5, bos=True)
    results = []
    for count in (1, 2):
        model = small_model(**changes, dropout=0.1, attention_dropout=0.1).float().train()
        torch.manual_seed(3)
        with threads(count):
            loss = model.loss(src, tgt)
            loss.backward()
        results.append([loss.detach(), *(p.grad for p in model.parameters())])
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


@native_only
def test_translating_rows_do_not_feel_their_batch() -> None:
    model = small_model().float()
    memory = model.encode(SRC)
    for index, source in enumerate(SRC.unpack()):
        alone = model.encode(pack([source]))
        assert torch.equal(alone.values, memory.unpack()[index])
        together = model.start_decoding(memory, 2, 4)
        single = model.start_decoding(alone, 2, 4)
        tokens = _rows_of_tokens(6, 4)
        rows = slice(2 * index, 2 * index + 2)
        for position in range(4):
            whole = model.step(tokens[:, position], together)
            assert torch.equal(model.step(tokens[rows, position], single), whole[rows])


@real_only
@native_only
@pytest.mark.parametrize("backend", ["eager", "inductor"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_the_loss_compiles_to_one_graph(backend: str, norm_first: bool) -> None:
    model = small_model(norm_first=norm_first).float()
    compiled = torch.compile(model.loss, fullgraph=True, backend=backend)
    expected = model.loss(SRC, TGT)
    expected.backward()
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    loss = compiled(SRC, TGT)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@real_only
@native_only
def test_a_compiled_model_draws_new_masks_from_torchs_seed() -> None:
    model = small_model(dropout=0.3, attention_dropout=0.2).float().train()
    compiled = torch.compile(model.loss, fullgraph=True, backend="aot_eager")
    torch.manual_seed(1)
    first, second = compiled(SRC, TGT).detach(), compiled(SRC, TGT).detach()
    torch.manual_seed(1)
    assert_bit_equal(compiled(SRC, TGT).detach(), first)
    assert not torch.equal(first, second)


def _rows_of_tokens(rows: int, length: int) -> torch.Tensor:
    """int64 ``[rows, length]``: BOS, then tokens that differ from row to row."""
    tokens = (torch.arange(rows * length).view(rows, length) * 7 + 3) % PAD
    tokens[:, 0] = PAD
    return tokens


def _last_rows(
    model: Transformer, tokens: torch.Tensor, memory: Packed, beam_size: int
) -> torch.Tensor:
    """What ``decode`` gives for the last token of each row, one row at a time."""
    memories = memory.unpack()
    rows = [
        model.decode(pack([prefix]), pack([memories[row // beam_size]])).values[-1]
        for row, prefix in enumerate(tokens)
    ]
    return torch.stack(rows)
