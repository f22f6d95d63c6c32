/* What the build has made of filter_rules.c: a filter for each set of options. */
#pragma once

#include <linux/filter.h>

/* Bits of an index. */
enum {
	FILTER_UDP_LITE = 1,
	FILTER_HOSTNAME = 2,
	FILTER_HOLD_DUMPABLE = 4,
	FILTER_OPTION_SETS = 8,
};

struct filter_code {
	const struct sock_filter *instructions;
	unsigned short count;
};

extern const struct filter_code filter_codes[FILTER_OPTION_SETS];
