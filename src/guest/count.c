/* Owns the sums by kind of call, and how they are printed. */
#include "guest/count.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "guest/sys.h"

#define TIME_TEXT 24

void counts_add(struct counts *c, unsigned kind, bool has_waited, int64_t ns)
{
	check(kind < COUNT_KINDS);
	struct count *const count = &c->kinds[kind];

	if (has_waited) {
		count->waited++;
		count->waited_ns += ns;
	} else {
		count->answered++;
		count->answered_ns += ns;
	}
}

static struct count sum_of(const struct counts *c)
{
	struct count sum = { 0 };

	for (unsigned kind = 0; kind < COUNT_KINDS; kind++) {
		sum.answered += c->kinds[kind].answered;
		sum.answered_ns += c->kinds[kind].answered_ns;
		sum.waited += c->kinds[kind].waited;
		sum.waited_ns += c->kinds[kind].waited_ns;
	}
	return sum;
}

/* The kinds that occurred, the most frequent first; how many they are. */
static unsigned sort(const struct counts *c, unsigned ret[COUNT_KINDS])
{
	unsigned length = 0;

	for (unsigned kind = 0; kind < COUNT_KINDS; kind++) {
		const uint64_t calls = c->kinds[kind].answered + c->kinds[kind].waited;
		unsigned at = length;

		if (calls == 0)
			continue;
		for (; at > 0; at--) {
			const struct count *before = &c->kinds[ret[at - 1]];

			if (before->answered + before->waited >= calls)
				break;
			ret[at] = ret[at - 1];
		}
		ret[at] = kind;
		length++;
	}
	return length;
}

static const char *time_text(double ns, char text[TIME_TEXT])
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 } };

	size_t i = 0;

	while (i + 1 < array_length(units) && ns < units[i].ns)
		i++;
	(void)snprintf(text, TIME_TEXT, "%.1f %s", ns / units[i].ns, units[i].name);
	return text;
}

static const char *mean_text(int64_t ns, uint64_t calls, char text[TIME_TEXT])
{
	return calls ? time_text((double)ns / (double)calls, text) : "-";
}

static void print_row(const char *name, const struct count *count, FILE *to)
{
	char mean[TIME_TEXT], total[TIME_TEXT], wait[TIME_TEXT];

	(void)fprintf(to, "%-12s %10" PRIu64 " %10s %10s %10" PRIu64 " %10s\n", name,
		      count->answered, mean_text(count->answered_ns, count->answered, mean),
		      count->answered ? time_text((double)count->answered_ns, total) : "-",
		      count->waited, mean_text(count->waited_ns, count->waited, wait));
}

bool counts_print(const struct counts *c, FILE *to)
{
	unsigned kinds[COUNT_KINDS];
	const unsigned length = sort(c, kinds);
	const struct count sum = sum_of(c);

	(void)fprintf(to, "%-12s %10s %10s %10s %10s %10s\n", "trapped call", "at once", "mean",
		      "total", "waited", "mean");
	for (unsigned i = 0; i < length; i++)
		print_row(sys_kind_name(kinds[i]), &c->kinds[kinds[i]], to);
	print_row("all", &sum, to);
	return fflush(to) == 0 && !ferror(to);
}

static void print_json(const struct count *count, FILE *to)
{
	(void)fprintf(to,
		      "\"at_once\": %" PRIu64 ", \"at_once_ns\": %" PRId64 ", \"waited\": %" PRIu64
		      ", \"waited_ns\": %" PRId64,
		      count->answered, count->answered_ns, count->waited, count->waited_ns);
}

bool counts_print_json(const struct counts *c, FILE *to)
{
	unsigned kinds[COUNT_KINDS];
	const unsigned length = sort(c, kinds);
	const struct count sum = sum_of(c);

	(void)fputs("{\"calls\": [", to);
	for (unsigned i = 0; i < length; i++) {
		(void)fprintf(to, "%s{\"call\": \"%s\", ", i ? ", " : "", sys_kind_name(kinds[i]));
		print_json(&c->kinds[kinds[i]], to);
		(void)fputc('}', to);
	}
	(void)fputs("], ", to);
	print_json(&sum, to);
	(void)fputs("}\n", to);
	return fflush(to) == 0 && !ferror(to);
}
