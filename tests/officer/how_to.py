"""What the how-to of the officer shows: its commands, and its file about the controller."""

import re
from typing import Final

from tests.servers import ROOT

_PAGE: Final = (ROOT / "docs" / "how-to" / "officer.md").read_text(encoding="utf-8")

COMMANDS: Final = [line for block in re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL) for line in block.splitlines()]
ON_FILES: Final = [line for line in COMMANDS if line.split()[2] in {"export", "check"}]
"""Those that work on a data folder."""
ONLINE: Final = [line for line in COMMANDS if line not in ON_FILES]
"""Those that ask the API."""
[CONTROLLER] = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)
