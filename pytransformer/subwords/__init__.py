"""Words to pieces: the class ``Bpe``, compiled or, with the reference backend, in plain Python.

Both draw the same bits.
"""

from pytransformer import ops

if ops.BACKEND == "native":
    from pytransformer._C import Bpe
else:
    from pytransformer.subwords.plain import Bpe

__all__ = ["Bpe"]
