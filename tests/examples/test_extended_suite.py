"""A suite of extensions from an installed package: planned, run, reported, as one of what ships."""
