"""Measurements against named baselines in the same run, printed with the machine, the versions and the spread."""
