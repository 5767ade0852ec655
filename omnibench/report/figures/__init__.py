"""The report's figures; matplotlib is imported only to draw what has changed."""
