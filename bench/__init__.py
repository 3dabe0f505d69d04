"""Benchmarks: each op and the whole training step against what people use today.

``pytransformer bench`` runs them from a source tree. Each case is first held against the reference,
then timed in turn with its peers in the same process.
"""
