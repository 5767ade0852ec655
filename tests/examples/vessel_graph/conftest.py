"""The package's folder on the path."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "examples" / "vessel-graph"
sys.path.append(str(PACKAGE))
