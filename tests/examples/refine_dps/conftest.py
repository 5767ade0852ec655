"""Where the package lies, for the tests that import its modules."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "examples" / "refine-dps"
sys.path.append(str(FOLDER))
