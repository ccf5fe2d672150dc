"""`rapport tour`, `show`, `suggest` and `consent` at a service that runs."""

import json
from pathlib import Path

import pytest

from tests.journeys.desks import Desk, until_answers_hold_for_a_minute

pytestmark = pytest.mark.servers


def test_the_tour_tells_its_story_as_often_as_asked(desk: Desk) -> None:
    until_answers_hold_for_a_minute()
    told = desk.rapport("tour")
    until_answers_hold_for_a_minute()
    again = desk.rapport("tour", "--json")

    assert told.returncode == 0, told.stderr
    assert told.stdout.index("general suggestions") < told.stdout.index("personal suggestions")
    assert "Asked about fees 2 times." in told.stdout
    assert "the same answer as in the beginning, to the byte" in " ".join(told.stdout.split())
    steps = {step["step"]: step for step in json.loads(again.stdout)}
    assert [steps[step]["mode"] for step in ("no consent", "given", "withdrawn")] == ["general", "personal", "general"]
    assert (steps["proven"]["because"], steps["proven"]["same_as_before"]) == ("withdrawn", True)


def test_a_person_is_shown_on_a_card(desk: Desk) -> None:
    card = desk.rapport("show", "app:ben").stdout

    assert "one person by 1 app, 1 phone" in card
    assert "phone about loan-status, waited 11 min, reached a human" in card
    assert json.loads(desk.rapport("show", "app:ben", "--json").stdout)["service"]["open_cases"][0]["id"] == "loan-ben"


def test_a_suggestion_is_told_with_its_reason(desk: Desk) -> None:
    told = desk.rapport("suggest", "app:dora", "--channel", "desk", "-k", "2", "--withheld")

    assert "1. Automatic repayment" in told.stdout
    assert "because: Contacted us about repayment 3 times. [3 facts]" in told.stdout
    assert "more, had more been asked for" in told.stdout
    assert json.loads(desk.rapport("suggest", "app:dora", "--json").stdout)["mode"] == "personal"


def test_consent_is_given_refused_and_withdrawn(desk: Desk) -> None:
    def allowed(*words: str) -> dict[str, bool]:
        answer = desk.rapport("consent", *words, "--json")
        assert answer.returncode == 0, answer.stderr
        return {purpose: found["allowed"] for purpose, found in json.loads(answer.stdout)["consents"].items()}

    both = ("profile.build", "suggest.personal")
    assert allowed("give", "app:yara", *both) == dict.fromkeys(both, True)
    assert allowed("withdraw", "app:yara", "suggest.personal") == {"suggest.personal": False}
    assert allowed("renew", "app:yara", "suggest.personal") == {"suggest.personal": True}
    assert allowed("refuse", "app:yara", "model.train") == {"model.train": False}
    shown = json.loads(desk.rapport("consent", "show", "app:yara", "--json").stdout)
    assert (shown["suggest.personal"]["allowed"], shown["model.train"]["because"]) == (True, "refused")
    assert "a no to model.train stands" in desk.rapport("consent", "show", "app:yara").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "anna"), "an identity is written namespace:value, as in app:42"),
        (("show", "phone:nobody"), "rapport: The identity cannot be read"),
        (("suggest", "app:1", "--channel", "no word"), "rapport: The request is not valid: channel is not"),
        (("tour", "app:stranger"), "rapport: app:stranger is not known here; `rapport demo load`"),
        (("consent", "give", "app:1", "everything"), "no such purpose: everything"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(desk: Desk, words: tuple[str, ...], said: str) -> None:
    answer = desk.rapport(*words)

    assert answer.returncode in {1, 2}
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_without_a_running_service_the_command_says_what_to_start(desk: Desk, tmp_path: Path) -> None:
    answer = desk.rapport("show", "app:1", "--data", str(tmp_path))

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"rapport: {tmp_path / 'ready.json'} is not there: start `rapport up`")


def test_the_people_of_the_stories_are_listed(desk: Desk) -> None:
    people = json.loads(desk.rapport("demo", "people", "--json").stdout)

    assert "app:jon" in desk.rapport("demo", "people").stdout
    assert len(people) == 414
