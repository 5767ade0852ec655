"""One table model, rendered to LaTeX, CSV and Markdown; no torch, no task, no engine."""
