"""The statistics: against scipy, textbook values and simulation, not against themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from elu_replication.claims import statistics

# Student's sleep data (1908): extra hours of sleep of ten patients with two drugs.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def test_the_sleep_data_give_the_textbook_s_values() -> None:
    assert statistics.mean_and_sd(SLEEP) == pytest.approx((1.58, 1.2300), abs=1e-4)
    assert statistics.t_p(SLEEP) == pytest.approx(0.002833, abs=1e-6)
    assert statistics.t_interval(SLEEP) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)
    assert statistics.sign_flip_p(SLEEP) == pytest.approx(2 / 2**9)  # one zero: its sign does not matter


def test_a_prediction_interval_by_hand() -> None:
    low, high = statistics.prediction_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    reach = 2.776445 * math.sqrt(2.5) * math.sqrt(1.2)  # t(.975, 4)
    assert (low, high) == pytest.approx((3 - reach, 3 + reach), abs=1e-5)


def test_sign_flips_are_exact_and_cannot_go_below_two_in_two_to_the_n() -> None:
    assert statistics.sign_flip_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == 2 / 2**5
    assert statistics.sign_flip_p(np.array([1.0, -1.0])) == 1.0


def test_equivalence_is_two_one_sided_tests() -> None:
    values = [0.0004, -0.0002, 0.0003, 0.0001, -0.0003, 0.0002]
    farther = (0.001 - np.mean(values)) / stats.sem(values)  # the nearer margin, in standard errors
    assert statistics.equivalence_p(values, 0.001) == pytest.approx(stats.t.sf(farther, 5))
    assert statistics.equivalence_p(values, 0.001) < 0.05
    assert statistics.equivalence_p(values, 0.0001) > 0.05
    low, high = statistics.t_interval(values, 0.9)
    assert statistics.equivalence_p(values, 1.0001 * max(-low, high)) < 0.05
    assert statistics.equivalence_p(values, 0.9999 * max(-low, high)) > 0.05


def test_holm_by_hand() -> None:
    adjusted = statistics.holm([0.01, 0.04, 0.03, math.nan])
    assert adjusted[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(adjusted[3])


def test_the_probability_of_improvement_is_that_of_mann_and_whitney() -> None:
    # Of six pairs three are won and two are ties.
    assert statistics.probability_of_improvement([3.0, 5.0, 5.0], [1.0, 5.0]) == pytest.approx(4 / 6)


def test_power_and_the_detectable_effect_are_those_of_the_literature() -> None:
    # Cohen's d of 0.5 with 34 pairs has a power of 0.8 (e.g. G*Power: 33.4 pairs).
    assert statistics.power(0.5, 1.0, 34) == pytest.approx(0.808, abs=0.002)
    assert statistics.power(0.5, 1.0, statistics.MOST_SEEDS) == pytest.approx(1.0)
    assert statistics.minimum_detectable_effect(2.0, 34) == pytest.approx(2 * 0.4953, abs=0.002)


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=8))
def test_a_p_of_any_values_is_that_of_their_negatives_in_any_order(values: list[float]) -> None:
    for statistic in (statistics.sign_p, statistics.sign_flip_p, statistics.t_p):
        p = statistic(values)
        assert math.isnan(p) or 0 <= p <= 1
        assert statistic([-value for value in values[::-1]]) == pytest.approx(p, rel=1e-6, nan_ok=True)
    low, high = statistics.t_interval(values)
    assert low - 1e-9 <= statistics.mean_and_sd(values)[0] <= high + 1e-9


def test_too_few_values_have_no_interval() -> None:
    for values in ([], [0.5]):
        assert math.isnan(statistics.median_interval(values).low)
        assert math.isnan(statistics.prediction_p(values, 0.5))
        assert math.isnan(statistics.sign_flip_p(values))
        assert math.isnan(statistics.t_p(values))
        assert math.isnan(statistics.t_interval(values).low)
        assert math.isnan(statistics.prediction_interval(values).low)
        assert math.isnan(statistics.equivalence_p(values, 1.0))


def test_the_sign_test_is_exact_and_its_interval_agrees() -> None:
    assert statistics.sign_p([1.0] * 6) == pytest.approx(2 / 2**6)
    assert statistics.sign_p([1.0] * 10 + [-1.0] * 2) == pytest.approx(2 * 79 / 2**12)  # 1 + 12 + 66
    assert statistics.sign_p([1.0] * 5 + [0.0]) == statistics.sign_p([1.0] * 5 + [math.nan]) > 0.05
    assert statistics.median_interval([3.0, 1.0, 2.0, math.inf, 5.0, 4.0]) == (1.0, math.inf)
    assert statistics.median_interval(range(1, 13)) == (3, 10)
    assert math.isnan(statistics.median_interval([1.0] * 5).low)


@given(st.lists(st.floats(-3, 3, width=16) | st.just(math.inf), min_size=6, max_size=25))
def test_the_interval_of_the_median_leaves_out_0_where_the_sign_test_rejects_it(
    values: list[float],
) -> None:
    low, high = statistics.median_interval(values)
    assert (low > 0 or high < 0) == (statistics.sign_p(values) < 0.05)


def test_equivalence_by_signs_takes_all_of_six_within_the_margin() -> None:
    assert statistics.sign_equivalence_p([0, 1, -1, 0, 1, 0], 1.0) == pytest.approx(1 / 2**6)
    assert statistics.sign_equivalence_p([0, 1, -1, 0, 2, 0], 1.0) > 0.05
    assert statistics.sign_equivalence_p([math.nan] * 6, 1.0) == 1  # a tie at infinity says nothing


def test_a_prediction_s_p_is_where_its_interval_ends() -> None:
    values = [1.0, 2.0, 4.0, 3.0, 2.5]
    low, high = statistics.prediction_interval(values, 0.9)
    assert statistics.prediction_p(values, low) == pytest.approx(0.1)
    assert statistics.prediction_p(values, high) == pytest.approx(0.1)
    assert (statistics.prediction_p([1.0] * 5, 1.0), statistics.prediction_p([1.0] * 5, 2.0)) == (1, 0)


def test_the_sign_flip_test_is_scipy_s() -> None:
    for n in (5, 8, 12):
        values = np.random.default_rng(n).normal(0.4, 1.0, n)
        exact = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=2**n)
        assert statistics.sign_flip_p(values) == pytest.approx(exact.pvalue)
    values = np.random.default_rng(20).normal(0.4, 1.0, 20)  # of which there are too many
    assert statistics.sign_flip_p(values) == pytest.approx(statistics.t_p(values), abs=0.02)


def test_seeds_needed_are_the_fewest_with_the_power() -> None:
    needed = statistics.seeds_to_show(0.5, 1.0)
    assert needed == 34  # Cohen's d of 0.5
    assert statistics.power(0.5, 1.0, needed) >= 0.8 > statistics.power(0.5, 1.0, needed - 1)
    assert statistics.seeds_to_show(0.01, 1.0) is None
    assert statistics.seeds_for_signs(0.9) == 12
    assert stats.binom.sf(9, 12, 0.9) >= 0.8
    assert statistics.seeds_for_signs(0.5) is None


def test_seeds_to_predict_are_the_fewest_of_which_four_studies_in_five_are_narrow() -> None:
    for half_width, fewest in ((0.003, 8), (0.0066, 3)):
        assert statistics.seeds_to_predict(0.001, half_width) == fewest
        for n, enough in ((fewest, True), (fewest - 1, False)):
            sds = np.random.default_rng(n).normal(0, 0.001, (20_000, n)).std(axis=1, ddof=1)
            narrow = stats.t.ppf(0.975, n - 1) * sds * math.sqrt(1 + 1 / n) <= half_width
            assert (narrow.mean() >= 0.8) == enough
    assert statistics.seeds_to_predict(0.002, 0.003) is None  # 1.96 SDs alone are more


def test_the_power_of_few_pairs_is_that_of_simulated_studies() -> None:
    for effect, n in ((1.5, 3), (0.5, 3), (1.0, 5)):
        studies = np.random.default_rng(n).normal(effect, 1.0, (100_000, n))
        rejected = (stats.ttest_1samp(studies, 0, axis=1).pvalue < 0.05).mean()
        assert statistics.power(effect, 1.0, n) == pytest.approx(rejected, abs=0.006)
        assert statistics.power(-2 * effect, 2.0, n) == pytest.approx(statistics.power(effect, 1.0, n))


def test_beyond_a_thousand_seeds_nothing_is_said() -> None:
    least = statistics.minimum_detectable_effect(1.0, 1000)
    assert statistics.seeds_to_show(least * 1.000001, 1.0) == 1000
    assert statistics.seeds_to_show(least * 0.999999, 1.0) is None
    assert statistics.seeds_to_show(10.0, 1.0) == 3  # no test of two pairs has the power
    assert statistics.seeds_for_signs(0.5443) == 999
    assert statistics.seeds_for_signs(0.54425) is None  # 1,001 would do
    assert statistics.seeds_for_signs(1.0) == 6


def test_without_spread_or_effect_no_study_is_planned() -> None:
    assert statistics.seeds_to_show(0.0, 1.0) is None
    assert statistics.seeds_to_show(0.5, 0.0) is None
    assert statistics.seeds_to_predict(0.0, 0.003) is None
    for sd, n in ((2.0, 1), (0.0, 5), (math.nan, 5)):
        assert math.isnan(statistics.minimum_detectable_effect(sd, n))
    assert statistics.minimum_detectable_effect(2.0, 2) > 0


def test_values_without_spread_are_equivalent_within_the_margin_alone() -> None:
    assert [statistics.equivalence_p([value] * 6, 1.0) for value in (-0.5, 0.5, 1.0, 2.0)] == [0, 0, 1, 1]


def test_a_prediction_has_no_unit() -> None:
    values = np.array([1.0, 2.0, 4.0, 3.0, 2.5])
    for unit in (0.01, 100.0):
        p = statistics.prediction_p(values * unit, 5.0 * unit)
        assert p == pytest.approx(statistics.prediction_p(values, 5.0))
        assert 0.01 < p < 0.2


def test_differences_without_spread_are_tested_by_their_signs_alone() -> None:
    assert statistics.sign_flip_p([1.0, 1.0, 1.0]) == 2 / 2**3
    assert statistics.sign_flip_p([0.0, 0.0, 0.0]) == 1.0
    rounded = [0.1135] * 6  # numpy's SD of these is not 0
    assert statistics.mean_and_sd(rounded)[1] == 0
    assert math.isnan(statistics.t_p(rounded))


STUDIES = 2000


@pytest.mark.parametrize("n", [3, 6, 10])
def test_intervals_cover_what_they_say(n: int) -> None:
    generator = np.random.default_rng(n)
    covered = predicted = 0
    for _ in range(STUDIES):
        values, new = generator.normal(0.3, 2.0, n), generator.normal(0.3, 2.0)
        low, high = statistics.t_interval(values)
        covered += low <= 0.3 <= high
        low, high = statistics.prediction_interval(values)
        predicted += low <= new <= high
    assert covered / STUDIES == pytest.approx(0.95, abs=0.015)
    assert predicted / STUDIES == pytest.approx(0.95, abs=0.015)
