"""Which version of the program this is."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("rapport")
"""The installed distribution's version; models and answers name it."""
