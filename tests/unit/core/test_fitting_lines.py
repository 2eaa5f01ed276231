"""Lines through points with outliers, and how far their slopes can be trusted."""

import numpy as np
import pytest
from burstline.core.quota.fitting.lines import noise_of, robust_fit, weighted_median


def test_a_tenth_of_outliers_does_not_move_the_line() -> None:
    x = np.linspace(0, 10, 200)
    y = 3 * x + 5 + np.random.default_rng(1).normal(0, 0.1, 200)
    y[::10] += 40
    found, kept = robust_fit(np.column_stack([x, np.ones(200)]), y, np.ones(200))
    assert found[0] == pytest.approx(3, abs=0.02)
    assert found[1] == pytest.approx(5, abs=0.1)
    assert not kept[::10].any()


def test_white_residuals_show_no_walk_and_a_walk_shows() -> None:
    random = np.random.default_rng(2)
    at_s = np.arange(0, 20, 0.01)
    white = noise_of(at_s, random.normal(0, 1, len(at_s)))
    assert white.walk_per_s < 0.05
    # 100 steps a second of variance 0.04 each add 4 a second
    walk = noise_of(at_s, np.cumsum(random.normal(0, 0.2, len(at_s))))
    assert walk.walk_per_s == pytest.approx(4, rel=0.5)
    assert walk.slope_deviation > 5 * white.slope_deviation


def test_a_slope_from_nothing_is_worth_nothing() -> None:
    assert noise_of(np.array([1.0]), np.array([0.0])).slope_deviation == float("inf")


def test_the_weighted_median_follows_the_weight() -> None:
    assert weighted_median(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 5.0])) == 3.0
    assert weighted_median(np.array([]), np.array([])) == 0.0
