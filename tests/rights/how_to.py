"""What the how-to of rights shows: its commands, those that work on the data folder apart."""

import re
from typing import Final

from tests.servers import ROOT

_PAGE: Final = (ROOT / "docs" / "how-to" / "erase-a-person.md").read_text(encoding="utf-8")

COMMANDS: Final = [line for block in re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL) for line in block.splitlines()]
ON_FILES: Final = [line for line in COMMANDS if line.split()[2] in {"access", "rectify"}]
ONLINE: Final = [line for line in COMMANDS if line not in ON_FILES]
"""Those that ask the API, and the check of the certificate, which asks nobody."""
