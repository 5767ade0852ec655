"""What the commands do; `omnibench.cli` declares them and imports each when it is given."""
