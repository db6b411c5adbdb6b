import numpy as np
import pytest

from tftransfer.finetune import OneCycle
from tftransfer.finetune.plan import plan_for


def test_one_cycle_rises_to_the_peak_and_falls():
    schedule = OneCycle(2e-3, total_steps=40)
    rates = np.array([float(schedule(step)) for step in range(41)])
    assert rates[0] == pytest.approx(2e-3 / 25, rel=1e-5)
    assert rates.max() == rates[10] == pytest.approx(2e-3, rel=1e-6)
    assert rates[40] == pytest.approx(2e-7, rel=1e-2)
    assert np.all(np.diff(rates[:11]) > 0)
    assert np.all(np.diff(rates[10:]) < 0)
    middle = 2e-3 / 25 + (2e-3 - 2e-3 / 25) / 2
    assert rates[5] == pytest.approx(middle, rel=1e-5)


def test_one_cycle_goes_through_its_config():
    schedule = OneCycle(1e-3, 10, warmup=0.5, initial_step=3)
    assert OneCycle.from_config(schedule.get_config())(7) == schedule(7)


@pytest.mark.parametrize("bad", [(0.0, 10), (1e-3, 0), (1e-3, 10, 1.0)])
def test_one_cycle_refuses(bad):
    with pytest.raises(ValueError, match="Expected"):
        OneCycle(*bad)


def test_the_plan_follows_the_number_of_pictures():
    small, large = plan_for(85, 32), plan_for(50_000, 32)
    assert small.steps == 3
    assert large.steps == 1563
    assert small.head_epochs == 40
    assert large.head_epochs == 4


def test_what_the_caller_decides_stays():
    plan = plan_for(100, 10, epochs=3, head_epochs=0, rate=0.5, smoothing=0.0)
    assert (plan.head_epochs, plan.epochs) == (0, 3)
    assert (plan.rate, plan.smoothing) == (0.5, 0.0)
