"""Every choice that makes one Transformer differ from another, in one dataclass."""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass
from typing import Any, Literal

Activation = Literal["relu", "gelu", "silu"]
Positions = Literal["sinusoidal", "learned"]

# Table 3 of "Attention Is All You Need" for base and big; tiny is the text-only Transformer that
# the literature trains on Multi30k, small lies between the two.
_PRESETS: dict[str, dict[str, Any]] = {
    "tiny": dict(d_model=128, ff=256, heads=4, encoder_layers=4, decoder_layers=4, dropout=0.1),
    "small": dict(d_model=256, ff=1024, heads=8, encoder_layers=3, decoder_layers=3, dropout=0.1),
    "base": dict(d_model=512, ff=2048, heads=8, encoder_layers=6, decoder_layers=6, dropout=0.1),
    "big": dict(d_model=1024, ff=4096, heads=16, encoder_layers=6, decoder_layers=6, dropout=0.3),
}

# What a field of this annotation may hold, and how to say so.
_TYPES: dict[str, tuple[Any, str]] = {
    "int": (int, "a whole number"),
    "float": (int | float, "a number"),
    "bool": (bool, "true or false"),
}


@dataclass(frozen=True)
class TransformerConfig:
    """The encoder-decoder of the paper and its two common variations.

    The last id of the vocabulary is ``<pad>``: it starts every target sentence, its embedding is
    zero, and the model gives it no score.

    Attributes:
        vocab_size: ids shared by source and target, ``<pad>`` included.
        d_model: width of a row; a multiple of ``heads`` (section 3.1).
        heads: attention heads, each ``d_model / heads`` wide, at most 256 (section 3.2.2).
        ff: width of the hidden layer of the feed-forward layer (section 3.3).
        encoder_layers, decoder_layers: how many layers (section 3.1).
        dropout: on every sub-layer's output and on the embeddings (section 5.4).
        attention_dropout: on the attention weights.
        activation_dropout: on the hidden layer of the feed-forward layer.
        activation: ``relu`` (the paper), ``gelu`` (exact) or ``silu``.
        norm_first: layer norm before each sub-layer instead of after it, with a final norm.
        positions: ``sinusoidal`` (section 3.5) or ``learned``.
        max_length: rows of the table of learned positions; the longest sentence in tokens.
        layer_norm_eps: added to the variance.
    """

    vocab_size: int
    d_model: int
    heads: int
    ff: int
    encoder_layers: int
    decoder_layers: int
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    activation: Activation = "relu"
    norm_first: bool = False
    positions: Positions = "sinusoidal"
    max_length: int = 1024
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        self._check_types()
        for name in ("vocab_size", "d_model", "heads", "ff", "max_length"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        _require(self.vocab_size >= 2, "vocab_size", self.vocab_size, "at least 2")
        for name in ("encoder_layers", "decoder_layers"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "at least 0")
        for name in ("dropout", "attention_dropout", "activation_dropout"):
            value = getattr(self, name)
            _require(0.0 <= value < 1.0, name, value, "at least 0 and less than 1")
        eps = self.layer_norm_eps
        _require(0 < eps < math.inf, "layer_norm_eps", eps, "more than 0 and finite")
        if self.d_model % self.heads != 0:
            raise ValueError(f"d_model = {self.d_model} is not a multiple of heads = {self.heads}")
        _require(self.head_dim <= 256, "d_model / heads", self.head_dim, "at most 256")
        for name, choices in (
            ("activation", ("relu", "gelu", "silu")),
            ("positions", ("sinusoidal", "learned")),
        ):
            value = getattr(self, name)
            _require(value in choices, name, repr(value), "one of " + ", ".join(choices))

    def _check_types(self) -> None:
        """A value from somebody's JSON file may be anything."""
        for field in dataclasses.fields(self):
            if str(field.type) in _TYPES:
                kind, rule = _TYPES[str(field.type)]
                value = getattr(self, field.name)
                # To Python a bool is an int, too.
                fits = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
                _require(fits, field.name, repr(value), rule)

    @property
    def head_dim(self) -> int:
        """Columns of one head."""
        return self.d_model // self.heads

    @property
    def pad_id(self) -> int:
        """The id of ``<pad>``, which also starts every target sentence."""
        return self.vocab_size - 1

    @classmethod
    def preset(cls, name: str, *, vocab_size: int, **changes: Any) -> TransformerConfig:
        """One of ``tiny``, ``small``, ``base``, ``big``, with any field changed by keyword.

        Raises:
            ValueError: if there is no such preset or field; the message names the nearest.
        """
        if name not in _PRESETS:
            raise ValueError(f"preset {name!r} is unknown; choose one of {', '.join(_PRESETS)}")
        return cls.from_dict({**_PRESETS[name], "vocab_size": vocab_size, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TransformerConfig:
        """The inverse of ``to_dict``.

        Raises:
            ValueError: if a key is not a field; the message names the nearest field.
        """
        fields = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in fields:
                nearest = difflib.get_close_matches(key, fields, n=1)
                hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
                raise ValueError(f"TransformerConfig has no field {key!r}{hint}")
        return cls(**values)


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        raise ValueError(f"{name} = {value}: must be {rule}")
