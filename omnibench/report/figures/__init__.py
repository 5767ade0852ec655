"""The report's figures, one kind a file; matplotlib is imported only to draw what has changed."""
