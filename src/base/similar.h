/*
 * How alike two words are, for "did you mean": the number of letters to put in, leave out, change
 * or swap with their neighbour that makes one of the other (the restricted Damerau-Levenshtein
 * distance), without regard to case.
 */
#pragma once

#include <stddef.h>

#define SIMILAR_LENGTH 31 /* a longer word resembles none */

/* The distance if it is less than `limit`, else `limit`. */
size_t similar_distance(const char *a, const char *b, size_t limit);

/* The least distance at which `word` is no longer taken for a slip of the keyboard: short words
 * allow for fewer slips. 0 for words that resemble nothing. */
size_t similar_limit(const char *word);
