"""Settings: from the command line, else the environment (`RAPPORT_...`), else the data folder, else the defaults."""

import json
import os
import secrets
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from events.fact import describe

EVENTS: Final = "rapport.events"
INTAKE: Final = "rapport.intake"
DECISIONS: Final = "rapport.decisions"
OUTREACH: Final = "rapport.outreach"


class SettingsInvalid(Exception):
    """A setting is missing or cannot be used; the text says which and what to do."""


class Settings(BaseSettings):
    """How one installation runs. Secrets come from the environment or from `keyring.json` in the data folder."""

    model_config = SettingsConfigDict(env_prefix="RAPPORT_", frozen=True, extra="ignore")

    kafka: str = Field(default="127.0.0.1:9092", description="brokers, host:port, separated by commas")
    redis: str = Field(default="redis://127.0.0.1:6379/0", description="URL of the store")
    redis_cluster: bool = Field(default=False, description="the URL names a node of a cluster")
    data: Path = Field(default=Path("rapport-data"), description="folder of history, models and keys")
    partitions: int = Field(
        default=32, ge=1, le=1024, description="partitions of every topic; another number is a rebuild"
    )
    replication: int = Field(default=1, ge=1, description="replicas of a topic that is made")
    region: str = Field(default="DE", pattern=r"^[A-Z]{2}$", description="country in which bare phone numbers are read")
    bound_sources: tuple[str, ...] = Field(
        default=("replay", "crm"), description="sources with an intake topic of their own"
    )
    instance_id: str | None = Field(default=None, description="static membership of this worker (Apache Kafka)")
    host: str = Field(default="127.0.0.1", description="where the API listens")
    port: int = Field(default=8080, ge=0, le=65535, description="where the API listens")

    @property
    def brokers(self) -> list[str]:
        """The brokers one by one."""
        return [broker.strip() for broker in self.kafka.split(",") if broker.strip()]

    @property
    def intakes(self) -> dict[str, str | None]:
        """Intake topic -> the source it is bound to, None for the open one."""
        return {INTAKE: None, **{f"{INTAKE}.{source}": source for source in self.bound_sources}}

    @property
    def topics(self) -> dict[str, int]:
        """Every topic with its partition count."""
        return dict.fromkeys((EVENTS, DECISIONS, OUTREACH, *self.intakes), self.partitions)

    @property
    def history(self) -> Path:
        """Where history's segments are."""
        return self.data / "history"

    @property
    def models(self) -> Path:
        """Where models are."""
        return self.data / "models"


def settings_of(**given: Any) -> Settings:
    """The settings with what the command line gave on top; SettingsInvalid says what is wrong."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsInvalid(f"settings: {describe(error)}") from None


class Keyring(BaseModel):
    """The secrets of one installation, in hex: the pseudonym key, and the key of decision ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pseudonym_key: str = Field(pattern=r"^([0-9a-f]{2}){16,64}$", repr=False)
    decision_key: str = Field(pattern=r"^([0-9a-f]{2}){16,64}$", repr=False)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.pseudonym_key == self.decision_key:
            raise ValueError("the two keys must differ")
        return self


def keyring_of(settings: Settings) -> Keyring:
    """The keys in `keyring.json` of the data folder; SettingsInvalid when there are none yet."""
    path = settings.data / "keyring.json"
    try:
        return Keyring.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        raise SettingsInvalid(
            f"{path} is missing: `rapport keys make` makes it, or copy it from a sister process"
        ) from None
    except (ValueError, OSError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {type(error).__name__}") from None


def make_keyring(settings: Settings) -> Keyring:
    """The keys of the data folder, made first where there are none; the file is readable by its owner only."""
    path = settings.data / "keyring.json"
    if not path.exists():
        settings.data.mkdir(parents=True, exist_ok=True)
        keyring = Keyring(pseudonym_key=secrets.token_hex(32), decision_key=secrets.token_hex(32))
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(keyring.model_dump_json(indent=2))
            os.fsync(descriptor)
        fresh.rename(path)
    return keyring_of(settings)
