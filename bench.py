"""The command: `python bench.py --help`."""

from omnibench.cli import main

if __name__ == "__main__":
    main()
