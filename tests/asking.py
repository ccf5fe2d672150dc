"""Asking an API that runs, as a client that heeds its answers does."""

from collections.abc import Callable

import httpx

from tests.waiting import until


def answered(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer, asked for again while it is that a moment later may help: what is not folded yet, a silent log."""
    answers: list[httpx.Response] = []

    def is_final() -> bool:
        answers.append(ask())
        return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

    until(is_final, what="an answer")
    return answers[-1]
