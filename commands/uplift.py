"""`rapport uplift`: what suggestions bring, by standing control groups."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from commands.clock import now_ms
from commands.opened_history import history_of
from commands.options import DataFolderOption, StoreOption
from commands.output import JsonOption, console, emit, plain_table
from commands.settings import Settings, keyring_of, settings_of
from commands.train import held_now
from consent.purposes import ANALYTICS
from events.shape import format_time
from profiles.permitted import permitted_facts
from recommender.uplift import Experiment, load_experiment
from recommender.uplift_report import Interval, UpliftReport
from recommender.uplift_report import uplift as reported


class NoExperiment(Exception):
    """No experiment is set up, so there are no groups to compare."""


def uplift(
    *,
    experiment: Annotated[
        Path | None, typer.Option(help="the experiment (YAML); by default the one the API serves by")
    ] = None,
    redis: StoreOption = None,
    data: DataFolderOption = None,
    json: JsonOption = False,
) -> None:
    """Compare how often presented suggestions are accepted: served in full, by the model alone, and in general."""
    settings = settings_of(redis=redis, data=data, experiment=experiment)
    found = _reported(settings, experiment_of(settings))
    if json:
        emit(_document(found))
        return
    table = plain_table("group", "people", "presented", "accepted", "rate", "95 %")
    for arm in found.arms:
        if arm.rate is None or arm.interval is None:
            table.add_row(arm.arm, f"fewer than {found.least}", "", "", "", "")
            continue
        table.add_row(
            arm.arm, str(arm.people), str(arm.presented), str(arm.accepted), f"{arm.rate:.1%}", _told(arm.interval)
        )
    console.print(table)
    for lift in found.lifts:
        is_sure = lift.interval.low > 0 or lift.interval.high < 0
        word = "" if is_sure else "; that may be chance"
        console.print(f"full over {lift.over}: {lift.difference:+.1%} ({_told(lift.interval)}){word}", soft_wrap=True)
    if not found.lifts:
        console.print("no two groups are large enough to compare", soft_wrap=True)


def experiment_of(settings: Settings) -> Experiment:
    """The experiment of the installation; NoExperiment where there is none."""
    if settings.experiment is None:
        raise NoExperiment("no experiment is set up: name a file with RAPPORT_EXPERIMENT or --experiment")
    return load_experiment(settings.experiment)


def _reported(settings: Settings, experiment: Experiment) -> UpliftReport:
    history = history_of(settings)
    permitted = permitted_facts(
        history.facts,
        purpose=ANALYTICS,
        at=now_ms(),
        rules=settings.rules(),
        held=asyncio.run(held_now(settings, history, name="uplift")),
    )
    return reported(permitted, experiment=experiment, key=keyring_of(settings).decision_key)


def _document(found: UpliftReport) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(found)
    return {**told, "since": format_time(found.since)}


def _told(interval: Interval) -> str:
    return f"{interval.low:.1%} to {interval.high:.1%}"
