/*
 * The demultiplexer beside lists that are searched from end to end, over so few addresses and ports
 * that everything collides. Each step is four bytes: what, which, and two that make a name of it.
 */
#include <errno.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/cursor.h"
#include "fuzz.h"
#include "port/demux.h"

#define FLOWS     48
#define LISTENERS 16
#define MOST      (FLOWS - 8) /* flows that the demux takes */

enum deed {
	DEED_FLOW, /* added, or removed when it is there */
	DEED_REPLACE,
	DEED_FIND,
	DEED_LISTENER,
	DEED_LISTEN, /* finds a listener */
	DEED_MATCH,  /* all that match */
	DEED_WALK,
	DEED_COUNT,
};

struct bench {
	struct port_demux *demux;
	bool duplicates;
	struct port_flow flows[FLOWS];
	struct port_listener listeners[LISTENERS];
	uint32_t flow_age[FLOWS], listener_age[LISTENERS]; /* 0: not in */
	uint32_t clock, flow_count, listener_count;
};

/* 192.0.2.1, .2, 0.0.0.0, ::, 2001:db8::1 */
static struct reeve_address address_number(unsigned i)
{
	struct reeve_address a = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };

	switch (i % 5) {
	case 0:
	case 1:
		return reeve_address_from_ipv4(0xc0000201 + i % 5);
	case 2:
		return reeve_any_ipv4;
	case 3:
		return reeve_any_ipv6;
	default:
		return a;
	}
}

static struct port_flow flow_of(uint8_t a, uint8_t b)
{
	return (struct port_flow){
		.local_address = address_number(a & 1),
		.remote_address = address_number((a >> 1 & 1) + (a & 4 ? 3 : 0)),
		.local_port = (uint16_t)(65535 - (a >> 6)),
		.remote_port = b % 8,
	};
}

static bool is_same(const struct port_flow *a, const struct port_flow *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       reeve_address_equal(&a->local_address, &b->local_address) &&
	       reeve_address_equal(&a->remote_address, &b->remote_address);
}

/* The newest of the flows with this four-tuple. */
static const struct port_flow *slow_find(const struct bench *b, const struct port_flow *like)
{
	int best = -1;

	for (int i = 0; i < FLOWS; i++) {
		if (b->flow_age[i] && is_same(&b->flows[i], like) &&
		    (best < 0 || b->flow_age[i] > b->flow_age[best]))
			best = i;
	}
	return best < 0 ? NULL : &b->flows[best];
}

static void check_find(const struct bench *b, const struct port_flow *like)
{
	const struct reeve_sockaddr local = { like->local_address, like->local_port, 0 };
	const struct reeve_sockaddr remote = { like->remote_address, like->remote_port, 0 };

	check(port_demux_find_flow(b->demux, &local, &remote) == slow_find(b, like));
	check(port_demux_flow_count(b->demux) == b->flow_count);
}

static void change_flow(struct bench *b, uint8_t which, const struct port_flow *as)
{
	const unsigned i = which % FLOWS;

	if (b->flow_age[i]) {
		port_demux_remove_flow(b->demux, &b->flows[i]);
		b->flow_age[i] = 0;
		b->flow_count--;
		return;
	}
	const bool taken = slow_find(b, as) && !b->duplicates;

	b->flows[i] = *as;
	const int added = port_demux_add_flow(b->demux, &b->flows[i]);

	if (b->flow_count >= MOST) {
		check(added == -ENOBUFS || (taken && added == -EADDRINUSE));
		return;
	}
	check(added == (taken ? -EADDRINUSE : 0));
	if (added == 0) {
		b->flow_age[i] = ++b->clock;
		b->flow_count++;
	}
}

static void replace_flow(struct bench *b, uint8_t which, uint8_t with)
{
	const unsigned i = which % FLOWS, k = with % FLOWS;

	if (b->duplicates || !b->flow_age[i] || b->flow_age[k])
		return;
	b->flows[k] = b->flows[i];
	port_demux_replace_flow(b->demux, &b->flows[i], &b->flows[k]);
	b->flow_age[k] = b->flow_age[i];
	b->flow_age[i] = 0;
	check_find(b, &b->flows[k]);
}

static void check_walk(const struct bench *b)
{
	bool seen[FLOWS] = { 0 };
	uint64_t cursor = 0;
	uint32_t count = 0;
	const struct port_flow *f;

	for (; (f = port_demux_next_flow(b->demux, &cursor)); count++) {
		const size_t i = (size_t)(f - b->flows);

		check(i < FLOWS && b->flow_age[i] && !seen[i]);
		seen[i] = true;
	}
	check(count == b->flow_count);
}

static void change_listener(struct bench *b, uint8_t which, uint8_t a, uint8_t c)
{
	const unsigned i = which % LISTENERS;
	struct port_listener *const l = &b->listeners[i];

	if (b->listener_age[i]) {
		port_demux_remove_listener(b->demux, l);
		b->listener_age[i] = 0;
		b->listener_count--;
	} else {
		*l = (struct port_listener){
			.address = address_number(a),
			.port = (uint16_t)(c & 1 ? 80 : 65535),
			.reuse_port = c & 2,
		};
		l->ipv6 = !reeve_address_is_ipv4(&l->address) || c & 4;
		l->ipv6_only = !reeve_address_is_ipv4(&l->address) && c & 8;
		check(port_demux_add_listener(b->demux, l) == 0);
		b->listener_age[i] = ++b->clock;
		b->listener_count++;
	}
	check(port_demux_listener_count(b->demux) == b->listener_count);
}

/* Linux's compute_score(), socket by socket: 0, doesn't take it. */
static unsigned score(const struct port_listener *l, const struct reeve_sockaddr *local)
{
	const bool to_ipv4 = reeve_address_is_ipv4(&local->address);

	if (l->port != local->port || (l->ipv6_only && to_ipv4))
		return 0;
	if (reeve_address_equal(&l->address, &local->address))
		return to_ipv4 && l->ipv6 ? 5 : 6;
	if (!reeve_address_is_unspecified(&l->address))
		return 0;
	if (reeve_address_is_ipv4(&l->address))
		return to_ipv4 ? (l->ipv6 ? 3 : 4) : 0;
	return to_ipv4 ? 1 : 4;
}

static void check_listener(const struct bench *b, const struct reeve_sockaddr *local)
{
	const struct reeve_sockaddr remote = { address_number(1), 1024, 0 };
	const struct port_listener *const found =
		port_demux_find_listener(b->demux, local, &remote);
	unsigned best = 0;
	int newest = -1;

	for (int i = 0; i < LISTENERS; i++) {
		const unsigned s = b->listener_age[i] ? score(&b->listeners[i], local) : 0;

		if (s > best || (s && s == best && b->listener_age[i] > b->listener_age[newest])) {
			best = s;
			newest = i;
		}
	}
	check(!found == (newest < 0));
	if (!found)
		return;
	check(score(found, local) == best);
	if (b->listeners[newest].reuse_port)
		check(found->reuse_port &&
		      reeve_address_equal(&found->address, &b->listeners[newest].address));
	else
		check(found == &b->listeners[newest]);
}

static void check_matches(const struct bench *b, const struct reeve_sockaddr *local)
{
	bool seen[LISTENERS] = { 0 };
	const struct port_listener *l = NULL;
	unsigned count = 0;

	while ((l = port_demux_next_match(b->demux, local, l))) {
		const size_t i = (size_t)(l - b->listeners);

		check(i < LISTENERS && b->listener_age[i] && !seen[i] && score(l, local) > 0);
		seen[i] = true;
		count++;
	}
	for (unsigned i = 0; i < LISTENERS; i++)
		count -= b->listener_age[i] && score(&b->listeners[i], local) > 0;
	check(count == 0);
}

static void one_step(struct bench *b, const uint8_t step[4])
{
	const struct port_flow flow = flow_of(step[2], step[3]);
	const struct reeve_sockaddr local = { address_number(step[2]), step[3] & 1 ? 80 : 65535,
					      0 };

	switch ((enum deed)(step[0] % DEED_COUNT)) {
	case DEED_FLOW:
		change_flow(b, step[1], &flow);
		check_find(b, &flow);
		break;
	case DEED_REPLACE:
		replace_flow(b, step[1], step[2]);
		break;
	case DEED_FIND:
		check_find(b, &flow);
		break;
	case DEED_LISTENER:
		change_listener(b, step[1], step[2], step[3]);
		break;
	case DEED_LISTEN:
		if (!reeve_address_is_unspecified(&local.address))
			check_listener(b, &local);
		break;
	case DEED_MATCH:
		check_matches(b, &local);
		break;
	case DEED_WALK:
		check_walk(b);
		break;
	case DEED_COUNT:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cursor c = cursor_over(bytes, length);
	struct bench b = { .duplicates = cursor_u8(&c) & 1 };
	const struct port_demux_config config = { .key = { 1, 2 },
						  .max_flows = MOST,
						  .max_listeners = LISTENERS,
						  .duplicate_flows = b.duplicates };

	b.demux = port_demux_new(&config);
	check(b.demux);
	while (cursor_left(&c) >= 4)
		one_step(&b, cursor_bytes(&c, 4));
	check_walk(&b);
	for (unsigned i = 0; i < FLOWS; i++) {
		if (b.flow_age[i])
			port_demux_remove_flow(b.demux, &b.flows[i]);
	}
	for (unsigned i = 0; i < LISTENERS; i++) {
		if (b.listener_age[i])
			port_demux_remove_listener(b.demux, &b.listeners[i]);
	}
	port_demux_free(b.demux); /* checks that nothing is left */
	return 0;
}
