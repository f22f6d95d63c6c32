/*
 * How alike two words are. Three rows of the table of distances are enough: a letter's neighbour
 * is one row back, a swap two.
 */
#include "base/similar.h"

#include <stdbool.h>
#include <string.h>

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

static size_t minimum(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One row of the table, for the first i letters of a; gives its least distance. */
static size_t fill_row(const char *a, size_t i, const char *b, size_t row[3][SIMILAR_LENGTH + 1])
{
	size_t *now = row[i % 3];
	const size_t *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
	size_t best = i;

	now[0] = i;
	for (size_t j = 1; b[j - 1] != '\0'; j++) {
		const bool same = lower(a[i - 1]) == lower(b[j - 1]);

		now[j] = minimum(before[j - 1] + !same, minimum(before[j], now[j - 1]) + 1);
		if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
		    lower(a[i - 2]) == lower(b[j - 1]))
			now[j] = minimum(now[j], earlier[j - 2] + 1);
		best = minimum(best, now[j]);
	}
	return best;
}

size_t similar_distance(const char *a, const char *b, size_t limit)
{
	const size_t a_length = strlen(a), b_length = strlen(b);
	size_t row[3][SIMILAR_LENGTH + 1] = { { 0 } };

	if (a_length > SIMILAR_LENGTH || b_length > SIMILAR_LENGTH ||
	    a_length >= b_length + limit || b_length >= a_length + limit)
		return limit;
	for (size_t j = 0; j <= b_length; j++)
		row[0][j] = j;
	size_t before = 0;

	for (size_t i = 1; i <= a_length; i++) {
		const size_t least = fill_row(a, i, b, row);

		/* A swap reaches two rows back, so one hopeless row does not end it yet. */
		if (least >= limit && before >= limit)
			return limit;
		before = least;
	}
	return minimum(row[a_length % 3][b_length], limit);
}

size_t similar_limit(const char *word)
{
	const size_t length = strlen(word);

	if (length < 2 || length > SIMILAR_LENGTH)
		return 0;
	return length < 5 ? 2 : length < 9 ? 3 : 4;
}
