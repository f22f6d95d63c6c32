/*
 * The IANA registry's tables and the ways to look into them. The tables are generated
 * (tools/registry.py says what each holds) and hold offsets instead of pointers, so that a program
 * that links them starts no slower for them.
 */
#include "port/registry.h"

#include <string.h>

#include "base/check.h"
#include "base/similar.h"

struct row {
	uint32_t name, description, reference, notes; /* offsets into text */
	uint16_t first, last;
	uint8_t protocol, status;
	bool has_port;
};

struct alias {
	uint32_t alias, name; /* offsets into text */
};

#include "port/registry_tables.inc"

/* Which ports have a service: a bitmap, the bits set before each of its words, and the services'
 * rows in the order of the bits. */
struct service_index {
	const uint64_t *bits;
	const uint16_t *before, *rows;
};

size_t registry_count(void)
{
	return array_length(rows);
}

bool registry_entry(size_t index, struct registry_entry *ret)
{
	if (index >= array_length(rows))
		return false;
	const struct row *r = &rows[index];

	*ret = (struct registry_entry){
		.name = text + r->name,
		.description = text + r->description,
		.reference = text + r->reference,
		.notes = text + r->notes,
		.first = r->first,
		.last = r->last,
		.has_port = r->has_port,
		.protocol = r->protocol,
		.status = r->status,
	};
	return true;
}

static bool row_is_for(const struct row *r, unsigned protocols)
{
	return r->protocol == REGISTRY_NONE || (r->protocol & protocols) != 0;
}

/* The first row from which on all ports are at least `port`. Rows without one sort behind all. */
static size_t first_row_at(uint32_t port)
{
	size_t low = 0, high = array_length(rows);

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (rows[middle].has_port && rows[middle].first < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool registry_by_port(uint16_t port, unsigned protocols, size_t index, struct registry_entry *ret)
{
	for (size_t i = first_row_at(port); i < array_length(rows); i++) {
		const struct row *r = &rows[i];

		if (!r->has_port || r->first != port)
			break;
		if (r->first == r->last && row_is_for(r, protocols) && index-- == 0)
			return registry_entry(i, ret);
	}
	for (size_t i = 0; i < array_length(ranges); i++) {
		const struct row *r = &rows[ranges[i]];

		if (r->first <= port && port <= r->last && row_is_for(r, protocols) && index-- == 0)
			return registry_entry(ranges[i], ret);
	}
	return false;
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

/* RFC 6335, 5.1: names are ASCII and compared without regard to case. */
static int compare_names(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) - lower(*b);
}

/* Where in `names` the rows begin that are called `name`. */
static size_t first_name(const char *name)
{
	size_t low = 0, high = array_length(names);

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_names(text + rows[names[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The *index-th row of exactly this name; *index goes down by those that are skipped. */
static bool find_name(const char *name, unsigned protocols, size_t *index,
		      struct registry_entry *ret)
{
	for (size_t i = first_name(name); i < array_length(names); i++) {
		const struct row *r = &rows[names[i]];

		if (compare_names(text + r->name, name) != 0)
			break;
		if (row_is_for(r, protocols) && (*index)-- == 0)
			return registry_entry(names[i], ret);
	}
	return false;
}

bool registry_by_name(const char *name, unsigned protocols, size_t index,
		      struct registry_entry *ret)
{
	if (name[0] == '\0')
		return false;
	if (find_name(name, protocols, &index, ret))
		return true;
	for (size_t i = 0; i < array_length(aliases); i++) {
		if (compare_names(text + aliases[i].alias, name) == 0 &&
		    find_name(text + aliases[i].name, protocols, &index, ret))
			return true;
	}
	return false;
}

const char *registry_service_name(uint16_t port, enum registry_protocol protocol)
{
	struct service_index index;

	switch (protocol) {
	case REGISTRY_TCP:
		index = (struct service_index){ tcp_bits, tcp_before, tcp_rows };
		break;
	case REGISTRY_UDP:
		index = (struct service_index){ udp_bits, udp_before, udp_rows };
		break;
	case REGISTRY_SCTP:
		index = (struct service_index){ sctp_bits, sctp_before, sctp_rows };
		break;
	case REGISTRY_DCCP:
		index = (struct service_index){ dccp_bits, dccp_before, dccp_rows };
		break;
	case REGISTRY_NONE:
	case REGISTRY_ANY:
	default:
		return NULL;
	}
	const uint64_t word = index.bits[port / 64];
	const uint64_t bit = UINT64_C(1) << (port % 64);

	if ((word & bit) == 0)
		return NULL;
	const int rank = index.before[port / 64] + __builtin_popcountll(word & (bit - 1));

	return text + rows[index.rows[rank]].name;
}

/* Takes the word for the best so far if it is nearer than `*limit`. */
static void consider(const char *name, const char *word, size_t *limit, const char **best)
{
	const size_t d = similar_distance(name, word, *limit);

	if (d < *limit) {
		*best = word;
		*limit = d;
	}
}

/* Among equally near names the one at the lowest port wins: the well-known services come first, as
 * the rows are in order of ports. */
const char *registry_suggest(const char *name)
{
	size_t limit = similar_limit(name);
	const char *best = NULL;

	for (size_t i = 0; i < array_length(rows) && limit > 0; i++) {
		if (rows[i].name != 0)
			consider(name, text + rows[i].name, &limit, &best);
	}
	for (size_t i = 0; i < array_length(aliases) && limit > 0; i++)
		consider(name, text + aliases[i].alias, &limit, &best);
	return best;
}

const char *registry_protocol_name(enum registry_protocol protocol)
{
	switch (protocol) {
	case REGISTRY_TCP:
		return "tcp";
	case REGISTRY_UDP:
		return "udp";
	case REGISTRY_SCTP:
		return "sctp";
	case REGISTRY_DCCP:
		return "dccp";
	case REGISTRY_NONE:
	case REGISTRY_ANY:
	default:
		return "";
	}
}
