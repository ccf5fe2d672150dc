"""A worker that really runs tells a no to other systems, and lets its hold go."""

import asyncio
import json
from pathlib import Path

import pytest

from consent.holds import HoldName
from consent.telling import telling_id
from events.admission import event_key
from tests.builders import event, pseudonym
from tests.installation import PARTITIONS, installation_in
from tests.leaving.reading import distinct_records
from tests.waiting import until

pytestmark = pytest.mark.servers


def test_a_folded_no_stands_on_the_consent_topic(tmp_path: Path) -> None:
    no = event("consent.withdrawn", event_id="no-1", purpose="outreach.email")
    with installation_in(tmp_path) as made, made.worker():
        asyncio.run(made.append([no]))
        until(lambda: made.facet("app:42").consents, what="the no in the profile")
        topic = made.settings.consent_topic
        [(key, value)] = distinct_records(made.settings.kafka, topic, partitions=PARTITIONS, count=1)
        identity = made.pseudonyms.of("app:42")

    assert key == identity.encode()
    assert json.loads(value)["id"] == telling_id(HoldName(identity, "outreach.email", event_key("crm", "no-1")))
    assert pseudonym("app:42") != identity
