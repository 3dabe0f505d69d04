"""A picture of what the decoder looks at while it translates one sentence."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pytransformer.data.tokenizer import EOS, Tokenizer
from pytransformer.decoding.inspect import cross_attention_weights
from pytransformer.decoding.translator import Translator, refuse_surrogates
from pytransformer.errors import UserError
from pytransformer.packed import pack
from pytransformer.pictures import require_matplotlib, save

_CELL = 0.42  # inches
_WORD_START = "\u2581"  # SentencePiece's mark of a space
_CONTINUATION = "·"


def draw_attention(
    model_directory: Path,
    sentence: str,
    path: Path,
    *,
    layer: int | None = None,
    head: int | None = None,
    target: str | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """Translate one sentence and draw its cross-attention as a heat map.

    Args:
        model_directory: a model, as ``Translator.load`` reads it.
        sentence: the source text.
        path: the picture; its suffix says the format (``.png``, ``.svg``, ``.pdf``).
        layer: decoder layer, counted from 1; None takes the last.
        head: attention head, counted from 1; None takes the mean over the heads.
        target: a translation to look at in place of the model's own.
        device: where the model runs.

    Raises:
        UserError: if matplotlib is missing, a text is empty or no valid Unicode, the decoder has no
            layers, or a number is out of range.
    """
    require_matplotlib()
    refuse_surrogates(sentence, "the sentence")
    refuse_surrogates(target or "", "the target")
    translator = Translator.load(model_directory, device=device)
    if translator.model.config.decoder_layers == 0:
        raise UserError(
            f"{model_directory}: the decoder has no layers, and so no attention to draw"
        )
    tokenizer = translator.tokenizer
    source_tokens = _tokens(tokenizer.encode([sentence]), "the sentence")
    if target is None:
        target_tokens = translator.translate_batch([sentence])[0][0].tokens
    else:
        target_tokens = _tokens(tokenizer.encode_target([target]), "the target")
    src = pack([torch.tensor([*source_tokens, tokenizer.eos_id])]).to(device)
    tgt = pack([torch.tensor([tokenizer.pad_id, *target_tokens])]).to(device)
    translator.model.eval()
    weights = cross_attention_weights(translator.model, src, tgt).cpu()
    panel, name = _choose(weights, layer, head)
    heat_map(
        panel,
        _labels(tokenizer, source_tokens),
        _labels(tokenizer, target_tokens),
        title=f"{sentence.strip()}\n{tokenizer.decode([target_tokens])[0]}",
        caption=name,
        path=path,
    )


def heat_map(
    weights: Tensor,
    source: list[str],
    target: list[str],
    title: str,
    caption: str,
    path: Path,
) -> None:
    """Draw weights ``[target, source]`` between 0 and 1 with their pieces along the edges.

    Args:
        weights: one row for each target piece.
        source: labels of the columns.
        target: labels of the rows.
        title: above the picture.
        caption: below it.
        path: where to write; its suffix says the format.

    Raises:
        UserError: if matplotlib is missing or does not write this format, or the disk is full.
    """
    require_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    from pytransformer.pictures.fonts import families_for

    families = families_for("".join([*source, *target, title, caption]))
    # Dollar signs in a sentence are no formulas.
    with matplotlib.rc_context({"font.family": families, "text.parse_math": False}):
        size = (_CELL * len(source) + 2.6, _CELL * len(target) + 2.2)
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(weights.numpy(), cmap="Blues", vmin=0.0, vmax=1.0)
        axes.set_xticks(range(len(source)), source, rotation=45, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(len(target)), target)
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
        axes.set_xticks([index - 0.5 for index in range(1, len(source))], minor=True)
        axes.set_yticks([index - 0.5 for index in range(1, len(target))], minor=True)
        axes.grid(which="minor", color="0.92", linewidth=0.8)
        axes.tick_params(which="minor", length=0)
        axes.spines[:].set_color("0.8")
        axes.set_xlabel(caption, color="0.35", labelpad=8)
        figure.suptitle(title, fontsize="large")
        bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=25, label="attention weight")
        bar.outline.set_visible(False)
        save(figure, path)


def _tokens(sentences: list[list[int]], name: str) -> list[int]:
    if not sentences[0]:
        raise UserError(f"{name} is empty; give some text to attend to")
    return sentences[0]


def _labels(tokenizer: Tokenizer, tokens: list[int]) -> list[str]:
    """Pieces to read, then ``</s>``: a word's first piece plain, the others behind a dot."""
    labels = []
    for piece in tokenizer.pieces(tokens):
        if piece.startswith(_WORD_START):
            labels.append(piece.removeprefix(_WORD_START) or "␣")
        else:
            labels.append(_CONTINUATION + piece)
    return [*labels, EOS]


def _choose(weights: Tensor, layer: int | None, head: int | None) -> tuple[Tensor, str]:
    """One panel ``[target, source]`` of ``[layers, heads, target, source]``, and its name."""
    layers, heads = weights.shape[:2]
    layer = layers if layer is None else layer
    for name, number, count in (("layer", layer, layers), ("head", head, heads)):
        if number is not None and not 1 <= number <= count:
            raise UserError(f"{name} {number} does not exist: this model has {name}s 1 to {count}")
    where = f"cross-attention, decoder layer {layer} of {layers}"
    if head is None:
        return weights[layer - 1].mean(0), f"{where}, mean of {heads} heads"
    return weights[layer - 1, head - 1], f"{where}, head {head} of {heads}"
