"""`python -m econet` is the `econet` command."""

import sys

from econet.cli.main import main

sys.exit(main())
