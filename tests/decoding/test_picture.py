"""Pictures: written whole, labelled, with glyphs for Hangul."""

from __future__ import annotations

import builtins
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from pytransformer.decoding import picture
from pytransformer.decoding.picture import draw_attention, heat_map
from pytransformer.directory import save_model
from pytransformer.errors import UserError
from tests.cases import translators

pytest.importorskip("matplotlib")

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    model = translators.model(3, decoder_layers=2)
    save_model(tmp_path / "model", model, translators.tokenizer())
    return tmp_path / "model"


def test_a_picture_is_written(directory: Path, tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "attention.png"
    draw_attention(directory, "the red cat", path)
    assert path.read_bytes().startswith(PNG)
    other = tmp_path / "other.svg"
    draw_attention(directory, "the red cat", other, layer=1, head=2, target="Katze $a_1$ house")
    drawn = other.read_text()
    assert "<svg" in drawn


def test_panel_labels_and_caption(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[dict[str, Any]] = []

    def record(weights: torch.Tensor, source: list[str], target: list[str], **rest: Any) -> None:
        drawn.append(dict(weights=weights, source=source, target=target, **rest))

    monkeypatch.setattr(picture, "heat_map", record)
    for choice in ({}, {"layer": 2, "head": 1}, {"layer": 2, "head": 2}, {"layer": 1}):
        draw_attention(directory, "the red cat", tmp_path / "x.png", target="old house", **choice)
    mean, one, two, first = drawn
    assert mean["weights"].shape == (len(mean["target"]), len(mean["source"]))
    assert torch.allclose(mean["weights"], (one["weights"] + two["weights"]) / 2)
    assert not torch.allclose(mean["weights"], first["weights"])
    assert mean["source"][-1] == mean["target"][-1] == "</s>"
    assert "".join(mean["target"][:-1]).replace("·", "") == "oldhouse"
    assert mean["title"] == "the red cat\nold house"
    assert "layer 2 of 2, mean of 2 heads" in mean["caption"]
    assert "layer 1 of 2" in first["caption"]
    assert "head 2 of 2" in two["caption"]


def test_hangul_has_a_font(tmp_path: Path) -> None:
    from pytransformer.pictures import fonts

    text = "고양이는 집을 봅니다 Häuser"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of every missing glyph
        families = fonts.families_for(text)
        assert families[0] == fonts.BASE_FAMILY
        assert len(families) > 1
        path = tmp_path / "hangul.png"
        heat_map(torch.eye(2), ["고양이는", "집"], ["the", "cat"], text, "caption", path)
    assert path.read_bytes().startswith(PNG)
    assert fonts.families_for("Häuser") == [fonts.BASE_FAMILY]


def test_the_packaged_font_serves_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if importlib.util.find_spec("koreanize_matplotlib") is None:
        pytest.skip("koreanize-matplotlib is not installed")
    from matplotlib import font_manager

    from pytransformer.pictures import fonts

    bare = font_manager.FontManager.__new__(font_manager.FontManager)
    vars(bare).update(vars(font_manager.fontManager))
    bare.ttflist = [e for e in font_manager.fontManager.ttflist if e.name == fonts.BASE_FAMILY]
    monkeypatch.setattr(font_manager, "fontManager", bare)
    assert fonts.families_for("가") == [fonts.BASE_FAMILY, "NanumGothic"]
    monkeypatch.setattr(fonts, "_packaged_font", lambda: None)
    bare.ttflist = [e for e in bare.ttflist if e.name == fonts.BASE_FAMILY]
    with pytest.warns(UserWarning, match="'가'.*pip install koreanize-matplotlib"):
        assert fonts.families_for("가") == [fonts.BASE_FAMILY]


@pytest.mark.parametrize(
    ("sentence", "options", "message"),
    [
        ("  ", {}, "the sentence is empty"),
        ("a\udcff", {}, r"the sentence is not valid Unicode \(character 2"),
        ("cat", {"target": "\udcff"}, "the target is not valid Unicode"),
        ("cat", {"target": ""}, "the target is empty"),
        ("cat", {"layer": 3}, "layer 3 does not exist: this model has layers 1 to 2"),
        ("cat", {"layer": 0}, "layer 0 does not exist"),
        ("cat", {"head": 9}, "head 9 does not exist: this model has heads 1 to 2"),
    ],
)
def test_mistakes_are_named(
    directory: Path, tmp_path: Path, sentence: str, options: dict[str, Any], message: str
) -> None:
    path = tmp_path / "x.png"
    with pytest.raises(UserError, match=message):
        draw_attention(directory, sentence, path, **options)
    assert not path.exists()


def test_an_unknown_suffix_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.doc: the suffix must be one of .*png"):
        heat_map(torch.eye(1), ["a"], ["b"], "title", "caption", tmp_path / "x.doc")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="pip install matplotlib koreanize-matplotlib"):
        draw_attention(tmp_path, "cat", tmp_path / "x.png")


def test_a_decoder_without_layers_has_nothing_to_draw(tmp_path: Path) -> None:
    save_model(tmp_path / "model", translators.model(decoder_layers=0), translators.tokenizer())
    with pytest.raises(UserError, match="model: the decoder has no layers"):
        draw_attention(tmp_path / "model", "cat", tmp_path / "x.png")
