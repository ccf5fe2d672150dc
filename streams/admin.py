"""Topics as the broker has them: make what is missing, refuse what differs, know one log from another.

Everything here blocks; call it before the worker starts, or from a thread.
"""

import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic, OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.protocol.consumer import IsolationLevel

from streams.patience import Away

_CONFIGS: Final = {"message.timestamp.type": "LogAppendTime"}
"""When the broker took a record, not when its producer says it sent it: that is when we heard of an event."""


class TopicDiffersError(Exception):
    """A topic has another number of partitions than configured: facts of one person would lie in two of them."""


class TopicMissingError(Exception):
    """A topic is not there."""


class BrokerSilentError(Away):
    """No broker answered in time, or not what it was asked."""


class TopicShape(NamedTuple):
    """What a topic is known by: the id of its log, and its number of partitions."""

    topic_id: str
    partitions: int


class Bounds(NamedTuple):
    """A partition of the log holds offsets in `[first, end)`; `end` is the last stable offset."""

    first: int
    end: int


def wait_for_broker(brokers: Sequence[str], *, within_s: float = 30.0) -> str:
    """Wait until the broker answers; its cluster id. BrokerSilentError after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with _admin(brokers) as admin:
                return str(admin.describe_cluster()["cluster_id"])
        except BrokerSilentError as error:
            if time.monotonic() > deadline:
                raise BrokerSilentError(f"no broker answered at {', '.join(brokers)} within {within_s:g} s") from error
        time.sleep(0.2)


def _listens(broker: str) -> bool:
    """Asked first, since the client leaves a socket open for every connection refused."""
    host, _, port = broker.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


def ensure_topics(brokers: Sequence[str], topics: Mapping[str, int], *, replication: int) -> list[str]:
    """Create the topics that are missing, as `{name: partitions}`; the names created.

    TopicDiffersError where one exists with another number of partitions; then nothing is created.
    """
    with _admin(brokers) as admin:
        found = {name: len(described["partitions"]) for name, described in _described(admin, topics).items()}
        if wrong := [difference(name, found[name], topics[name]) for name in found if found[name] != topics[name]]:
            raise TopicDiffersError("; ".join(wrong))
        missing = [name for name in topics if name not in found]
        for name in missing:
            _create(admin, name=name, partitions=topics[name], replication=replication)
        if missing:
            admin.wait_for_topics(missing)
    return missing


def difference(name: str, found: int, wanted: int) -> str:
    """What to say of a topic with another number of partitions."""
    return f"topic {name} has {found} partitions, configured are {wanted}: another number is a rebuild"


def _create(admin: KafkaAdminClient, *, name: str, partitions: int, replication: int) -> None:
    try:
        admin.create_topics([NewTopic(name, partitions, replication, topic_configs=_CONFIGS)])
    except TopicAlreadyExistsError:
        # Another process was quicker; it is told by the same settings.
        return


def topic_ids(brokers: Sequence[str], topics: Collection[str]) -> dict[str, str]:
    """What tells each topic's log from another of the same name. TopicMissingError where there is none.

    The topic's UUID: a topic deleted and made again has another one, and so has the embedded broker's after a restart,
    since it makes its topics anew. Brokers older than 2.8 tell none; then it is the cluster's id and the topic's name.
    """
    shapes = topic_shapes(brokers, topics)
    if missing := sorted(set(topics) - set(shapes)):
        raise TopicMissingError(f"the broker has no topic {', '.join(missing)}")
    return {name: shapes[name].topic_id for name in topics}


def is_embedded(cluster: str) -> bool:
    """Whether a cluster of this id is a broker that `rapport up` starts."""
    return cluster.startswith("embedded-")


def topic_shapes(brokers: Sequence[str], topics: Collection[str]) -> dict[str, TopicShape]:
    """Id and number of partitions of the topics that exist."""
    with _admin(brokers) as admin:
        described = _described(admin, topics)
        cluster = (
            "" if all(topic["topic_id"] for topic in described.values()) else admin.describe_cluster()["cluster_id"]
        )
        return {
            name: TopicShape(str(topic["topic_id"] or f"{cluster}/{name}"), len(topic["partitions"]))
            for name, topic in described.items()
        }


def stamped_by_senders(brokers: Sequence[str], topics: Collection[str]) -> list[str]:
    """Which of the topics keep their senders' timestamps: others made them, and we do not change what is theirs."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    with _admin(brokers) as admin:
        answered = admin.describe_configs(wanted, config_filter="all").get("topic", {})
    return sorted(
        name
        for name, configs in answered.items()
        if any(configs.get(config, {}).get("value") != value for config, value in _CONFIGS.items())
    )


def log_bounds(brokers: Sequence[str], topics: Collection[str]) -> dict[tuple[str, int], Bounds]:
    """First and next offset of every partition of the topics that exist, as a reader of committed records sees them.

    The embedded broker tells too small an end (its last batch counts as one record), but one that grows with the log.
    """
    with _admin(brokers) as admin:
        described = _described(admin, topics)
        partitions = [
            TopicPartition(name, partition["partition_index"])
            for name, topic in described.items()
            for partition in topic["partitions"]
        ]
        first = _offsets(admin, partitions, OffsetSpec.EARLIEST)
        end = _offsets(admin, partitions, OffsetSpec.LATEST)
    return {key: Bounds(first[key], end[key]) for key in first}


def broker_hints(brokers: Sequence[str], *, group: str) -> dict[tuple[str, int], int]:
    """The next offsets the group last told the broker. A hint: an empty store beside hints has lost its data."""
    with _admin(brokers) as admin:
        try:
            told = admin.list_group_offsets({group: None})[group]
        except KafkaError as error:
            if not error.retriable:
                raise
            return {}  # nobody has made the broker keep offsets yet
    return {(tp.topic, tp.partition): known.offset for tp, known in told.items() if known.offset >= 0}


def _offsets(
    admin: KafkaAdminClient, partitions: Sequence[TopicPartition], spec: OffsetSpec
) -> dict[tuple[str, int], int]:
    answered = admin.list_partition_offsets(
        dict.fromkeys(partitions, spec), isolation_level=IsolationLevel.READ_COMMITTED
    )
    return {(tp.topic, tp.partition): known.offset for tp, known in answered.items()}


def _described(admin: KafkaAdminClient, topics: Collection[str]) -> dict[str, dict[str, Any]]:
    """The topics that exist, by name."""
    found = admin.describe_topics(list(topics)) if topics else []
    return {topic["name"]: topic for topic in found if topic["error_code"] == 0}


@contextmanager
def _admin(brokers: Sequence[str]) -> Iterator[KafkaAdminClient]:
    if not any(_listens(broker) for broker in brokers):
        raise BrokerSilentError(f"nobody listens at {', '.join(brokers)}")
    try:
        with closing(KafkaAdminClient(bootstrap_servers=list(brokers))) as admin:
            yield admin
    except KafkaError as error:
        raise BrokerSilentError(f"the broker did not do as asked: {error}") from error
