from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supportbot.web.limits import MAX_NAMES, MINUTE, RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_name_waits_until_its_first_call_is_a_minute_old() -> None:
    clock = Clock()
    limit = RateLimit(2, clock)
    assert [limit.wait("a"), limit.wait("a")] == [0, 0]
    clock.now += 20
    assert limit.wait("a") == 40
    clock.now += 40
    assert limit.wait("a") == 0


def test_names_do_not_share_a_limit() -> None:
    limit = RateLimit(1, Clock())
    assert [limit.wait("a"), limit.wait("b")] == [0, 0]
    assert limit.wait("a") > 0


def test_a_flood_of_names_forgets_the_longest_silent_one() -> None:
    limit = RateLimit(1, Clock())
    limit.wait("first")
    for number in range(MAX_NAMES):
        limit.wait(str(number))
    assert limit.wait("first") == 0
    assert limit.wait(str(MAX_NAMES - 1)) > 0


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_window_of_a_minute_holds_more_than_the_limit(pauses: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(3, clock)
    passed: list[float] = []
    for pause in pauses:
        clock.now += pause
        if limit.wait("a") == 0:
            passed.append(clock.now)
    assert all(
        later - earlier >= MINUTE for earlier, later in zip(passed, passed[3:], strict=False)
    )
