"""What installations on one cluster must not share, and where a setting comes from."""

from pathlib import Path

import pytest

from commands.running import tell_running
from commands.settings import SettingsInvalid, settings_of


def test_two_installations_on_one_cluster_share_no_topic_and_no_group() -> None:
    one, other = settings_of(topic_prefix="north"), settings_of(topic_prefix="south")
    assert set(one.topics).isdisjoint(other.topics)
    assert one.group("profiles") != other.group("profiles")
    assert {name.split(".")[0] for name in one.topics} == {"north"}


def test_the_topics_are_those_the_references_name_unless_a_prefix_is_given(tmp_path: Path) -> None:
    settings = settings_of(data=tmp_path, topic_prefix="rapport")
    assert (settings.events_topic, settings.decisions_topic, settings.outreach_topic) == (
        "rapport.events",
        "rapport.decisions",
        "rapport.outreach",
    )
    assert (settings.intake_topic(), settings.intake_topic("crm")) == ("rapport.intake", "rapport.intake.crm")
    assert settings.group("history") == "rapport-history"


def test_every_bound_source_has_an_intake_of_its_own(tmp_path: Path) -> None:
    settings = settings_of(data=tmp_path, topic_prefix="rapport", bound_sources=("crm",))
    assert settings.intakes == {"rapport.intake": None, "rapport.intake.crm": "crm"}
    assert set(settings.topics_read) == {*settings.intakes, "rapport.events"}


@pytest.mark.parametrize("prefix", ["", "a b", "käse", "a/b", "x" * 101])
def test_a_prefix_that_no_topic_can_begin_with_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsInvalid, match="RAPPORT_TOPIC_PREFIX: String should match"):
        settings_of(topic_prefix=prefix)


def test_other_commands_find_the_prefix_of_the_run_on_their_data_folder(tmp_path: Path) -> None:
    tell_running(settings_of(data=tmp_path, topic_prefix="north"))
    assert settings_of(data=tmp_path).events_topic == "north.events"
