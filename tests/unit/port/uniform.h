/* Whether all ports that are free were drawn with the same probability. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/cmocka_all.h"

/*
 * Both arrays have all 65,536 ports. Pearson's statistic for `draws` choices over `ports` free ones
 * is nearly normal here, with mean ports-1 and variance 2(ports-1): five standard deviations are
 * allowed either way.
 */
static inline void check_uniform(const uint32_t *drawn, const bool *free, uint32_t ports,
				 uint32_t draws)
{
	const double expected = (double)draws / ports;
	double sum = 0;

	for (uint32_t port = 0; port < 65536; port++) {
		if (free[port])
			sum += (drawn[port] - expected) * (drawn[port] - expected) / expected;
		else
			assert_int_equal(drawn[port], 0);
	}
	if (ports > 1)
		assert_true(fabs(sum - (ports - 1)) < 5 * sqrt(2.0 * (ports - 1)) + 1);
}
