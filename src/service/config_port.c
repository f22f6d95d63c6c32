/*
 * A port as it is written: "[ADDRESS:]PORT[/PROTOCOL]", the port by IANA's name (RFC 6335, 5.1), an
 * alias of it, or a number.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/quantity.h"
#include "port/registry.h"
#include "service/config_private.h"

#define PORT_LAST 65535

static bool fail_unknown(struct reader *r, const struct node *value, const char *name)
{
	const char *best = registry_suggest(name);

	if (best)
		return reader_fail(r, value->place,
				   "IANA knows no service '%.64s'; did you mean '%s'?", name, best);
	return reader_fail(r, value->place,
			   "'%.64s' is neither a port from 1 to 65535 nor a service that IANA "
			   "knows; 'reeve services' finds them",
			   name);
}

/* "[2001:db8::1]:http" and "198.18.0.5:http" lose their address. */
static bool take_address(struct reader *r, const struct node *value, char **text,
			 struct config_port *p)
{
	char *address = *text, *end = strrchr(address, ':');

	if (!end)
		return true;
	*text = end + 1;
	if (*address == '[' && end > address && end[-1] == ']') {
		address++;
		end--;
	} else if (strchr(address, ':') < end) {
		/* "::1:80" is an address as a whole, too. */
		*end = '\0';
		return reader_fail(r, value->place,
				   "'%.64s': an IPv6 address before a port stands in brackets, "
				   "\"[%.64s]:%.32s\"",
				   address, address, *text);
	}
	*end = '\0';
	if (reeve_address_parse(address, &p->address) < 0)
		return reader_fail(r, value->place,
				   "'%.64s' is no address; a port is [ADDRESS:]PORT[/PROTOCOL]",
				   address);
	p->has_address = true;
	return true;
}

static bool take_protocol(struct reader *r, const struct node *value, char *text,
			  unsigned *ret_protocols)
{
	char *slash = strchr(text, '/');

	*ret_protocols = REGISTRY_TCP | REGISTRY_UDP;
	if (!slash)
		return true;
	*slash = '\0';
	if (strcasecmp(slash + 1, "tcp") == 0)
		*ret_protocols = REGISTRY_TCP;
	else if (strcasecmp(slash + 1, "udp") == 0)
		*ret_protocols = REGISTRY_UDP;
	else
		return reader_fail(r, value->place, "a protocol is tcp or udp, not '%.64s'",
				   slash + 1);
	return true;
}

static bool is_port_of(const struct registry_entry *e, const char *name, bool by_name)
{
	return e->has_port && e->first == e->last && e->first > 0 &&
	       (strcasecmp(e->name, name) == 0) == by_name;
}

/* The port of that name, else of that alias; TCP's where there are both protocols. More than one
 * port is no answer: "whois" is 43 and 63. */
static bool look_up(struct reader *r, const struct node *value, const char *name,
		    unsigned protocols, struct config_port *p)
{
	struct registry_entry e, found = { .first = 0 };

	for (int by_name = 1; by_name >= 0 && found.first == 0; by_name--) {
		for (size_t i = 0; registry_by_name(name, protocols, i, &e); i++) {
			if (!is_port_of(&e, name, by_name))
				continue;
			if (found.first && found.first != e.first)
				return reader_fail(r, value->place,
						   "'%.64s' is %s (%u) and %s (%u): which?", name,
						   found.name, found.first, e.name, e.first);
			if (found.first == 0 || e.protocol == REGISTRY_TCP)
				found = e;
		}
	}
	if (found.first == 0 && registry_by_name(name, REGISTRY_ANY, 0, &e))
		return reader_fail(r, value->place, "IANA gives '%.64s' no port of %s", name,
				   protocols == REGISTRY_TCP   ? "TCP"
				   : protocols == REGISTRY_UDP ? "UDP"
							       : "TCP or UDP");
	if (found.first == 0)
		return fail_unknown(r, value, name);
	p->port = found.first;
	p->is_udp = found.protocol == REGISTRY_UDP;
	return true;
}

bool reader_port(struct reader *r, const struct node *value, struct config_port *p)
{
	struct arena *a = &r->config->arena;
	const char *text = "";
	unsigned protocols;
	int64_t number;

	if (!reader_text(r, value, &text))
		return false;
	*p = (struct config_port){ .place = value->place, .text = text };
	char *rest = arena_copy(a, text, strlen(text));

	/* The slash first: no address has one. */
	if (!take_protocol(r, value, rest, &protocols) || !take_address(r, value, &rest, p))
		return false;
	p->label = rest;
	const int error = quantity_count(rest, 1, PORT_LAST, &number);

	if (error == -ERANGE)
		return reader_fail(r, value->place, "a port is 1 to 65535, not '%.64s'", rest);
	if (error)
		return look_up(r, value, rest, protocols, p);
	p->port = (uint16_t)number;
	p->is_udp = protocols == REGISTRY_UDP;
	return true;
}
