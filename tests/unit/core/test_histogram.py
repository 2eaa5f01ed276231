"""Histograms: at most 0.8 % error, the same bounds everywhere, merging loses nothing."""

import math

import numpy as np
import pytest
from burstline.core.load.histogram import LARGEST_INDEX, Histogram, bounds_of, index_of, indices_of
from hypothesis import given
from hypothesis import strategies as st

times = st.floats(1e-6, 4e6)


@given(times)
def test_a_value_lies_in_its_bucket_and_the_middle_is_within_one_part_in_128(value: float) -> None:
    low, high = bounds_of(index_of(value))
    assert low <= value * (1 + 1e-12)
    assert value < high * (1 + 1e-12)
    assert abs((low + high) / 2 - value) / value <= 1 / 128 + 1e-9


@given(st.lists(st.floats(-1, 4e6), min_size=1, max_size=50))
def test_arrays_and_single_values_agree(values: list[float]) -> None:
    assert indices_of(np.array(values)).tolist() == [index_of(v) for v in values]


@pytest.mark.parametrize("value", [0.0, -1.0, 9.9e-7, math.nan])
def test_what_is_below_a_microsecond_or_no_number_shares_bucket_zero(value: float) -> None:
    assert index_of(value) == 0


def test_what_is_beyond_the_last_bucket_is_counted_there() -> None:
    assert index_of(1e12) == LARGEST_INDEX


@given(st.lists(times), st.lists(times), st.lists(times))
def test_merging_in_any_order_is_the_same_as_adding_everything(a: list[float], b: list[float], c: list[float]) -> None:
    whole = Histogram()
    for value in [*a, *b, *c]:
        whole.add(value)
    parts = []
    for values in (c, a, b):
        part = Histogram()
        part.add_all(np.array(values))
        parts.append(part)
    merged = Histogram()
    for part in parts:
        merged.merge(part)
    assert merged == whole


@given(st.lists(times, min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 1.0]))
def test_a_quantile_is_within_its_error_of_the_true_one(values: list[float], q: float) -> None:
    histogram = Histogram()
    histogram.add_all(np.array(values))
    rank = max(1, math.ceil(q * len(values)))
    found = histogram.quantile(q)
    assert found is not None
    assert found == pytest.approx(sorted(values)[rank - 1], rel=1 / 64)


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert Histogram().share_above(1.0) == 0


def test_cumulative_counts_end_with_everything() -> None:
    histogram = Histogram()
    histogram.add_all(np.array([0.001, 0.02, 0.02, 3.0]))
    assert list(histogram.cumulative([0.01, 0.1, 1.0, math.inf])) == [(0.01, 1), (0.1, 3), (1.0, 3), (math.inf, 4)]
