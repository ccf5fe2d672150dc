"""What the HTTP process needs of the rooms below it: handed in, so that tests run it over memory."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from api.auth import ApiKeys
from api.metrics import Lag, Metrics
from api.refs import Refs
from api.waiting import Freshness
from consent.accesses import AccessLog
from consent.evidence_index import EvidenceIndex
from consent.notices import Notices
from consent.recording import Recorder
from consent.rights_requests import RightsRequests
from consent.telling import Confirmations
from consent.tokens import Links
from events.admission import Admission
from events.log import EventLog
from outreach.claiming import Claims
from outreach.records import OutreachRecords
from profiles.person import PersonReader
from recommender.catalogue import Catalogue
from recommender.decisions import Decisions
from recommender.model_store import ServedModel
from recommender.receipts import Receipts

Probe = Callable[[], Awaitable[str | None]]
"""Asks something the service rests on; the reason it cannot be relied on, or None."""


Lags = Callable[[], Awaitable[Mapping[str, Sequence[Lag]]]]
"""Asks how far behind the workers of each app are, by partition."""


Holding = Callable[[], Awaitable[int | None]]
"""Asks how many withdrawals wait to be folded, None where nobody knows."""


async def nobody_counts() -> int | None:
    """It is not known how many wait."""
    return None


async def nobody_measures() -> Mapping[str, Sequence[Lag]]:
    """No lag is known."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the routes use.

    `clock` gives ms since 1970; `suppression_key` keys the hashes of the erased. `probes` are asked for readiness, by
    name. `timeout_s` bounds every request.
    """

    admission: Admission
    log: EventLog
    freshness: Freshness
    persons: PersonReader
    recorder: Recorder
    receipts: Receipts
    decisions: Decisions
    outreach: OutreachRecords
    claims: Claims
    model: ServedModel
    catalogue: Catalogue
    keys: ApiKeys
    refs: Refs
    evidence: EvidenceIndex
    accesses: AccessLog
    rights: RightsRequests
    confirmations: Confirmations
    links: Links
    notices: Notices
    clock: Callable[[], int]
    suppression_key: bytes = field(repr=False)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    lags: Lags = nobody_measures
    holding: Holding = nobody_counts
    timeout_s: float = 5.0
