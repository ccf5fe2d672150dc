"""Failures a person can act on, and how they are said."""

from commands.dead_letters import LetterUnknown
from commands.logs import LogNotFollowed
from commands.settings import SettingsInvalid
from events.epochs import EpochsUnreadable
from events.log import LogError
from profiles.store import ProfileStoreError
from streams.admin import BrokerSilentError, TopicDiffersError, TopicMissingError

_SAYABLE = (
    BrokerSilentError,
    EpochsUnreadable,
    LetterUnknown,
    LogError,
    LogNotFollowed,
    ProfileStoreError,
    SettingsInvalid,
    TopicDiffersError,
    TopicMissingError,
)


def explain(error: Exception) -> str | None:
    """One sentence for a failure of the surroundings or of the settings; None for a defect of ours."""
    return str(error) if isinstance(error, _SAYABLE) else None
