"""`python -m tiepoint_runtime`: the command line."""

import sys

from tiepoint_runtime.cli import main

sys.exit(main())
