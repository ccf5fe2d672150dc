"""Failures a person can act on, and how they are said."""

from api.key_file import KeysUnreadable
from commands.client import ApiUnusable
from commands.dead_letters import LetterUnknown, NoKept, ReplayUnfinished
from commands.demo import DemoNotLoaded
from commands.evaluate_table import TableUnusable
from commands.explain import DecisionUnknown
from commands.lease import LayoutLeft
from commands.ledger import LedgerMissing
from commands.logs import LogNotFollowed
from commands.rebuild_fold import RebuildRefused
from commands.rights_rectifying import NotRectified
from commands.settings import SettingsInvalid
from commands.tour import TourBroken
from commands.train_input import HistoryBehind
from commands.up import NotStarted, PortTaken
from commands.uplift import NoExperiment
from consent.accesses import AccessesUnavailable
from consent.consent_record import ControllerInvalid
from consent.dossier import DossierRefused
from consent.evidence import EvidenceUnavailable
from consent.holds import ConsentStoreUnavailable
from consent.ledger_entry import LedgerError
from consent.ledger_note import NoteInvalid
from consent.ledger_proof import ProofUnreadable
from consent.rights_requests import RightsUnavailable
from consent.vault import VaultUnavailable
from consent.versioned_data import DataInvalid
from embedded.process import NotReady
from embedded.supervisor import ServiceLost
from embedded.wheels import ProgramMissing
from events.body_keys import BodyKeysUnavailable, BodyKeyUnknown
from events.epochs import EpochsUnreadable
from events.log import LogError
from events.segments import HistoryDamaged
from outreach.triggers import TriggersInvalid
from profiles.store import ProfileStoreError
from recommender.artifact import ArtifactInvalid
from recommender.catalogue import CatalogueInvalid
from recommender.decisions import DecisionsUnavailable
from recommender.uplift import ExperimentInvalid
from streams.admin import BrokerSilentError, TopicDiffersError, TopicMissingError
from streams.dead_letters import ContentsNotKept
from streams.folding import Unfoldable
from streams.patience import Away
from streams.producer import DeliveryFailed

_SAYABLE = (
    AccessesUnavailable,
    ApiUnusable,
    ArtifactInvalid,
    Away,
    BodyKeyUnknown,
    BodyKeysUnavailable,
    BrokerSilentError,
    CatalogueInvalid,
    ConsentStoreUnavailable,
    ContentsNotKept,
    ControllerInvalid,
    DataInvalid,
    DecisionUnknown,
    DecisionsUnavailable,
    DeliveryFailed,
    DemoNotLoaded,
    DossierRefused,
    EpochsUnreadable,
    EvidenceUnavailable,
    ExperimentInvalid,
    HistoryBehind,
    HistoryDamaged,
    KeysUnreadable,
    LayoutLeft,
    LedgerError,
    LedgerMissing,
    LetterUnknown,
    LogError,
    LogNotFollowed,
    NoExperiment,
    NoKept,
    NotReady,
    NotRectified,
    NotStarted,
    NoteInvalid,
    PortTaken,
    ProfileStoreError,
    ProgramMissing,
    ProofUnreadable,
    RebuildRefused,
    RightsUnavailable,
    ReplayUnfinished,
    ServiceLost,
    SettingsInvalid,
    TableUnusable,
    TopicDiffersError,
    TopicMissingError,
    TourBroken,
    TriggersInvalid,
    Unfoldable,
    VaultUnavailable,
)


def explain(error: Exception) -> str | None:
    """One sentence for a failure of the surroundings or of the settings; None for a defect of ours."""
    return str(error) if isinstance(error, _SAYABLE) else None
