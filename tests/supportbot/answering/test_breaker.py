from __future__ import annotations

import pytest

from supportbot.answering.breaker import FAILURES_TO_OPEN, PROBE_SECONDS, Breaker
from supportbot.errors import FailureKind, ModelError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def is_open(breaker: Breaker) -> bool:
    try:
        breaker.check()
    except ModelError as error:
        return error.kind is FailureKind.CIRCUIT_OPEN
    return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert not is_open(breaker)
        breaker.failed()
    return breaker


def test_it_opens_after_five_failures_in_a_row(broken: Breaker) -> None:
    assert is_open(broken)


def test_a_success_starts_the_count_anew(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(3):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.failed()
        breaker.succeeded()
    assert not is_open(breaker)


def test_one_probe_goes_through_every_thirty_seconds(broken: Breaker, clock: Clock) -> None:
    clock.now += PROBE_SECONDS
    assert [is_open(broken) for _ in range(3)] == [False, True, True]
    clock.now += PROBE_SECONDS
    assert not is_open(broken)


def test_a_probe_that_succeeds_closes_it(broken: Breaker, clock: Clock) -> None:
    clock.now += PROBE_SECONDS
    assert not is_open(broken)
    broken.succeeded()
    assert not is_open(broken)
    assert not is_open(broken)
