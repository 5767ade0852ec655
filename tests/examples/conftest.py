"""The examples of extensions, installed as a package of their own and run once for all tests."""
