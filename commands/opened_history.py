"""History of one installation, as it is read with its keys."""

from commands.sealing import opening_of
from commands.settings import Settings
from events.history import History


def history_of(settings: Settings) -> History:
    """History, opened."""
    return History(settings.history, opening_of(settings))
