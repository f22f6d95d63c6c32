/* Quantities as people write them. */
#include <errno.h>

#include "base/quantity.h"

#include "cmocka_all.h"

static void test_counts(void **state)
{
	int64_t n = -7;

	(void)state;
	assert_int_equal(quantity_count("0", 0, 10, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(quantity_count("10", 0, 10, &n), 0);
	assert_int_equal(n, 10);
	assert_int_equal(quantity_count("9223372036854775807", 0, INT64_MAX, &n), 0);
	assert_true(n == INT64_MAX);
	n = -7;
	assert_int_equal(quantity_count("11", 0, 10, &n), -ERANGE);
	assert_int_equal(quantity_count("9223372036854775808", 0, INT64_MAX, &n), -ERANGE);
	assert_int_equal(quantity_count("18446744073709551617", 0, 10, &n), -ERANGE);
	assert_int_equal(quantity_count("", 0, 10, &n), -EINVAL);
	assert_int_equal(quantity_count("-1", -5, 10, &n), -EINVAL);
	assert_int_equal(quantity_count("+1", 0, 10, &n), -EINVAL);
	assert_int_equal(quantity_count("1 ", 0, 10, &n), -EINVAL);
	assert_int_equal(quantity_count("0x1", 0, 10, &n), -EINVAL);
	assert_int_equal(n, -7);
}

static void test_ratios(void **state)
{
	static const struct {
		const char *text;
		double value;
	} right[] = { { "5%", 0.05 }, { "0.05", 0.05 }, { "0", 0 },
		      { "1", 1 },     { "100%", 1 },    { "0.5%", 0.005 } };
	static const char *const wrong[] = { "",    "%",  "x",  "-1",   "5 %", "nan",
					     "inf", ".5", "5.", "1e-3", "5%%", "0x1" };
	double r = -7;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_int_equal(quantity_ratio(right[i].text, &r), 0);
		assert_float_equal(r, right[i].value, 1e-12);
	}
	r = -7;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(quantity_ratio(wrong[i], &r), -EINVAL);
	assert_int_equal(quantity_ratio("5", &r), -ERANGE);
	assert_int_equal(quantity_ratio("101%", &r), -ERANGE);
	assert_float_equal(r, -7, 0);
}

static void test_times(void **state)
{
	double ms = -7;

	(void)state;
	assert_int_equal(quantity_time_ms("20ms", &ms), 0);
	assert_float_equal(ms, 20, 1e-12);
	assert_int_equal(quantity_time_ms("1.5s", &ms), 0);
	assert_float_equal(ms, 1500, 1e-9);
	assert_int_equal(quantity_time_ms("300us", &ms), 0);
	assert_float_equal(ms, 0.3, 1e-12);
	assert_int_equal(quantity_time_ms("0", &ms), 0);
	assert_float_equal(ms, 0, 1e-12);
	assert_int_equal(quantity_time_ms("20", &ms), -EINVAL); /* of what? */
	assert_int_equal(quantity_time_ms("1h", &ms), -EINVAL);
	assert_int_equal(quantity_time_ms("3601s", &ms), -ERANGE);
	assert_int_equal(quantity_time_ms("99999999999999999999999999999999999999999999999999999"
					  "99999999999999999999ms",
					  &ms),
			 -ERANGE);
	assert_float_equal(ms, 0, 1e-12);
}

static void test_rates(void **state)
{
	int64_t bits = -7;

	(void)state;
	assert_int_equal(quantity_rate("50mbit", &bits), 0);
	assert_true(bits == 50000000);
	assert_int_equal(quantity_rate("1.5Gbit", &bits), 0);
	assert_true(bits == 1500000000);
	assert_int_equal(quantity_rate("64k", &bits), 0);
	assert_true(bits == 64000);
	assert_int_equal(quantity_rate("9600", &bits), 0);
	assert_true(bits == 9600);
	assert_int_equal(quantity_rate("0", &bits), 0);
	assert_true(bits == 0);
	assert_int_equal(quantity_rate("5mb", &bits), -EINVAL);
	assert_int_equal(quantity_rate("fast", &bits), -EINVAL);
	assert_int_equal(quantity_rate("5000gbit", &bits), -ERANGE);
	assert_true(bits == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_ratios),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
