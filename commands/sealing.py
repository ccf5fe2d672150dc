"""The sealing of one installation: where its keys are, and what seals and opens with them."""

from commands.clock import now_ms
from commands.settings import Keyring, Settings, SettingsInvalid, keyring_of
from consent.retention import kind_of
from events.body_keys import BodyKeys, KeyMaker
from events.redis_body_keys import RedisBodyKeys
from events.sealing import IN_CLEAR, Sealing, Seals
from events.sqlite_body_keys import SqliteBodyKeys
from recommender.receipt_keys import IdentitySealing
from recommender.receipt_sealing import InstallationSealing
from recommender.receipt_sealing import Sealing as ReceiptSealing


def body_keys_of(settings: Settings) -> BodyKeys:
    """Where the keys of facts are."""
    return RedisBodyKeys(settings.body_keys) if settings.body_keys else SqliteBodyKeys(settings.body_keys_file)


def sealing_of(settings: Settings, keyring: Keyring) -> Sealing:
    """What seals and opens facts; switched off it opens what was sealed, and seals nothing new."""
    return Sealing(
        keys=body_keys_of(settings), maker=KeyMaker(keyring.body_key_wrap), kind=kind_of, is_on=settings.sealing
    )


def receipt_sealing_of(settings: Settings, keyring: Keyring) -> ReceiptSealing:
    """What seals the inputs of receipts, under keys of identities; switched off, under the one of the installation."""
    return IdentitySealing(
        keys=body_keys_of(settings),
        maker=KeyMaker(keyring.body_key_wrap),
        earlier=InstallationSealing(keyring.receipt_key),
        now=now_ms,
        is_on=settings.sealing,
    )


def opening_of(settings: Settings) -> Seals:
    """What opens facts. Without the secret of the installation that is only what is in clear."""
    try:
        return sealing_of(settings, keyring_of(settings))
    except SettingsInvalid:
        return IN_CLEAR
