"""The message on `rapport.outreach`: what to say, by which channel, why, and until when. It names nobody."""

from typing import Any

from events.shape import format_time
from outreach.decision import Decision
from outreach.triggers import Trigger
from recommender.canonical import canonical_json
from recommender.catalogue import Service, Words


def message_of(decision: Decision, *, trigger: Trigger, service: Service) -> bytes:
    """Canonical JSON, the same bytes for the same decision. The record's key is the pseudonym it is for.

    The sender claims `id` immediately before sending and keeps to the answer.
    """
    say = trigger.say or service.say
    return canonical_json(
        {
            "id": decision.id,
            "trigger": decision.trigger,
            "channel": decision.channel,
            "service": service.id,
            "name": _words(service.name),
            "say": _words(say) if service.sayable else None,
            "reason": {
                "text": _filled(trigger.reason, decision.count),
                "evidence": list(decision.evidence),
                "sensitive": decision.sensitive,
                "sayable": not decision.sensitive,
            },
            "consent": {"basis": decision.basis, "evidence": list(decision.grounds)},
            "valid_until": format_time(decision.valid_until),
        }
    )


def _words(words: Words) -> dict[str, Any]:
    return {"en": words.en, "zh": words.zh}


def _filled(words: Words, count: int) -> dict[str, Any]:
    return {name: text.replace("{count}", str(count)) for name, text in _words(words).items()}
