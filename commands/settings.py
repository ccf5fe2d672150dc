"""Settings: from the command line, else the environment (`RAPPORT_...`), else the data folder, else the defaults."""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from consent.matrix import DEFAULT_MATRIX
from consent.notices import DEFAULT_NOTICES
from consent.retention import DEFAULT_RETENTION
from consent.rules import Rules
from outreach.triggers import DEFAULT_TRIGGERS
from recommender.catalogue import DEFAULT_CATALOGUE

HISTORY: Final = "history"
"""The app that archives facts."""
KEY_FILE: Final = "pseudonym.key"
LEDGER_KEY_FILE: Final = "ledger.key"
RUNNING_FILE: Final = "running.json"
KEYS_FILE: Final = "api-keys.json"
READY_FILE: Final = "ready.json"


class SettingsInvalid(Exception):
    """A setting is missing or cannot be used; the text says which and what to do."""


class Settings(BaseSettings):
    """How one installation runs."""

    model_config = SettingsConfigDict(env_prefix="RAPPORT_", frozen=True, extra="ignore")

    kafka: str = Field(default="127.0.0.1:9092", description="brokers, host:port, separated by commas")
    redis: str = Field(default="redis://127.0.0.1:6379/0", description="URL of the store")
    redis_cluster: bool = Field(default=False, description="the URL names a node of a cluster")
    pseudonym_key: SecretStr | None = Field(
        default=None, description="32 random bytes in hex; else a file in the data folder"
    )
    sealing: bool = Field(default=True, description="whether facts are sealed on the log and in history")
    body_keys: str | None = Field(
        default=None, description="URL of the Redis that holds the keys of facts; else a file in the data folder"
    )
    retention: Path = Field(default=DEFAULT_RETENTION, description="how long facts are kept, by purpose (YAML)")
    data: Path = Field(default=Path("rapport-data"), description="folder of history, models and keys")
    partitions: int = Field(
        default=32, ge=1, le=1024, description="partitions of every topic; another number is a rebuild"
    )
    replication: int = Field(default=1, ge=1, description="replicas of a topic that is made")
    region: str = Field(default="DE", pattern=r"^[A-Z]{2}$", description="country in which bare phone numbers are read")
    bound_sources: tuple[str, ...] = Field(
        default=("replay", "crm"), description="sources with an intake topic of their own"
    )
    consent_recipients: tuple[str, ...] = Field(
        default=(), description="sources whose systems have to confirm that they heard of a no"
    )
    topic_prefix: str = Field(
        default="rapport",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="begins every topic and consumer group; each installation on one cluster has its own",
    )
    catalogue: Path = Field(default=DEFAULT_CATALOGUE, description="the services there are (YAML)")
    triggers: Path = Field(default=DEFAULT_TRIGGERS, description="when to reach out (YAML)")
    matrix: Path = Field(default=DEFAULT_MATRIX, description="what each purpose rests on, by country (YAML)")
    notices: Path = Field(default=DEFAULT_NOTICES, description="what people are told, in all versions (YAML)")
    experiment: Path | None = Field(default=None, description="control groups for suggestions (YAML); none without it")
    checkpoint_targets: tuple[str, ...] = Field(
        default=(), description="where checkpoints of the ledger are published: folders, http(s) URLs"
    )
    instance_id: str | None = Field(default=None, description="static membership of this worker (Apache Kafka)")
    session_timeout_s: float = Field(
        default=6.0, ge=6, le=1800, description="seconds after which a silent worker's partitions go to others"
    )
    host: str = Field(default="127.0.0.1", description="where the API listens")
    port: int = Field(default=8080, ge=0, le=65535, description="where the API listens")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+(/[^\s/?#]+)*)?$",
        max_length=200,
        description="where people reach the API, for the links in messages; by default where it listens",
    )

    def rules(self) -> Rules:
        """What the door goes by; DataInvalid names the place where the matrix or the notices are none."""
        return Rules.load(matrix=self.matrix, notices=self.notices)

    @property
    def people_url(self) -> str:
        """Where people reach the API, without a slash at its end."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def brokers(self) -> list[str]:
        """The brokers one by one."""
        return [broker.strip() for broker in self.kafka.split(",") if broker.strip()]

    @property
    def events_topic(self) -> str:
        """The log of facts."""
        return f"{self.topic_prefix}.events"

    @property
    def decisions_topic(self) -> str:
        """Where candidates for outreach wait for a decision."""
        return f"{self.topic_prefix}.decisions"

    @property
    def outreach_topic(self) -> str:
        """Where decided messages go out."""
        return f"{self.topic_prefix}.outreach"

    @property
    def consent_topic(self) -> str:
        """Where other systems are told of a no."""
        return f"{self.topic_prefix}.consent"

    def intake_topic(self, source: str | None = None) -> str:
        """Where others send: the open intake, or the one bound to a source."""
        return f"{self.topic_prefix}.intake" + (f".{source}" if source else "")

    @property
    def intakes(self) -> dict[str, str | None]:
        """Intake topic -> the source it is bound to, None for the open one."""
        return {self.intake_topic(source): source for source in (None, *self.bound_sources)}

    @property
    def topics(self) -> dict[str, int]:
        """Every topic with its partition count."""
        own = (self.events_topic, self.decisions_topic, self.outreach_topic, self.consent_topic)
        return dict.fromkeys((*own, *self.intakes), self.partitions)

    @property
    def topics_read(self) -> list[str]:
        """What the app `profiles` reads."""
        return [*self.intakes, self.events_topic]

    def group(self, app: str) -> str:
        """The consumer group of one app."""
        return f"{self.topic_prefix}-{app}"

    @property
    def history(self) -> Path:
        """Where history's segments are."""
        return self.data / "history"

    @property
    def body_keys_file(self) -> Path:
        """The keys of facts, where no server holds them; nothing can make them again."""
        return self.data / "keys" / "bodies.sqlite"

    @property
    def vault(self) -> Path:
        """Evidence about the erased, sealed; nothing can make it again."""
        return self.data / "vault.sqlite"

    @property
    def ledger(self) -> Path:
        """Where the ledger is."""
        return self.data / "ledger"

    @property
    def confirmations(self) -> Path:
        """Who confirmed which no; nothing can make it again."""
        return self.data / "confirmations.sqlite"

    @property
    def models(self) -> Path:
        """Where models are."""
        return self.data / "models"

    @property
    def evidence(self) -> Path:
        """The index of evidence, made from history."""
        return self.data / "evidence.sqlite"

    @property
    def accesses(self) -> Path:
        """Who looked at whom; nothing can make it again."""
        return self.data / "accesses.sqlite"

    @property
    def rights(self) -> Path:
        """Requests for erasure; nothing can make it again."""
        return self.data / "rights.sqlite"


def settings_of(**given: Any) -> Settings:
    """The settings with what the command line gave on top; SettingsInvalid says what is wrong.

    What neither the command line nor the environment says is taken from the `rapport up` that runs on the data folder.
    """
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        running = settings.data / RUNNING_FILE
        if not running.exists():
            return settings
        told = Settings.model_validate_json(running.read_bytes())
    except ValidationError as error:
        raise SettingsInvalid(_said(error)) from None
    except OSError as error:
        raise SettingsInvalid(f"settings: {error.filename} cannot be read") from None
    return settings.model_copy(
        update={name: getattr(told, name) for name in told.model_fields_set - settings.model_fields_set}
    )


def _said(error: ValidationError) -> str:
    """What is wrong with which setting, spelled as in the environment, without the values: a key may be among them."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    names = (f"RAPPORT_{str(problem['loc'][0]).upper()}" if problem["loc"] else "settings" for problem in problems)
    return "; ".join(f"{name}: {problem['msg']}" for name, problem in zip(names, problems, strict=True))


@dataclass(frozen=True, slots=True)
class Keyring:
    """The secret of one installation, and the keys derived from it; none of them is ever shown."""

    pseudonym_key: bytes = field(repr=False)

    @property
    def decision_key(self) -> bytes:
        """Keys decision ids (32 bytes)."""
        return self._derived(b"rapport decisions")

    @property
    def ref_key(self) -> bytes:
        """Seals the references handed out for identities (32 bytes)."""
        return self._derived(b"rapport references")

    @property
    def link_key(self) -> bytes:
        """Seals the tokens in the links people get (32 bytes)."""
        return self._derived(b"rapport links")

    @property
    def body_key_wrap(self) -> bytes:
        """Wraps the keys that seal facts (32 bytes)."""
        return self._derived(b"rapport body keys")

    @property
    def suppression_key(self) -> bytes:
        """Keys what is remembered of the erased (32 bytes)."""
        return self._derived(b"rapport suppression")

    @property
    def receipt_key(self) -> bytes:
        """Seals what answers were made from (32 bytes)."""
        return self._derived(b"rapport receipts")

    def _derived(self, label: bytes) -> bytes:
        return hmac.new(self.pseudonym_key, label, hashlib.sha256).digest()


def keyring_of(settings: Settings) -> Keyring:
    """The keys from RAPPORT_PSEUDONYM_KEY or the data folder; SettingsInvalid when there are none yet."""
    path = settings.data / KEY_FILE
    if settings.pseudonym_key is not None:
        return _keyring(settings.pseudonym_key.get_secret_value(), where="RAPPORT_PSEUDONYM_KEY")
    try:
        return _keyring(path.read_text().strip(), where=str(path))
    except FileNotFoundError:
        hint = "set RAPPORT_PSEUDONYM_KEY to 32 random bytes in hex, or start once with `rapport up`"
        raise SettingsInvalid(f"{path} is missing: {hint}") from None
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be read: {type(error).__name__}") from None


def make_keyring(settings: Settings) -> Keyring:
    """The keys of the data folder, made first where there are none; the file is readable by its owner only."""
    path = settings.data / KEY_FILE
    if settings.pseudonym_key is None and not path.exists():
        settings.data.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        fresh.rename(path)
    return keyring_of(settings)


def _keyring(text: str, *, where: str) -> Keyring:
    if not re.fullmatch(r"([0-9a-fA-F]{2}){16,64}", text):
        raise SettingsInvalid(f"{where}: the key is 16 to 64 bytes in hex")
    return Keyring(bytes.fromhex(text))
