"""The tasks that come with omnibench: one folder each."""
