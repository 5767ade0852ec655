"""The suites that come with omnibench, as YAML files."""
