"""Records for someone else, and from someone else, in one archive that names no person."""
