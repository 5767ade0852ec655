"""`python -m omnibench` is the command."""

from omnibench.cli import main

main()
