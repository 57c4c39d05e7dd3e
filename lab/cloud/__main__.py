"""`python -m lab.cloud`."""

import sys

from lab.cloud.process import main

sys.exit(main())
