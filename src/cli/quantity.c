/* Quantities as people write them. Numbers are plain decimals: no signs, exponents or "inf". */
#include "cli/quantity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

#define TIME_MS_MOST 3600000.0
#define RATE_MOST    1e12 /* a terabit a second */

struct unit {
	const char *name;
	double factor;
};

int quantity_count(const char *text, int64_t least, int64_t most, int64_t *ret)
{
	int64_t value = 0;
	bool too_big = false;

	if (*text == '\0')
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		too_big |= __builtin_mul_overflow(value, 10, &value);
		too_big |= __builtin_add_overflow(value, *text - '0', &value);
	}
	if (too_big || value < least || value > most)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* "12" or "12.5": digits, and perhaps a point with digits behind it. *ret_end is what follows. */
static int plain_number(const char *text, double *ret, const char **ret_end)
{
	size_t length = strspn(text, "0123456789");

	if (length == 0)
		return -EINVAL;
	if (text[length] == '.') {
		const size_t fraction = strspn(text + length + 1, "0123456789");

		if (fraction == 0)
			return -EINVAL;
		length += 1 + fraction;
	}
	char number[64];

	if (length >= sizeof(number))
		return -ERANGE;
	memcpy(number, text, length);
	number[length] = '\0';
	*ret = strtod(number, NULL); /* in the C locale: main sets no other for numbers */
	*ret_end = text + length;
	return 0;
}

static int with_unit(const char *text, const struct unit *units, size_t count, double *ret)
{
	double value;
	const char *rest;
	const int error = plain_number(text, &value, &rest);

	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(rest, units[i].name) == 0) {
			*ret = value * units[i].factor;
			return 0;
		}
	}
	return -EINVAL;
}

int quantity_ratio(const char *text, double *ret)
{
	static const struct unit units[] = { { "", 1 }, { "%", 0.01 } };
	double value;
	const int error = with_unit(text, units, array_length(units), &value);

	if (error)
		return error;
	if (value > 1)
		return -ERANGE;
	*ret = value;
	return 0;
}

int quantity_time_ms(const char *text, double *ret)
{
	static const struct unit units[] = {
		{ "", 1 }, { "ms", 1 }, { "us", 0.001 }, { "s", 1000 }
	};
	double value;
	const int error = with_unit(text, units, array_length(units), &value);

	if (error)
		return error;
	if (value > TIME_MS_MOST)
		return -ERANGE;
	*ret = value;
	return 0;
}

int quantity_rate(const char *text, int64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },       { "bit", 1 }, { "kbit", 1e3 }, { "k", 1e3 },
		{ "mbit", 1e6 }, { "m", 1e6 }, { "gbit", 1e9 }, { "g", 1e9 },
	};
	double value;
	const int error = with_unit(text, units, array_length(units), &value);

	if (error)
		return error;
	if (value > RATE_MOST)
		return -ERANGE;
	*ret = (int64_t)(value + 0.5);
	return 0;
}
