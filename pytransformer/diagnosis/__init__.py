"""What ``pytransformer doctor`` looks at: the installation, and each op against its reference.

Nothing here imports the compiled extension before it is asked about, so that a broken installation
can be examined too.
"""
