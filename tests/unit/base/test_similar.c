/* Distances of words: by hand, and against the table of distances written out in full. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/similar.h"

#include "cmocka_all.h"
#include "seed.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return (a | 0x20) == (b | 0x20); /* letters only */
}

static size_t slow_distance(const char *a, const char *b)
{
	size_t d[SIMILAR_LENGTH + 1][SIMILAR_LENGTH + 1];
	const size_t n = strlen(a), m = strlen(b);

	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 1; j <= m; j++) {
			d[i][j] = d[i - 1][j - 1] + !same(a[i - 1], b[j - 1]);
			d[i][j] = least(d[i][j], least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[n][m];
}

static void test_examples(void **state)
{
	(void)state;
	assert_int_equal(similar_distance("ports", "ports", 3), 0);
	assert_int_equal(similar_distance("prots", "ports", 3), 1);
	assert_int_equal(similar_distance("Ports", "pORTS", 3), 0);
	assert_int_equal(similar_distance("port", "ports", 3), 1);
	assert_int_equal(similar_distance("", "", 3), 0);
	assert_int_equal(similar_distance("", "ab", 3), 2);
	assert_int_equal(similar_distance("services", "run", 3), 3);
	assert_int_equal(similar_limit(""), 0);
	assert_int_equal(similar_limit("a"), 0);
	assert_true(similar_limit("run") < similar_limit("services"));
}

static void test_random_words(void **state)
{
	struct random r = seeded(12);

	(void)state;
	for (int round = 0; round < 100000; round++) {
		char word[2][SIMILAR_LENGTH + 1] = { "" };

		for (int w = 0; w < 2; w++)
			for (uint32_t i = random_below(&r, 9); i > 0; i--)
				word[w][i - 1] = (char)((random_below(&r, 4) ? 'a' : 'A') +
							random_below(&r, 3));
		const size_t limit = random_below(&r, 8);
		const size_t distance = slow_distance(word[0], word[1]);

		assert_int_equal(similar_distance(word[0], word[1], limit), least(distance, limit));
	}
}

static void test_long_words_resemble_nothing(void **state)
{
	char longest[SIMILAR_LENGTH + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[SIMILAR_LENGTH] = '\0';
	assert_int_equal(similar_distance(longest, longest, 2), 0);
	longest[SIMILAR_LENGTH] = 'a';
	longest[SIMILAR_LENGTH + 1] = '\0';
	assert_int_equal(similar_distance(longest, longest, 2), 2);
	assert_int_equal(similar_limit(longest), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_random_words),
		cmocka_unit_test(test_long_words_resemble_nothing),
	};

	return cmocka_run_group_tests_name("similar", tests, NULL, NULL);
}
