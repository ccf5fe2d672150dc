"""The message on `rapport.outreach`: what to say, by which channel, why, and until when. It names nobody."""

from typing import Any, Final

from consent.tokens import Links
from events.shape import format_time
from outreach.decision import Decision
from outreach.triggers import DESK, Trigger
from recommender.canonical import canonical_json
from recommender.catalogue import Service, Words

EMAIL: Final = "email"


def message_of(decision: Decision, *, trigger: Trigger, service: Service, links: Links) -> bytes:
    """Canonical JSON, the same bytes for the same decision. The record's key is the pseudonym it is for.

    The sender claims `id` immediately before sending and keeps to the answer. `leave` is how the person says no to
    this channel: a link for the text, and for e-mail the headers to be sent as they are.
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
            "leave": _leave(decision, links),
            "valid_until": format_time(decision.valid_until),
        }
    )


def _leave(decision: Decision, links: Links) -> dict[str, Any] | None:
    """None for a task of our own staff."""
    if decision.channel is None or decision.channel == DESK:
        return None
    url = links.leave(decision.identity, f"outreach.{decision.channel}", now=decision.at)
    if decision.channel != EMAIL:
        return {"url": url}
    headers = {"List-Unsubscribe": f"<{url}>"}
    if links.is_private:
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return {"url": url, "headers": headers}


def _words(words: Words) -> dict[str, Any]:
    return {"en": words.en, "zh": words.zh}


def _filled(words: Words, count: int) -> dict[str, Any]:
    return {name: text.replace("{count}", str(count)) for name, text in _words(words).items()}
