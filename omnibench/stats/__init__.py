"""Statistics of records: arrays and DataFrames in, DataFrames out; no torch, no task, no engine."""
