import pytest

from frisket.jobs.pace import Pace


def test_fractions_never_fall_and_stay_within_bounds():
    pace, shown = Pace(), []
    for n, fraction in enumerate([0.0, 0.3, 0.2, 0.3, float("nan"), -1.0, 0.5, 1.7, 0.9]):
        if pace.offer(fraction, now=n):
            shown.append(pace.fraction)
    assert shown == [0.0, 0.3, 0.5, 1.0]


@pytest.mark.parametrize("odd", [float("nan"), -5.0, float("inf")])
def test_a_first_report_that_makes_no_sense(odd):
    pace = Pace()
    pace.offer(odd, now=0)
    assert 0.0 <= pace.fraction <= 1.0
    pace.offer(1.0, now=1)
    assert pace.fraction == 1.0


def test_no_guess_before_there_is_something_to_go_by():
    pace = Pace()
    assert pace.seconds_left() is None
    pace.offer(0.0, now=100.0)
    pace.offer(0.3, now=100.4)  # too short
    assert pace.seconds_left() is None
    slow = Pace()
    slow.offer(0.0, now=100.0)
    slow.offer(0.01, now=102.0)  # too little
    assert slow.seconds_left() is None


def test_the_guess_is_the_rest_at_the_mean_speed():
    pace = Pace()
    pace.offer(0.2, now=50.0)  # what came before the first report, loading, does not count
    pace.offer(0.4, now=54.0)  # 0.05 a second
    assert pace.seconds_left() == 12.0
    pace.offer(0.8, now=56.0)  # 0.1 a second
    assert pace.seconds_left() == 2.0
    pace.offer(1.0, now=58.0)
    assert pace.seconds_left() == 0.0
