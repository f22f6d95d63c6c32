/*
 * `reeve services`: what the IANA registry says of ports and names, and what a host serves now.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/sockets.h"
#include "port/registry.h"

#define WELL_KNOWN_LAST 1023 /* RFC 6335, 6 */
#define REGISTERED_LAST 49151
#define PORT_LAST       65535

struct services_options {
	const char *host;
};

/* What one operand asks for: a name, or ports. */
struct query {
	const char *text;
	char name[64]; /* empty: ports */
	uint16_t first, last;
	unsigned protocols;
};

struct listing {
	struct table *table; /* or NULL: */
	json_t *array;
	size_t count;
};

static const char *range_name(uint16_t port)
{
	return port <= WELL_KNOWN_LAST   ? "well-known"
	       : port <= REGISTERED_LAST ? "registered"
					 : "dynamic";
}

static const char *status_name(uint8_t status)
{
	return status == REGISTRY_ASSIGNED   ? "assigned"
	       : status == REGISTRY_RESERVED ? "reserved"
					     : "unassigned";
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static void list_json(json_t *array, const struct registry_entry *e)
{
	json_t *object = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:s}", "service", text_or_null(e->name),
		"first", e->has_port ? json_integer(e->first) : json_null(), "last",
		e->has_port ? json_integer(e->last) : json_null(), "range",
		e->has_port ? json_string(range_name(e->first)) : json_null(), "protocol",
		text_or_null(registry_protocol_name(e->protocol)), "status", status_name(e->status),
		"description", e->description, "reference", e->reference, "notes", e->notes);

	json_array_append_new(array, object);
}

static void list_entry(struct listing *l, const struct registry_entry *e)
{
	l->count++;
	if (l->array) {
		list_json(l->array, e);
		return;
	}
	if (!e->has_port)
		table_add(l->table, "");
	else if (e->first == e->last)
		table_addf(l->table, "%u", e->first);
	else
		table_addf(l->table, "%u-%u", e->first, e->last);
	table_add(l->table, e->protocol ? registry_protocol_name(e->protocol) : "any");
	table_add(l->table, e->name);
	table_add(l->table, status_name(e->status));
	if (*e->reference)
		table_addf(l->table, "%s %s", e->description, e->reference);
	else
		table_add(l->table, e->description);
}

/* Of ports the registry has no row for. RFC 6335, 6: from 49152 up none is ever assigned. */
static void list_unlisted(struct listing *l, uint16_t first, uint16_t last)
{
	const struct registry_entry e = {
		.name = "",
		.description = first > REGISTERED_LAST ? "Dynamic or private: free to any program"
						       : "Not in the registry",
		.reference = first > REGISTERED_LAST ? "[RFC6335]" : "",
		.notes = "",
		.first = first,
		.last = last,
		.has_port = true,
		.status = REGISTRY_UNASSIGNED,
	};

	list_entry(l, &e);
}

static void list_port(struct listing *l, const struct query *q)
{
	struct registry_entry e;
	const size_t before = l->count;

	for (size_t i = 0; registry_by_port(q->first, q->protocols, i, &e); i++)
		list_entry(l, &e);
	if (l->count == before)
		list_unlisted(l, q->first, q->first);
}

static void list_ports(struct listing *l, const struct query *q)
{
	struct registry_entry e;

	for (size_t i = 0; registry_entry(i, &e); i++) {
		const bool protocol = !e.protocol || (e.protocol & q->protocols);

		if (e.has_port && e.last >= q->first && e.first <= q->last && protocol)
			list_entry(l, &e);
	}
	if (q->last > REGISTERED_LAST)
		list_unlisted(l, q->first > REGISTERED_LAST ? q->first : REGISTERED_LAST + 1,
			      q->last);
}

static int list_name(struct listing *l, const struct query *q)
{
	struct registry_entry e;
	const size_t before = l->count;

	for (size_t i = 0; registry_by_name(q->name, q->protocols, i, &e); i++)
		list_entry(l, &e);
	if (l->count > before)
		return EX_OK;
	if (registry_by_name(q->name, REGISTRY_ANY, 0, &e))
		return say_fail(EX_DATAERR,
				"service '%s' is not registered for that protocol: '%s'", q->name,
				q->text);
	const char *best = registry_suggest(q->name);

	if (best)
		return say_fail(EX_DATAERR, "no service '%s'; did you mean '%s'?", q->name, best);
	return say_fail(EX_DATAERR, "no service '%s' in the IANA registry", q->name);
}

static bool find_protocol(const char *name, unsigned *ret)
{
	for (unsigned p = REGISTRY_TCP; p <= REGISTRY_DCCP; p <<= 1) {
		if (strcasecmp(name, registry_protocol_name(p)) == 0) {
			*ret = p;
			return true;
		}
	}
	return false;
}

/* "80" or "8000-8100". 1: it is not ports at all; 0; or the exit status. */
static int parse_ports(char *text, struct query *q)
{
	int64_t first, last;
	char *dash;

	if (!isdigit((unsigned char)text[0]) || text[strspn(text, "0123456789-")] != '\0')
		return 1;
	dash = strchr(text, '-');
	if (dash)
		*dash++ = '\0';
	if (quantity_count(text, 0, PORT_LAST, &first) < 0 ||
	    quantity_count(dash ? dash : text, 0, PORT_LAST, &last) < 0)
		return say_fail(EX_USAGE, "'%s' is no port: they are 0 to 65535", q->text);
	if (first > last)
		return say_fail(EX_USAGE, "range '%s' is backwards; the lower port comes first",
				q->text);
	q->first = (uint16_t)first;
	q->last = (uint16_t)last;
	return 0;
}

/* 0, or the exit status after a complaint. */
static int parse_query(const char *text, struct query *q)
{
	struct registry_entry e;

	*q = (struct query){ .text = text, .protocols = REGISTRY_ANY };
	if (strlen(text) >= sizeof(q->name))
		return say_fail(EX_USAGE, "'%.40s...' is no service's name: they have 15 letters",
				text);
	char word[sizeof(q->name)];

	snprintf(word, sizeof(word), "%s", text);
	/* A few old names have a slash in them. */
	char *slash = registry_by_name(text, REGISTRY_ANY, 0, &e) ? NULL : strrchr(word, '/');

	if (slash) {
		*slash++ = '\0';
		if (!find_protocol(slash, &q->protocols))
			return say_fail(EX_USAGE,
					"no protocol '%s'; there are tcp, udp, sctp, dccp", slash);
	}
	char ports[sizeof(word)];

	memcpy(ports, word, sizeof(ports));
	if (word[0] == '\0')
		return say_fail(EX_USAGE, "'%s' names no port and no service", text);
	const int status = parse_ports(ports, q);

	if (status == 1)
		memcpy(q->name, word, sizeof(q->name));
	return status == 1 ? 0 : status;
}

static int list_query(struct listing *l, const char *text)
{
	struct query q;
	const int status = parse_query(text, &q);

	if (status)
		return status;
	if (q.name[0])
		return list_name(l, &q);
	if (q.first == q.last)
		list_port(l, &q);
	else
		list_ports(l, &q);
	return EX_OK;
}

static int list_registry(const struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "PORT", false },   { "PROTOCOL", false },    { "SERVICE", false },
		{ "STATUS", false }, { "DESCRIPTION", false },
	};
	struct listing l = { 0 };
	struct registry_entry e;
	int status = EX_OK;

	if (invocation->json)
		l.array = json_array();
	else
		l.table = table_new(columns, array_length(columns));
	for (int i = 0; i < invocation->operand_count; i++) {
		const int one = list_query(&l, invocation->operands[i]);

		status = status ? status : one;
	}
	if (invocation->operand_count == 0) {
		for (size_t i = 0; registry_entry(i, &e); i++)
			list_entry(&l, &e);
	}
	if (l.array)
		json_print(l.array);
	else if (l.count)
		table_print(l.table);
	json_decref(l.array);
	table_free(l.table);
	return status;
}

static int run(const struct invocation *invocation, const void *values)
{
	const struct services_options *options = values;

	if (!options->host)
		return list_registry(invocation);
	if (invocation->operand_count)
		return say_fail(EX_USAGE,
				"either --host or '%s': --host lists what a host serves now",
				invocation->operands[0]);
	return sockets_list_services(invocation, options->host);
}

static const struct option_spec options[] = {
	{ .name = "host",
	  .kind = OPTION_TEXT,
	  .argument = "HOST",
	  .help = "what this host serves now, instead",
	  .offset = offsetof(struct services_options, host) },
	{ 0 },
};

const struct command command_services = {
	.name = "services",
	.summary = "Look up services and ports in the IANA registry",
	.operands = "[PORT|RANGE|NAME][/PROTOCOL]...\n--host HOST",
	.text = "Without an argument, the whole registry. PROTOCOL is tcp, udp, sctp or dccp.",
	.examples = "  reeve services 80              what port 80 is for\n"
		    "  reeve services http            the ports of a service\n"
		    "  reeve services 8000-8100/tcp   a range, one protocol\n"
		    "  reeve services whois           nicname at 43, and whoispp at 63\n"
		    "  reeve services --host web      what host web serves now\n",
	.options = options,
	.uses = USES_NETWORK | USES_JSON,
	.most_operands = -1,
	.values_size = sizeof(struct services_options),
	.run = run,
};
