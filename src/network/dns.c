#include "network/dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "network/dns_stream.h"
#include "network/host.h"
#include "wire/dns.h"

#define PORT            53
#define EDNS_SIZE       1232 /* what needs no fragments anywhere */
#define TTL_S           5    /* hosts come and go */
#define NEGATIVE_S      1
#define ANSWER_MAX      4096
#define MAX_NAMESERVERS 8

static const struct dns_name root = { .length = 1 };

struct answer {
	struct dns_writer w;
	struct dns_header header;
	const struct dns_query *query;
};

static void add_record(struct answer *a, uint16_t *count, const struct dns_record *record)
{
	dns_write_record(&a->w, record);
	++*count;
}

static void add_address(struct answer *a, const struct reeve_address *address)
{
	const bool is_ipv4 = reeve_address_is_ipv4(address);
	const struct dns_record record = {
		.name = a->query->question.name,
		.type = is_ipv4 ? DNS_A : DNS_AAAA,
		.class = DNS_IN,
		.ttl_s = TTL_S,
		.data = address->bytes + (is_ipv4 ? 12 : 0),
		.data_length = is_ipv4 ? 4 : 16,
	};

	add_record(a, &a->header.answers, &record);
}

static void add_pointer(struct answer *a, const char *host)
{
	struct dns_name name;
	struct dns_record record = {
		.name = a->query->question.name,
		.type = DNS_PTR,
		.class = DNS_IN,
		.ttl_s = TTL_S,
	};

	check(dns_name_from_text(host, &name));
	record.data = name.bytes;
	record.data_length = name.length;
	add_record(a, &a->header.answers, &record);
}

/* RFC 2308, 3: how long "there is none" may be remembered stands in the SOA. */
static void add_soa(struct answer *a)
{
	static const uint32_t numbers[5] = { 1, 3600, 600, 86400, NEGATIVE_S };
	uint8_t data[64 + sizeof(numbers)];
	struct dns_writer w = { .bytes = data, .size = sizeof(data) };
	struct dns_name name;
	const struct dns_record record = {
		.name = root,
		.type = DNS_SOA,
		.class = DNS_IN,
		.ttl_s = NEGATIVE_S,
		.data = data,
		.data_length = 0,
	};
	struct dns_record whole = record;

	check(dns_name_from_text("gateway", &name));
	dns_write_name(&w, &name);
	check(dns_name_from_text("hostmaster.gateway", &name));
	dns_write_name(&w, &name);
	for (size_t i = 0; i < array_length(numbers); i++)
		store_be32(data + w.length + i * sizeof(numbers[0]), numbers[i]);
	whole.data_length = (uint16_t)(w.length + sizeof(numbers));
	add_record(a, &a->header.authorities, &whole);
}

static void add_edns(struct answer *a, unsigned rcode)
{
	const struct dns_record record = {
		.name = root,
		.type = DNS_OPT,
		.class = EDNS_SIZE,
		.ttl_s = (uint32_t)(rcode >> 4) << 24,
	};

	add_record(a, &a->header.additionals, &record);
}

static bool wants(const struct dns_query *q, uint16_t type)
{
	return q->question.type == type || q->question.type == DNS_ANY;
}

/* The records; the code. A name that exists without records of the type is no error (RFC 2308). */
static unsigned resolve(const struct network *n, struct answer *a)
{
	const struct dns_query *q = a->query;
	const struct network_host *host;
	struct reeve_address address;
	char label[DNS_LABEL_MAX + 1];

	if (dns_name_single_label(&q->question.name, label)) {
		host = host_by_name(n, label);
		if (host && wants(q, DNS_A))
			add_address(a, &host->address);
		/* RFC 6761, 6.3: localhost is the asker itself. */
		if (!host && !strcasecmp(label, "localhost")) {
			if (wants(q, DNS_A))
				add_address(a, &reeve_loopback_ipv4);
			if (wants(q, DNS_AAAA))
				add_address(a, &reeve_loopback_ipv6);
			return DNS_NOERROR;
		}
		return host ? DNS_NOERROR : DNS_NXDOMAIN;
	}
	if (dns_name_reverse(&q->question.name, &address)) {
		host = host_by_address(n, &address);
		const char *name = host                                  ? host->name
				   : reeve_address_is_loopback(&address) ? "localhost"
									 : NULL;

		if (name && wants(q, DNS_PTR))
			add_pointer(a, name);
		return name ? DNS_NOERROR : DNS_NXDOMAIN;
	}
	return DNS_NXDOMAIN;
}

static unsigned decide(const struct network *n, enum dns_verdict verdict, struct answer *a)
{
	const struct dns_query *q = a->query;

	if (dns_opcode(q->header.flags) != 0)
		return DNS_NOTIMP;
	if (verdict == DNS_MALFORMED)
		return DNS_FORMERR;
	if (q->has_edns && q->edns_version != 0)
		return DNS_BADVERS;
	if (q->question.class != DNS_IN && q->question.class != DNS_CLASS_ANY)
		return DNS_REFUSED;
	const unsigned rcode = resolve(n, a);

	if (a->header.answers == 0)
		add_soa(a);
	return rcode;
}

size_t dns_answer(const struct network *n, const void *message, size_t length, void *ret,
		  size_t size)
{
	struct dns_query query;
	const enum dns_verdict verdict = dns_parse_query(message, length, &query);
	struct answer a = { .w = { .bytes = ret, .size = size }, .query = &query };
	struct dns_writer head = { .bytes = ret, .size = DNS_HEADER_LENGTH };
	unsigned rcode;

	if (verdict == DNS_IGNORE || size < DNS_HEADER_LENGTH)
		return 0;
	a.header.id = query.header.id;
	a.header.flags = (uint16_t)(DNS_RESPONSE | DNS_AUTHORITATIVE | DNS_RECURSION_AVAILABLE |
				    (query.header.flags & (DNS_RECURSION_DESIRED | 0x7800)));
	dns_write_header(&a.w, &a.header);
	if (verdict == DNS_QUERY) {
		dns_write_question(&a.w, &query.question);
		a.header.questions = 1;
	}
	rcode = decide(n, verdict, &a);
	if (query.has_edns)
		add_edns(&a, rcode);
	if (a.w.overflowed) {
		/* RFC 2181, 9: the asker comes again by TCP. */
		a.header.flags |= DNS_TRUNCATED;
		a.header.questions = a.header.answers = 0;
		a.header.authorities = a.header.additionals = 0;
		a.w.length = DNS_HEADER_LENGTH;
	}
	a.header.flags |= (uint16_t)(rcode & 15);
	dns_write_header(&head, &a.header);
	return a.w.length;
}

/* One UDP socket that takes queries. In host->resolvers, as the TCP ones of dns_stream.h. */
struct dns_port {
	struct socket_owner owner;
	struct list node;
	struct reeve_udp *udp;
	struct dns_listener *tcp;
};

static size_t size_for(const void *message, size_t length)
{
	struct dns_query query;

	if (dns_parse_query(message, length, &query) != DNS_QUERY)
		return DNS_UDP_MAX;
	return query.udp_size < EDNS_SIZE ? query.udp_size : EDNS_SIZE;
}

static void answer_datagram(struct dns_port *port, const struct reeve_datagram *d)
{
	uint8_t message[ANSWER_MAX], reply[EDNS_SIZE];
	struct iovec iov = { .iov_base = reply };
	size_t length = 0;

	if (d->length > sizeof(message) || d->remote.port == 0)
		return;
	for (size_t i = 0; i < d->iov_count; i++) {
		memcpy(message + length, d->iov[i].iov_base, d->iov[i].iov_len);
		length += d->iov[i].iov_len;
	}
	iov.iov_len = dns_answer(port->owner.host->station.network, message, length, reply,
				 size_for(message, length));
	/* What does not fit the host's queues now is lost as any datagram; the asker asks again. */
	if (iov.iov_len > 0)
		reeve_udp_send(port->udp, &d->remote, &d->local, &iov, 1);
}

static void port_event(struct socket_owner *owner, const struct reeve_event *event)
{
	struct dns_port *port = container_of(owner, struct dns_port, owner);
	struct reeve_datagram datagram;

	(void)event;
	reeve_udp_error(port->udp);
	while (reeve_udp_peek(port->udp, &datagram)) {
		answer_datagram(port, &datagram);
		reeve_udp_consume(port->udp);
	}
	host_activate(owner->host);
}

static const struct socket_owner_ops port_ops = { .event = port_event };

static void port_free(struct dns_port *port)
{
	reeve_udp_close(port->udp);
	dns_listener_free(port->tcp);
	socket_owner_deinit(&port->owner);
	list_remove(&port->node);
	free(port);
}

static int open_port(struct network_host *host, const struct reeve_prefix *to)
{
	struct dns_port *port = calloc(1, sizeof(*port));
	int r;

	if (!port)
		return -ENOMEM;
	socket_owner_init(&port->owner, &port_ops, host);
	list_init(&port->node);
	r = reeve_udp_intercept(host->stack, to, PORT, &port->owner, &port->udp);
	if (r == 0)
		r = dns_listener_new(host, to, PORT, &port->tcp);
	if (r < 0) {
		port_free(port);
		return r;
	}
	list_append(&host->resolvers, &port->node);
	host->own_sockets += 2;
	return 0;
}

int dns_open_gateway(struct network_host *gateway)
{
	return open_port(gateway, NULL);
}

/* What resolv.conf(5) names, as far as the hosts have to do with it. */
struct nameservers {
	struct reeve_address loopback[MAX_NAMESERVERS], ipv6[MAX_NAMESERVERS];
	unsigned loopback_count, ipv6_count;
	bool has_ipv4; /* some, of whatever kind */
};

static void add_once(struct reeve_address list[MAX_NAMESERVERS], unsigned *count,
		     const struct reeve_address *a)
{
	for (unsigned i = 0; i < *count; i++)
		if (reeve_address_equal(&list[i], a))
			return;
	if (*count < MAX_NAMESERVERS)
		list[(*count)++] = *a;
}

static void add_nameserver(struct nameservers *n, const char *text)
{
	struct reeve_address a;

	if (reeve_address_parse(text, &a) < 0)
		return;
	n->has_ipv4 |= reeve_address_is_ipv4(&a);
	if (reeve_address_is_loopback(&a))
		add_once(n->loopback, &n->loopback_count, &a);
	else if (!reeve_address_is_ipv4(&a))
		add_once(n->ipv6, &n->ipv6_count, &a);
}

/* "nameserver ADDRESS", with white space between, and for IPv6 maybe a zone behind it. */
static void read_nameservers(struct nameservers *n)
{
	FILE *file = fopen("/etc/resolv.conf", "re");
	char line[256], address[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " nameserver %63s", address) != 1)
			continue;
		address[strcspn(address, "%")] = '\0';
		add_nameserver(n, address);
	}
	if (file)
		fclose(file);
}

static int open_at(struct network_host *host, const struct reeve_address *a)
{
	const struct reeve_prefix to = { *a, reeve_address_is_ipv4(a) ? 32 : 128 };

	return open_port(host, &to);
}

/* Hosts have no way to other addresses of IPv6. So one that is nothing but a resolver's is each
 * host's own, where a program has no other to ask. */
static int open_ipv6(struct network_host *host, const struct nameservers *n)
{
	int r = 0;

	for (unsigned i = 0; i < n->ipv6_count && r == 0; i++) {
		const struct reeve_prefix own = { n->ipv6[i], 128 };

		r = reeve_host_add_address(host->stack, 0, &own);
		if (r == 0)
			r = open_at(host, &n->ipv6[i]);
	}
	return r;
}

int dns_open_resolvers(struct network_host *host)
{
	struct nameservers n = { .loopback_count = 0 };
	int r = 0;

	read_nameservers(&n);
	const bool has_ipv4 = n.has_ipv4;

	/* Where none is named these are asked, too. */
	add_nameserver(&n, "127.0.0.1");
	add_nameserver(&n, "127.0.0.53");
	for (unsigned i = 0; i < n.loopback_count && r == 0; i++)
		r = open_at(host, &n.loopback[i]);
	return r == 0 && !has_ipv4 ? open_ipv6(host, &n) : r;
}

void dns_close(struct network_host *host)
{
	list_for_each_safe(node, &host->resolvers)
		port_free(list_entry(node, struct dns_port, node));
}
