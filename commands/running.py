"""What a `rapport up` tells other commands that work on the same data folder."""

from pathlib import Path

from commands.settings import RUNNING_FILE, Settings


def tell_running(settings: Settings) -> Path:
    """Let other commands find this run by its data folder; the file to remove at its end."""
    running = settings.data / RUNNING_FILE
    fresh = running.with_suffix(".new")
    fresh.write_text(
        settings.model_dump_json(
            include={
                "kafka",
                "topic_prefix",
                "redis",
                "redis_cluster",
                "sealing",
                "body_keys",
                "retention",
                "partitions",
                "host",
                "port",
                "public_url",
                "catalogue",
                "triggers",
                "matrix",
                "notices",
                "experiment",
            }
        )
    )
    return fresh.replace(running)
