"""``python -m pytransformer``: the same as the command ``pytransformer``."""

import sys

from pytransformer.cli.main import main

sys.exit(main())
