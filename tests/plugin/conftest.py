"""Makes those modules of the plug-in importable that need no GIMP.

After the package on the path: its own `frisket.py` is not meant by `import frisket`.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "plugin" / "frisket"))
