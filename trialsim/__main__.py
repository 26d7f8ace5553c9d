"""Run the command line as ``python -m trialsim``."""

from __future__ import annotations

import sys

from trialsim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
