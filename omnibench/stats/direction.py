"""Which way a metric improves."""

# The metrics of the shipped tasks that improve downwards.
LOWER_IS_BETTER = frozenset({"ece", "brier"})
