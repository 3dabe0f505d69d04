"""A model directory is a Marian model; what is damaged or not supported is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import pytransformer as pt
from pytransformer.directory import MODEL_FILES, load_model, save_model, write_model
from pytransformer.errors import UserError
from tests.cases import translators
from tests.cases.disk import full_disk

VARIATIONS = {
    "paper": {},
    "gelu": {"activation": "gelu", "encoder_layers": 2, "dropout": 0.25},
    "silu": {"activation": "silu", "max_length": 99},
    "pre-norm": {"norm_first": True},
    "learned": {"positions": "learned", "max_length": 40},
    "epsilon": {"layer_norm_eps": 1e-6},
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    save_model(tmp_path / "model", translators.model(), translators.tokenizer())
    return tmp_path / "model"


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def edit_config(directory: Path, **changes: object) -> None:
    values = json.loads((directory / "config.json").read_text()) | changes
    kept = {key: value for key, value in values.items() if value is not ...}
    (directory / "config.json").write_text(json.dumps(kept))


def edit_weights(directory: Path, change) -> None:
    tensors = load_file(directory / "model.safetensors")
    change(tensors)
    save_file(tensors, directory / "model.safetensors")


def without_checksums(directory: Path) -> Path:
    """Like a model from elsewhere; so that what is changed next is found by other means."""
    (directory / "checksums.json").unlink()
    return directory


@pytest.mark.parametrize("changes", VARIATIONS.values(), ids=VARIATIONS.keys())
def test_a_model_goes_round(tmp_path: Path, changes: dict) -> None:
    model = translators.model(**changes)
    save_model(tmp_path / "model", model.train(), translators.tokenizer())
    generator = torch.get_rng_state()
    loaded, tokenizer = load_model(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), generator)
    assert loaded.config == model.config
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert tokenizer.encode(["the red cat"]) == translators.tokenizer().encode(["the red cat"])


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float64])
def test_the_dtype_is_the_reader_s_choice(tmp_path: Path, stored: torch.dtype) -> None:
    model = translators.model().to(stored)
    save_model(tmp_path / "model", model, translators.tokenizer())
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert f"torch.{config['torch_dtype']}" == str(stored)
    for dtype in (torch.float32, torch.float64):
        loaded, _ = load_model(tmp_path / "model", dtype=dtype)
        assert loaded.embedding.dtype == dtype
        assert torch.equal(loaded.embedding, model.embedding.to(dtype))


def test_how_it_was_made_lies_beside_it(directory: Path) -> None:
    save_model(directory, translators.model(), translators.tokenizer(), record={"step": 3})
    assert content(directory).keys() == {*MODEL_FILES, "checksums.json", "training.json"}
    assert json.loads((directory / "training.json").read_text()) == {"step": 3}
    load_model(directory)
    (directory / "training.json").write_text("{}")
    with pytest.raises(UserError, match=r"training\.json"):
        load_model(directory)
    (directory / "training.json").unlink()
    with pytest.raises(UserError, match=r"training\.json is missing"):
        load_model(directory)


def test_the_layout_is_that_of_a_marian_model(directory: Path) -> None:
    model, vocab_size = translators.model(), translators.tokenizer().vocab_size
    assert content(directory).keys() == {*MODEL_FILES, "checksums.json"}
    config = json.loads((directory / "config.json").read_text())
    assert (config["model_type"], config["architectures"]) == ("marian", ["MarianMTModel"])
    assert (config["encoder_ffn_dim"], config["decoder_attention_heads"]) == (32, 2)
    assert config["pad_token_id"] == config["decoder_start_token_id"] == vocab_size - 1
    assert config["scale_embedding"] is True
    generation = json.loads((directory / "generation_config.json").read_text())
    assert generation["bad_words_ids"] == [[vocab_size - 1]]

    tensors = load_file(directory / "model.safetensors")
    ours = model.state_dict()
    qkv = ours["decoder.layers.0.self_attention.qkv.weight"]
    kv = ours["decoder.layers.0.cross_attention.kv.bias"]
    layer = "model.decoder.layers.0"
    for index, name in enumerate("qkv"):
        part = tensors[f"{layer}.self_attn.{name}_proj.weight"]
        assert torch.equal(part, qkv[16 * index : 16 * (index + 1)])
    for index, name in enumerate("kv"):
        part = tensors[f"{layer}.encoder_attn.{name}_proj.bias"]
        assert torch.equal(part, kv[16 * index : 16 * (index + 1)])
    assert torch.equal(tensors["model.shared.weight"], ours["embedding"])
    assert tensors["final_logits_bias"].shape == (1, vocab_size)
    parts = {"self_attn": "qkv", "encoder_attn": "qkv"}
    expected = {f"{layer}.{part}.{name}_proj" for part in parts for name in [*"qkv", "out"]}
    norms = ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm", "fc1", "fc2")
    expected |= {f"{layer}.{name}" for name in norms}
    found = {name.rpartition(".")[0] for name in tensors if name.startswith(layer)}
    assert found == expected


def test_what_marian_lacks_is_marked_as_our_own(tmp_path: Path) -> None:
    save_model(tmp_path / "model", translators.model(norm_first=True), translators.tokenizer())
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["model_type"] == "pytransformer"
    assert config["pytransformer"]["norm_first"] is True
    assert "encoder.norm.weight" in load_file(tmp_path / "model" / "model.safetensors")


def test_a_model_from_elsewhere_may_repeat_shared_weights(directory: Path) -> None:
    without_checksums(directory)
    (directory / "generation_config.json").unlink()

    def repeat(tensors) -> None:
        shared = tensors["model.shared.weight"]
        for name in ("lm_head", "model.encoder.embed_tokens", "model.decoder.embed_tokens"):
            tensors[f"{name}.weight"] = shared.clone()
        tensors["model.encoder.embed_positions.weight"] = torch.zeros(1024, 16)
        del tensors["final_logits_bias"]

    edit_weights(directory, repeat)
    edit_config(directory, decoder_vocab_size=None, static_position_embeddings=..., dropout=...)
    loaded, _ = load_model(directory)
    assert torch.equal(loaded.embedding, translators.model().embedding)


def test_saving_again_replaces_the_model(directory: Path) -> None:
    other = translators.model(seed=1)
    save_model(directory, other, translators.tokenizer())
    assert torch.equal(load_model(directory)[0].embedding, other.embedding)


def test_other_files_are_never_lost(directory: Path) -> None:
    (directory / "notes.txt").write_text("mine")
    before = content(directory)
    with pytest.raises(UserError, match=r"holds 'notes.txt', which is no part of a model"):
        save_model(directory, translators.model(seed=1), translators.tokenizer())
    assert content(directory) == before


def test_model_and_tokenizer_must_agree(tmp_path: Path) -> None:
    model = pt.Transformer(pt.TransformerConfig.preset("tiny", vocab_size=9, encoder_layers=1))
    with pytest.raises(ValueError, match="the tokenizer has 61 ids, the model 9"):
        save_model(tmp_path / "model", model, translators.tokenizer())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_model_whole(directory: Path) -> None:
    before = content(directory)
    other = translators.model(seed=1, d_model=64)
    with full_disk(65536), pytest.raises(UserError, match="unchanged") as error:
        save_model(directory, other, translators.tokenizer())
    assert str(error.value).startswith(f"cannot write {directory}: ")
    assert content(directory) == before
    assert [path.name for path in directory.parent.iterdir()] == ["model"]


def flip_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def cut(path: Path, count: int) -> None:
    path.write_bytes(path.read_bytes()[:-count])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "target.spm").unlink(), "lacks target.spm; a model directory holds config"),
        (lambda d: cut(d / "model.safetensors", 9), r"model.safetensors has \d+ bytes, but"),
        (lambda d: flip_last_byte(d / "model.safetensors"), "model.safetensors has changed"),
        (lambda d: edit_config(d, d_model=8), "config.json has"),
    ],
)
def test_checksums_tell_damage(directory: Path, damage, message: str) -> None:
    damage(directory)
    with pytest.raises(UserError, match=message) as error:
        load_model(directory)
    assert str(directory) in str(error.value)


FC1 = "model.encoder.layers.0.fc1.weight"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: cut(d / "model.safetensors", 9), "model.safetensors is truncated or damaged"),
        (lambda d: (d / "model.safetensors").write_bytes(b""), "truncated or damaged"),
        (lambda d: (d / "config.json").write_text('{"d_model"'), "config.json, line 1: not valid"),
        (lambda d: edit_weights(d, lambda t: t.pop(FC1)), f"lacks {FC1}; it does not belong"),
        (
            lambda d: edit_weights(d, lambda t: t.update(x=torch.ones(1), y=torch.ones(1))),
            "has an unexpected x and 1 more;",
        ),
        (
            lambda d: edit_weights(d, lambda t: t.update({FC1: torch.ones(32, 15)})),
            rf"{FC1} has the shape \[32, 15\], but config.json asks for \[32, 16\]",
        ),
        (
            lambda d: edit_config(d, encoder_layers=2),
            "lacks model.encoder.layers.1.fc1.bias and 15",
        ),
        (
            lambda d: edit_weights(d, lambda t: t["final_logits_bias"].add_(1)),
            "final_logits_bias is not zero",
        ),
        (
            lambda d: edit_weights(d, lambda t: t["model.shared.weight"].add_(1)),
            r"has a last row \(<pad>\) that is not zero",
        ),
        (lambda d: edit_config(d, model_type="bart"), "model of type 'bart'; 'marian' and"),
        (lambda d: edit_config(d, model_type="pytransformer"), "cannot be used: .*vocab_size"),
        (lambda d: edit_config(d, d_model=...), "cannot be used: d_model is missing"),
        (lambda d: edit_config(d, d_model="16"), "d_model = '16': must be a whole number"),
        (lambda d: edit_config(d, encoder_layers=1e9), "encoder_layers = 1000000000.0: must be a"),
        (lambda d: edit_config(d, encoder_attention_heads=3), "decoder_attention_heads is 2"),
        (lambda d: edit_config(d, decoder_ffn_dim=8), "decoder_ffn_dim is 8; only 32 is supported"),
        (lambda d: edit_config(d, scale_embedding=...), "scale_embedding is False; only True"),
        (lambda d: edit_config(d, normalize_before=True), "normalize_before is True; only False"),
        (lambda d: edit_config(d, tie_word_embeddings=False), "tie_word_embeddings is False"),
        (
            lambda d: edit_config(d, decoder_start_token_id=0),
            "decoder_start_token_id is 0; only 60",
        ),
        (lambda d: edit_config(d, activation_function="tanh"), "activation_function is 'tanh'"),
        (
            lambda d: edit_config(
                d, vocab_size=9, pad_token_id=8, decoder_start_token_id=8, decoder_vocab_size=9
            ),
            "vocab.json has 61 ids, but config.json says vocab_size = 9",
        ),
    ],
)
def test_what_does_not_fit_is_named(directory: Path, damage, message: str) -> None:
    damage(without_checksums(directory))
    with pytest.raises(UserError, match=message) as error:
        load_model(directory)
    assert str(directory) in str(error.value)


def test_a_foreign_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere is no directory"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"lacks config.json, model.safetensors, source.spm"):
        load_model(tmp_path)


def test_a_model_can_be_a_part_of_something_larger(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_model(tmp_path, translators.model(), translators.tokenizer())
    assert torch.equal(load_model(tmp_path)[0].embedding, translators.model().embedding)
