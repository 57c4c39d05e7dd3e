"""`python -m lab.cloud`."""

from lab.cloud.process import main

main()
