"""Writes the reference page of the traits to standard output."""

import sys

from profiles.traits.table import traits_page

if __name__ == "__main__":
    sys.stdout.write(traits_page())
