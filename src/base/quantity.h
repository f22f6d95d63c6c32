/*
 * Quantities as people write them: counts, ratios, times and rates, each with its usual units.
 * 0, or -EINVAL (not such a thing) or -ERANGE (out of its bounds), with *ret untouched.
 */
#pragma once

#include <stdint.h>

int quantity_count(const char *text, int64_t least, int64_t most, int64_t *ret);

/* "5%", "0.05", "1": a probability. */
int quantity_ratio(const char *text, double *ret);

/* "20ms", "1.5s", "300us", "0": up to an hour. */
int quantity_time_ms(const char *text, double *ret);

/* "50mbit", "1gbit", "64kbit", "9600", "9600bit": bits a second, powers of ten. */
int quantity_rate(const char *text, int64_t *ret);
