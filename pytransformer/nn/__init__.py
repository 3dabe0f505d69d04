"""The layers of the Transformer as modules over ``pytransformer.ops``."""

from pytransformer.nn.attention import CrossAttention, KeyValueCache, SelfAttention
from pytransformer.nn.decoder import Decoder, DecoderLayer
from pytransformer.nn.encoder import Encoder, EncoderLayer
from pytransformer.nn.feed_forward import FeedForward
from pytransformer.nn.layer_norm import LayerNorm
from pytransformer.nn.linear import Linear

__all__ = [
    "CrossAttention",
    "Decoder",
    "DecoderLayer",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
    "KeyValueCache",
    "LayerNorm",
    "Linear",
    "SelfAttention",
]
