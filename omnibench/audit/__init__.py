"""Audit of published tables: what printed numbers allow, imply, and show when tested again."""
