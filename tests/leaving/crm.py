"""A CRM's export as companies have them, and the mapping that reads it."""

from typing import Any, Final

import yaml

MAPPING: Final = """
source: crm
delimiter: ";"
times: {format: "%d.%m.%Y", zone: Europe/Berlin}
acts:
  - namespace: email
    identity: {column: E-Mail}
    purpose: {value: outreach.email}
    act: {column: Newsletter, values: {yes: given, no: refused, "": skip}}
    at: {column: Newsletter since}
    channel: {value: crm-import}
    notice: {value: messages/1}
    evidence: {column: Proof, values: {double opt-in: signed, paper: signed, "": none}}
  - namespace: phone
    identity: {column: Phone}
    purpose: {value: outreach.phone}
    act: {column: Calls, values: {"1": given, "0": withdrawn, "": skip}}
    at: {column: Calls since, default: "2018-05-25T00:00:00Z"}
"""

HEAD: Final = "E-Mail;Newsletter;Newsletter since;Proof;Phone;Calls;Calls since"
ROWS: Final = (
    "Anna@Example.test;yes;01.03.2024;double opt-in;;;",
    "bo@example.test;no;02.03.2024;;030 1234567;1;05.03.2024",
    "cy@example.test;yes;03.03.2024;;;;",
    "not an address;yes;04.03.2024;paper;;;",
    "di@example.test;yes;31.02.2024;paper;030 7654321;0;",
    "ed@example.test;maybe;05.03.2024;paper;;;",
    "fay@example.test;;;;;;",
    "gus@example.test;yes",
)


def mapping(**changed: Any) -> dict[str, Any]:
    """The mapping as data, with other members in some places."""
    found: dict[str, Any] = yaml.load(MAPPING, Loader=yaml.BaseLoader)  # noqa: S506 - strings only
    return {**found, **changed}


def export(*rows: str, head: str = HEAD) -> str:
    """The file."""
    return "\n".join((head, *(rows or ROWS))) + "\n"
