/* Quantities as people write them. Numbers are plain decimals: no signs, exponents or "inf". */
#include "base/quantity.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

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

/* More digits than a double holds say nothing new. */
#define NUMBER_LENGTH_MOST 63
#define EXACT_MOST         (INT64_C(1) << 53)

/* "12" or "12.5": digits, and perhaps a point with digits behind it. *ret_end is what follows. A
 * whole number divided by a power of ten, both exact, so that the result is the nearest double. */
static int plain_number(const char *text, double *ret, const char **ret_end)
{
	const size_t whole = strspn(text, "0123456789");
	const size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	double number = 0, scale = 1;

	if (whole == 0 || (text[whole] == '.' && fraction == 0))
		return -EINVAL;
	const size_t length = whole + (fraction ? 1 + fraction : 0);

	if (length > NUMBER_LENGTH_MOST)
		return -ERANGE;
	for (size_t i = 0; i < length; i++) {
		if (i == whole)
			continue;
		if (i > whole && number >= (double)EXACT_MOST / 10)
			break;
		number = 10 * number + (text[i] - '0');
		scale *= i > whole ? 10 : 1;
	}
	*ret = number / scale;
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
	static const struct unit units[] = { { "ms", 1 }, { "us", 0.001 }, { "s", 1000 } };
	double value;
	const char *rest;
	int error = with_unit(text, units, array_length(units), &value);

	/* A bare 5 would be seconds for one and milliseconds for another; 0 is the same for both. */
	if (error == -EINVAL && plain_number(text, &value, &rest) == 0 && *rest == '\0' &&
	    value <= 0)
		error = 0;
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
