"""The backbones that come with omnibench: one file a family."""
