"""The how-to on evaluating one's own data shows commands that there are, and what they say."""

import contextlib
import random
import re
import shlex
from pathlib import Path
from typing import Final

import pytest
import typer
from typer.testing import CliRunner

from commands.evaluate import evaluate
from tests.servers import ROOT

PAGE: Final = (ROOT / "docs" / "how-to" / "evaluate-your-data.md").read_text(encoding="utf-8")
LINES: Final = [
    line.strip() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.strip().splitlines()
]
PEOPLE: Final = 45


def files(folder: Path) -> None:
    """The files that the page speaks of; purchases are named in both of its ways."""
    chance = random.Random(4)
    bought = []
    for person in range(PEOPLE):
        for _ in range(8):
            service, month = f"s{person % 3}-{chance.randrange(4)}", chance.randint(1, 12)
            bought.append(f"p{person},{service},2025-{month:02d}-01,1,p{person},{service},2025-{month:02d}-01,2")
    held = [
        f"2015-{month:02d}-28,{n},{int(n % 3 < month)},{n % 2},{int(month > 1)}"
        for month in (1, 2, 3)
        for n in range(PEOPLE)
    ]
    tables = {
        "purchases.csv": ["customer_id,product,date,quantity,shopper,department,bought_on,pieces", *bought],
        "customers.csv": ["customer_id,plan", *(f"p{n},{n % 3}" for n in range(PEOPLE))],
        "products.csv": ["product,kind", *(f"s{n}-{k},kind {n}" for n in range(3) for k in range(4))],
        "offers.csv": ["customer_id,product", *(f"p{n},s{n % 3}-{k}" for n in range(PEOPLE) for k in range(4))],
        "holdings.csv": ["fecha_dato,ncodpers,ind_a,ind_b,ind_c", *held],
    }
    for name, lines in tables.items():
        (folder / name).write_text("\n".join(lines) + "\n")


@pytest.mark.thorough
def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    files(tmp_path)
    app = typer.Typer()
    app.command()(evaluate)
    said = []
    with contextlib.chdir(tmp_path):
        for line in LINES:
            program, word, *rest = shlex.split(line)
            done = CliRunner().invoke(app, rest)
            assert (program, word, done.exit_code) == ("rapport", "evaluate", 0), (line, done.output, done.exception)
            said.append(done.output)

    assert all("served" in each for each in said)
    assert any("person from 'shopper', service from 'department', time from 'bought_on'" in each for each in said)
    #   a and c are had by everybody in the end, b by the odd ones; a month later nothing is taken again
    assert any("112 rows of 45 people and 3 services" in each and "services from 'ind_a' to" in each for each in said)
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_every_option_of_the_page_is_one() -> None:
    app = typer.Typer()
    app.command()(evaluate)
    told = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).output

    assert not [option for option in re.findall(r"--[a-z][a-z-]*", PAGE) if option not in told]
