"""What the tests of the documentation share: where the texts are, and the scripts that make pages."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs" / "tools"))
