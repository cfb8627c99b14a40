from pathlib import Path

from fakes.runners import FakeRunner
from frisket.jobs.runner import Assignment, Runner
from frisket.workers.pool import LocalWorkers


def test_the_fake_and_the_real_one_have_the_same_face(tmp_path: Path) -> None:
    runners: list[Runner] = [FakeRunner(slots=2), LocalWorkers("a:b", {}, tmp_path, slots=2)]  # checked by pyright too
    wanted = {name for name in vars(Runner) if not name.startswith("_")}
    assert wanted == {"slots", "ready", "start", "run", "cancel", "show", "close"}
    for runner in runners:
        assert wanted <= set(dir(runner))
        assert runner.slots == 2
        runner.cancel("nobody")  # without effect
        runner.show("nobody", True)


def test_an_assignment_is_a_value():
    one = Assignment("j", "{}", {"pixels": Path("/p")}, 1)
    assert one == Assignment("j", "{}", {"pixels": Path("/p")}, 1)
