from embedded.restart import GiveUp, RestartAt, RestartPolicy, restart_after

POLICY = RestartPolicy(crashes_max=3, window_s=60, backoff_s=1, backoff_s_max=5)


def test_a_first_crash_is_forgiven_after_the_first_wait() -> None:
    assert restart_after(POLICY, crashes=[100], now=100) == RestartAt(101, "crash 1 of 3 forgiven within 60 s")


def test_each_further_crash_waits_twice_as_long() -> None:
    decision = restart_after(POLICY, crashes=[100, 110, 120], now=120)

    assert isinstance(decision, RestartAt)
    assert decision.time_s == 124


def test_the_wait_has_an_upper_bound() -> None:
    patient = RestartPolicy(crashes_max=50, window_s=600, backoff_s=1, backoff_s_max=5)

    decision = restart_after(patient, crashes=list(range(40)), now=40)

    assert isinstance(decision, RestartAt)
    assert decision.time_s == 45


def test_too_many_crashes_within_the_window_are_given_up() -> None:
    decision = restart_after(POLICY, crashes=[100, 110, 120, 130], now=130)

    assert decision == GiveUp("it crashed 4 times within 60 s")


def test_crashes_before_the_window_are_forgotten() -> None:
    decision = restart_after(POLICY, crashes=[0, 1, 2, 3, 100], now=100)

    assert isinstance(decision, RestartAt)


def test_a_service_without_a_policy_is_not_restarted() -> None:
    assert restart_after(None, crashes=[100], now=100) == GiveUp("it is not restarted")
