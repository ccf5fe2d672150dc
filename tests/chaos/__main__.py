"""`python -m tests.chaos`: process chaos on real servers, with a report of every hit and a comparison at the end."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos import prompt, withdrawals
from tests.chaos.olist import run_olist
from tests.chaos.plan import OTHERS, Fault
from tests.chaos.run import Order, run, write


def main() -> int:
    """0 when nothing was lost or double and nothing grew; 1 otherwise."""
    other = {"withdrawals": withdrawals.main, "prompt": prompt.main}.get(" ".join(sys.argv[1:2]))
    if other is not None:
        return other(sys.argv[2:])
    given = _parser().parse_args()
    order = Order(
        seed=given.seed,
        broker=given.broker,
        kills=given.kills,
        workers=given.workers,
        events=given.events,
        every=given.every,
        others=given.faults,
        minutes=given.soak,
        kill_every_s=given.kill_every,
        rate=given.rate or (400.0 if given.soak else 0.0),
    )
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        report = run_olist(order, folder=folder, olist=given.olist) if given.olist else run(order, folder=folder)
    finally:
        if not given.keep:
            shutil.rmtree(folder)
    sys.stdout.write(report.text() + "\n")
    if given.report:
        write(report, given.report)
    return 0 if report.verdict.is_exact and report.is_flat else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=", description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="counted kill -9 of workers (default: %(default)s)")
    parser.add_argument(
        "--broker", default="embedded", help="embedded, apache, or host:port of an Apache Kafka that runs"
    )
    parser.add_argument("--workers", type=int, default=2, help="workers of the profiles (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the load and the plan (default: %(default)s)")
    parser.add_argument("--events", type=int, default=0, help="records to send at least")
    parser.add_argument("--every", type=int, default=3, help="kills between two other faults (default: %(default)s)")
    parser.add_argument("--faults", type=_faults, default=OTHERS, metavar="A,B", help=f"of: {', '.join(OTHERS)}")
    parser.add_argument("--rate", type=float, default=0.0, help="records/s at most; a soak's is 400")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES", help="load with a kill now and then")
    parser.add_argument("--kill-every", type=float, default=60.0, metavar="SECONDS", help="in a soak")
    parser.add_argument("--olist", type=Path, metavar="FOLDER", help="the Olist files as load: ten kills, three faults")
    parser.add_argument("--keep", action="store_true", help="leave the folder with logs, store and history behind")
    parser.add_argument("--report", type=Path, help="write the report there as JSON")
    return parser


def _faults(text: str) -> list[Fault]:
    chosen = [fault for fault in OTHERS if fault in text.split(",")]
    if len(chosen) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f"one of these is not known: {text}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
