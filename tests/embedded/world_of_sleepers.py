"""A supervisor of processes that only wait, run by tests in a process of its own. usage: world_of_sleepers FOLDER"""

import sys
from pathlib import Path

from embedded.process import NotReady
from embedded.restart import RestartPolicy
from embedded.service import Service
from embedded.supervisor import Happening, ServiceLost, Supervisor

# Says its process id and waits for a signal; on SIGTERM it says so and ends.
SLEEPER = """
import os, pathlib, signal, sys
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
def end(*_):
    with (folder / "ended").open("a") as told:
        told.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(folder / "new").write_text(str(os.getpid()))
(folder / "new").rename(folder / name)
while True:
    signal.pause()
"""


def main() -> None:
    folder = Path(sys.argv[1])

    def sleeper(name: str, restart: RestartPolicy | None) -> Service:
        return Service(
            name=name,
            argv=[sys.executable, "-c", SLEEPER, name, str(folder)],
            ready=(folder / name).exists,
            restart=restart,
        )

    def tell(happening: Happening) -> None:
        with (folder / "told").open("a") as told:
            told.write(f"{happening.what} {happening.service}\n")

    forgiving = RestartPolicy(crashes_max=2, window_s=60, backoff_s=0.05)
    services = [
        Service(name="step", argv=[sys.executable, "-c", ""], finishes=True),
        sleeper("first", None),
        sleeper("second", forgiving),
    ]
    try:
        Supervisor(services, tell=tell).run(when_ready=(folder / "ready").touch)
    except (NotReady, ServiceLost) as lost:
        sys.exit(str(lost))


if __name__ == "__main__":
    main()
