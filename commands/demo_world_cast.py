"""The people of the demo world whom the stories are about, by name."""

from commands.demo_world_crowd import PersonTruth
from commands.demo_world_diary import DAY, HOUR, MINUTE, PART, WHOLE, Bought, Diary

FORMULA = Bought("baby-formula", "baby", 1899)
GROCERIES = (Bought("bread", "bakery", 380), Bought("milk", "dairy", 139))
YEARS = 700 * DAY


def cast(diary: Diary) -> list[PersonTruth]:
    """Write what happened to the people of the stories, and answer who they are."""
    return [
        *_supermarket(diary),
        _bank(diary),
        *_manufacturer(diary),
        _hidden_need(diary),
        _complainant(diary),
        *_stages(diary),
        _many_identities(diary),
        _undecided(diary),
        _leaver(diary),
    ]


def _supermarket(diary: Diary) -> list[PersonTruth]:
    """Baby formula three times in a week, some by app and some by card; with and without sensitive consent."""
    people = []
    told = (
        ("app:anna", "card:anna-1", WHOLE, "diapers are suggested, with the reason"),
        ("app:antje", "card:antje-1", PART, "the same purchases, and no word of a baby: data.sensitive is not given"),
    )
    for who, card, purposes, about in told:
        diary.consents(who, purposes, ago=YEARS)
        diary.consents(card, purposes, ago=YEARS)
        diary.linked(who, card, ago=YEARS - HOUR)
        diary.order(who, GROCERIES, ago=40 * DAY, channel="app")
        for ago, subject, channel in ((6 * DAY, who, "app"), (4 * DAY, card, "store"), (5 * HOUR, who, "app")):
            diary.order(subject, (FORMULA,), ago=ago, channel=channel)
        consent = "whole" if purposes is WHOLE else "part"
        people.append(
            _truth(who, card, segment="young family", consent=consent, wants=("diapers",), story=1, about=about)
        )
    return people


def _bank(diary: Diary) -> PersonTruth:
    """Asks where the loan is; one complaint about it has waited for more than a day."""
    who, phone = "app:ben", "phone:+49 30 5550102"
    diary.consents(who, WHOLE, ago=YEARS)
    diary.linked(who, phone, ago=YEARS - HOUR)
    diary.tell(who, "service.case_opened", ago=12 * DAY, case_id="loan-ben", topics=["loan"], about="loan-3")
    diary.tell(who, "service.case_replied", ago=11 * DAY, case_id="loan-ben", by="us", team="lending")
    for ago, subject, wait_s in ((5, phone, 420), (3, who, 95), (2, phone, 660)):
        diary.contact(subject, ["loan-status"], ago=ago * DAY, wait_s=wait_s)
    diary.complaint(phone, "loan", ago=25 * HOUR)
    about = "the brief holds the loan, the waits and the contacts; his complaint has waited for a day"
    return _truth(who, phone, segment="bank", wants=("loan-status-callback",), story=2, about=about)


def _manufacturer(diary: Diary) -> list[PersonTruth]:
    """A press whose owner's contact is Carla runs hot; an older one has failed again and again."""
    who, company, hot, old = "app:carla", "company:acme", "machine:press-7", "machine:press-3"
    for subject in (who, company, hot, old):
        diary.consents(subject, WHOLE, ago=YEARS)
    diary.tell(who, "identity.related", ago=YEARS - HOUR, other=company, kind="contact_of")
    for machine in (hot, old):
        diary.tell(company, "identity.related", ago=YEARS - HOUR, other=machine, kind="owns")
    alert = {"kind": "temperature", "component": "bearing-2"}
    for ago in (120, 70, 20):
        diary.tell(old, "service.alert_raised", ago=ago * DAY, alert_id=f"press-3-{ago}", severity="warning", **alert)
    diary.tell(hot, "service.alert_raised", ago=2 * HOUR, alert_id="press-7-hot", severity="critical", **alert)
    diary.order(who, (Bought("bearing-6204", "spare-parts", 18900),), ago=60 * DAY, channel="web")
    return [
        _truth(who, segment="industry", story=3, about="hears that machine:press-7 wants an engineer"),
        _truth(hot, segment="machine", wants=("engineer-visit",), story=3, about="a part runs hot: a visit first"),
        _truth(old, segment="machine", wants=("machine-upgrade",), story=3, about="three alerts: an upgrade"),
    ]


def _hidden_need(diary: Diary) -> PersonTruth:
    who = "app:dora"
    diary.consents(who, WHOLE, ago=YEARS)
    for ago in (40, 25, 9):
        diary.contact(who, ["repayment"], ago=ago * DAY, wait_s=240)
    diary.contact(who, ["cancel-card"], ago=20 * HOUR, wait_s=180)
    about = "asks to cancel the card; what she needs is automatic repayment"
    return _truth(who, segment="bank", wants=("auto-repayment",), story=4, about=about)


def _complainant(diary: Diary) -> PersonTruth:
    who = "app:emil"
    diary.consents(who, WHOLE, ago=YEARS)
    for number in range(14):
        wine = Bought("turbot", "fish", 24000 + number * 500)
        diary.order(who, (wine, *GROCERIES), ago=(number * 17 + 4) * DAY, channel="store", branch="berlin-mitte")
    diary.complaint(who, "quality", ago=10 * HOUR, answered=9 * HOUR)
    about = "worth much, and complaining: nothing is sold to him until it is solved"
    return _truth(who, segment="gourmet", story=5, about=about)


def _stages(diary: Diary) -> list[PersonTruth]:
    """A newcomer, a customer who went quiet, and a promoter."""
    for who in ("app:fay", "app:gus", "app:hana"):
        diary.consents(who, WHOLE, ago=YEARS if who != "app:fay" else 3 * DAY + HOUR)
    diary.order("app:fay", GROCERIES, ago=3 * DAY, channel="app")
    for ago in (380, 300, 240, 190, 140):
        diary.order("app:gus", GROCERIES, ago=ago * DAY, channel="app")
    for ago in (200, 130, 60, 12):
        diary.order("app:hana", GROCERIES, ago=ago * DAY, channel="store", branch="hamburg-1")
    diary.survey("app:hana", "nps", 10, ago=9 * DAY)
    return [
        _truth("app:fay", segment="new", wants=("guided-start",), story=6, about="new: a guided start"),
        _truth("app:gus", segment="lapsing", wants=("win-back-voucher",), story=6, about="went quiet: a win-back"),
        _truth("app:hana", segment="promoter", wants=("referral",), story=6, about="promotes us: a referral"),
    ]


def _many_identities(diary: Diary) -> PersonTruth:
    """The same person by app, phone and branch: what is known of each is known on every channel."""
    who, phone, branch = "app:iris", "phone:+49 30 5550177", "customer:iris-77"
    for subject in (who, phone, branch):
        diary.consents(subject, WHOLE, ago=YEARS)
    diary.linked(who, phone, branch, ago=YEARS - HOUR)
    diary.order(who, GROCERIES, ago=30 * DAY, channel="app")
    diary.contact(phone, ["fees"], ago=6 * DAY, wait_s=75)
    diary.order(branch, (Bought("comte-36", "cheese", 1290),), ago=5 * DAY, channel="store", branch="koeln-2")
    about = "one profile and one answer by app, phone and branch"
    return _truth(who, phone, branch, segment="gourmet", wants=("fee-explanation",), story=7, about=about)


def _undecided(diary: Diary) -> PersonTruth:
    """Never asked for consent; the tour asks."""
    who = "app:jon"
    for ago in (33, 21, 8):
        diary.order(who, (Bought("coffee-beans", "coffee", 1490),), ago=ago * DAY, channel="app")
    for ago in (12, 5):
        diary.contact(who, ["fees"], ago=ago * DAY + 20 * MINUTE, wait_s=310)
    about = "never asked: general suggestions, until he says yes; `rapport tour` walks him through it"
    return _truth(who, segment="commuter", consent="none", wants=("fee-explanation",), story=8, about=about)


def _leaver(diary: Diary) -> PersonTruth:
    who = "app:kim"
    diary.consents(who, WHOLE, ago=YEARS)
    for ago in (90, 45):
        diary.order(who, GROCERIES, ago=ago * DAY, channel="app")
    diary.subscribed(who, "recipe-box", ago=30 * DAY)
    return _truth(who, segment="gourmet", took=("recipe-box",), story=9, about="will ask to be forgotten")


def _truth(
    *identities: str,
    segment: str,
    story: int,
    about: str,
    consent: str = "whole",
    wants: tuple[str, ...] = (),
    took: tuple[str, ...] = (),
) -> PersonTruth:
    return PersonTruth(
        identities=identities,
        segment=segment,
        consent=consent,
        wants=wants,
        took=took,
        story=story,
        about=about,
    )
