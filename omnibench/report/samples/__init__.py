"""Test cases on which the models of a suite disagree, in pages beside the report."""
