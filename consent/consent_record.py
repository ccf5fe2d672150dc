"""A consent act as a record of ISO/IEC TS 27560, in JSON-LD with the terms of the W3C Data Privacy Vocabulary.

What an act does not say, and the controller did not state, is left out and named, never made up.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, StringConstraints

from consent.evidence import Evidence
from consent.purposes import PURPOSES
from consent.rules import Rules
from events.acts import ConsentAct, Granting
from events.data_files import DataFiles
from events.shape import Shape, format_time

CONTEXT: Final[Mapping[str, str]] = {
    "dpv": "https://w3id.org/dpv#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rapport": "urn:rapport:",
}
SCHEMA: Final = "https://w3id.org/dpv/schema/dpv-27560#record"

STATES: Final[Mapping[str, str]] = {
    "consent.requested": "dpv:ConsentRequested",
    "consent.deferred": "dpv:ConsentRequestDeferred",
    "consent.given": "dpv:ConsentGiven",
    "consent.renewed": "dpv:RenewedConsentGiven",
    "consent.refused": "dpv:ConsentRefused",
    "consent.withdrawn": "dpv:ConsentWithdrawn",
    "consent.revoked": "dpv:ConsentRevoked",
    "consent.invalidated": "dpv:ConsentInvalidated",
}
"""Event type -> the state of consent it indicates."""

FORMS: Final[Mapping[str, str]] = {
    "implied": "dpv:ImpliedConsent",
    "expressed": "dpv:ExpressedConsent",
    "explicit": "dpv:ExplicitlyExpressedConsent",
    "separate": "dpv:ExplicitlyExpressedConsent",
    "written": "dpv:ExplicitlyExpressedConsent",
}
"""How clearly somebody agreed -> the type of consent."""

DECIDERS: Final[Mapping[str, str]] = {
    "subject": "dpv:DataSubject",
    "guardian": "dpv:GuardianOfDataSubject",
    "controller": "dpv:DataController",
    "authority": "dpv:Authority",
}
"""Who decided -> the entity."""

BASES: Final[Mapping[str, str]] = {
    "consent": "dpv:Consent",
    "switch": "dpv:Consent",
    "legitimate_interest": "dpv:LegitimateInterest",
    "contract": "dpv:Contract",
    "legal_obligation": "dpv:LegalObligation",
}
"""What the purpose rested on where and when the act was done -> the legal basis."""

MANDATORY: Final[Mapping[str, str]] = {
    "schema version": "dct:conformsTo",
    "record id": "dct:identifier",
    "pii principal id": "dpv:hasDataSubject",
    "pii controllers": "dpv:hasDataController",
    "jurisdiction": "dpv:hasJurisdiction",
    "privacy notice": "dpv:hasNotice",
    "language": "dct:language",
    "purpose": "dpv:hasPurpose",
    "pii type": "dpv:hasPersonalData",
    "recipient third parties": "dpv:hasRecipient",
    "retention period and storage locations": "dpv:hasStorageCondition",
    "withdrawal method": "dpv:hasConsentControl",
    "event type and state": "dpv:hasConsentStatus",
    "event time": "dpv:isIndicatedAtTime",
    "validity duration": "dpv:hasDuration",
    "entity id": "dpv:isIndicatedBy",
}
"""Field that TS 27560 demands (as the W3C guide of 2024 lists them) -> the term it stands under."""

Words = Annotated[str, StringConstraints(min_length=1, max_length=500)]
CONTROLLER_BYTES_MAX: Final = 64 * 1024


class ControllerInvalid(ValueError):
    """The file about the controller cannot be used; the text says why."""


_FILES: Final = DataFiles(bytes_max=CONTROLLER_BYTES_MAX, invalid=ControllerInvalid)


class Controller(Shape):
    """Who answers for the processing, and what a record says of it that no act says. Anything may be left out."""

    name: Words | None = None
    contact: Words | None = None
    address: Words | None = None
    jurisdiction: Words | None = None
    withdrawal: Words | None = None
    recipients: Annotated[tuple[Words, ...], Field(max_length=64)] = ()
    storage_locations: Annotated[tuple[Words, ...], Field(max_length=64)] = ()
    retention: Words | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """The controller in a YAML file; ControllerInvalid otherwise."""
        name = str(path)
        return _FILES.shaped(cls, _FILES.parse(_FILES.read(path), name=name) or {}, name=name)


def consent_record(piece: Evidence, *, controller: Controller, rules: Rules) -> dict[str, Any]:
    """The record of an act; TypeError for evidence that is none. The subject is a pseudonym, as everywhere."""
    fact, act = piece.fact, piece.fact.body
    if not isinstance(act, ConsentAct):
        raise TypeError(f"{fact.type} is no act of consent")
    jurisdiction = act.jurisdiction or controller.jurisdiction
    told = {
        "@id": f"rapport:act:{piece.position}",
        "@type": "dpv:ConsentRecord",
        "dct:identifier": str(piece.position),
        "dct:conformsTo": SCHEMA,
        "dpv:hasDataSubject": {"@id": f"rapport:subject:{fact.identity}"},
        "dpv:hasDataController": _controller(controller),
        "dpv:hasJurisdiction": jurisdiction,
        "dpv:hasLegalBasis": _basis(piece, act, rules, jurisdiction),
        "dpv:hasNotice": _notice(act, rules),
        "dpv:hasProcess": _process(act, controller),
        "dpv:hasConsentControl": _control(controller),
        "dpv:hasConsentStatus": _status(piece, act),
        "rapport:event": fact.event_key.hex(),
        "rapport:act": act.act_id,
        "rapport:evidence": act.evidence,
        "rapport:source": fact.source,
        "rapport:recordedAt": format_time(fact.received_at),
    }
    return _stated(told)


def not_stated(record: Mapping[str, Any]) -> frozenset[str]:
    """The mandatory fields that a record leaves out."""
    terms = set(_terms(record))
    return frozenset(field for field, term in MANDATORY.items() if term not in terms)


def _status(piece: Evidence, act: ConsentAct) -> dict[str, Any]:
    types = [STATES[piece.fact.type]]
    duration: dict[str, Any] | None = None
    if isinstance(act, Granting):
        types.append(FORMS[act.form])
        until = act.expires_at
        duration = (
            {"@type": "dpv:UntilTimeDuration", "rdf:value": format_time(until)}
            if until
            else {"@type": "dpv:UntilEventDuration", "rdf:value": "withdrawal, or a notice that changes what it means"}
        )
    status = {
        "@type": types,
        "rapport:form": act.form if isinstance(act, Granting) else None,
        "dpv:isIndicatedAtTime": format_time(piece.fact.effective_at),
        "dpv:isIndicatedBy": DECIDERS[act.by],
        "rapport:recordedBy": act.agent,
        "dpv:hasIndicationMethod": act.method or act.channel,
        # What is no yes stands until there is one.
        "dpv:hasDuration": duration or {"@type": "dpv:UntilEventDuration", "rdf:value": "a later yes"},
    }
    return _stated(status)


def _process(act: ConsentAct, controller: Controller) -> dict[str, Any]:
    places = {"@type": "dpv:StorageLocation", "dpv:hasLocation": list(controller.storage_locations)}
    kept = {"@type": "dpv:StorageDuration", "dpv:hasDuration": controller.retention}
    stored = [places] * bool(controller.storage_locations) + [kept] * bool(controller.retention)
    known = PURPOSES.get(act.purpose)
    process = {
        "@type": "dpv:Process",
        "dpv:hasPurpose": _stated(
            {"@id": f"rapport:purpose:{act.purpose}", "skos:broader": None if known is None else known.dpv}
        ),
        "dpv:hasPersonalData": list(() if known is None else known.data),
        "dpv:hasRecipient": list(controller.recipients),
        "dpv:hasStorageCondition": stored if len(stored) == 2 else None,
    }
    return _stated(process)


def _basis(piece: Evidence, act: ConsentAct, rules: Rules, jurisdiction: str | None) -> str | None:
    if act.purpose not in PURPOSES:
        return None
    at, known_at = piece.fact.effective_at, piece.fact.received_at
    ground = rules.matrix.ground(act.purpose, jurisdiction, at=at, known_at=known_at)
    return None if ground is None else BASES[ground.basis]


def _controller(controller: Controller) -> dict[str, Any] | None:
    said = {"dct:title": controller.name, "dpv:hasContact": controller.contact, "dpv:hasAddress": controller.address}
    return {"@type": "dpv:DataController", **_stated(said)} if _stated(said) else None


def _control(controller: Controller) -> dict[str, Any] | None:
    if controller.withdrawal is None:
        return None
    return {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": controller.withdrawal}


def _notice(act: ConsentAct, rules: Rules) -> dict[str, Any] | None:
    if act.notice is None:
        return None
    known = rules.notices.by_ref(act.notice)
    said = {
        "@type": "dpv:ConsentNotice",
        "dct:identifier": act.notice,
        "dct:language": act.language,
        "rapport:sha256": act.notice_hash or (None if known is None else known.hash),
    }
    return _stated(said)


def _stated(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def _terms(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [*value, *(term for each in value.values() for term in _terms(each))]
    return [term for each in value for term in _terms(each)] if isinstance(value, list) else []
