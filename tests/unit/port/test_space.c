/*
 * The port space against a model that is slow and obvious: a list of sockets, each looked at for
 * every question, with the rules written down as they read in Linux. Random operations over few
 * ports and addresses; after each, both agree on the errno and on every socket's state. Then the
 * same while allocations fail: -ENOMEM changes nothing.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/space.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "failing.h"

#define MOST_SOCKETS 320
#define TIME_WAIT_NS 50

/* What the model knows of a socket, kept apart from what the space writes into reservations. */
struct view {
	enum port_state state;
	struct reeve_address address;
	uint16_t port;
	bool ipv6, ipv6_only, reuse_address, reuse_port;
	uint32_t owner;
	bool deferred, implicit;
	bool from_wildcard; /* connected from `wildcard`, which it goes back to */
	struct reeve_address wildcard;
	bool has_flow;
};

struct model {
	enum port_protocol protocol;
	struct random random;
	struct port_space *space;
	struct port_demux *demux;
	uint16_t first, last;
	uint32_t sockets, addresses;
	struct reeve_time now;
	struct view views[MOST_SOCKETS];
	struct port_reservation reservations[MOST_SOCKETS];
	struct port_flow flows[MOST_SOCKETS];
	unsigned succeeded, failed, replaced, starved;
};

/* Six of each family, the wildcards first. */
static struct reeve_address address_number(unsigned i)
{
	struct reeve_address a;

	if (i % 2 == 0)
		return reeve_address_from_ipv4(i ? 0xc0000200 + i : 0);
	assert_int_equal(reeve_address_parse(i == 1 ? "::" : "2001:db8::", &a), 0);
	a.bytes[15] = i == 1 ? 0 : (uint8_t)i;
	return a;
}

static bool is_any(const struct reeve_address *a)
{
	return reeve_address_is_unspecified(a);
}

static bool is_ipv4(const struct reeve_address *a)
{
	return reeve_address_is_ipv4(a);
}

/* Would both get some packet? `a` comes later. */
static bool meet(const struct view *a, const struct view *b)
{
	/* Linux's AF_INET sockets see the other's IPv4 address, which a specific IPv6 one lacks. */
	if (!a->ipv6) {
		if (b->ipv6_only)
			return false;
		if (is_any(&a->address) || is_any(&b->address))
			return true;
		return reeve_address_equal(&a->address, &b->address);
	}
	/* Two of IPv4. */
	if (is_ipv4(&a->address) && is_ipv4(&b->address))
		return is_any(&a->address) || is_any(&b->address) ||
		       reeve_address_equal(&a->address, &b->address);
	if (is_any(&b->address) && !is_ipv4(&b->address))
		return !(b->ipv6_only && is_ipv4(&a->address));
	if (is_any(&a->address) && !is_ipv4(&a->address))
		return !(a->ipv6_only && is_ipv4(&b->address));
	return reeve_address_equal(&a->address, &b->address);
}

static bool get_along(const struct view *a, const struct view *b)
{
	if (a->reuse_address && b->reuse_address && b->state != PORT_LISTENING)
		return true;
	return a->reuse_port && b->reuse_port &&
	       (b->state == PORT_TIME_WAIT || a->owner == b->owner);
}

static bool has_port(const struct view *v, uint16_t port)
{
	return v->state != PORT_NONE && v->port == port;
}

static bool in_conflict(const struct model *m, const struct view *a, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		const struct view *b = &m->views[i];

		if (b != a && has_port(b, port) && meet(a, b) && !get_along(a, b))
			return true;
	}
	return false;
}

static bool is_used(const struct model *m, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		if (has_port(&m->views[i], port))
			return true;
	}
	return false;
}

static bool is_asked_for(const struct model *m, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		if (has_port(&m->views[i], port) && !m->views[i].implicit)
			return true;
	}
	return false;
}

static bool in_range(const struct model *m, uint16_t port)
{
	return port >= m->first && port <= m->last;
}

static uint32_t unused(const struct model *m)
{
	uint32_t count = 0;

	for (uint32_t port = m->first; port <= m->last; port++)
		count += !is_used(m, (uint16_t)port);
	return count;
}

static uint32_t held(const struct model *m)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < m->sockets; i++)
		count += m->views[i].state == PORT_BOUND && m->views[i].deferred;
	return count;
}

/* Nobody is at this address or a wildcard with this port. */
static bool is_free_at(const struct model *m, const struct reeve_address *address, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		const struct view *v = &m->views[i];

		if (!has_port(v, port))
			continue;
		if (is_any(address) || is_any(&v->address) || v->from_wildcard ||
		    reeve_address_equal(address, &v->address))
			return false;
	}
	return true;
}

static bool is_left_at(const struct model *m, const struct reeve_address *address, bool used_only)
{
	for (uint32_t port = m->first; port <= m->last; port++) {
		if (is_free_at(m, address, (uint16_t)port) &&
		    (!used_only || is_used(m, (uint16_t)port)))
			return true;
	}
	return false;
}

static int find_flow(const struct model *m, const struct port_flow *like, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		const struct port_flow *f = &m->flows[i];

		if (m->views[i].has_flow && f->local_port == port &&
		    f->remote_port == like->remote_port &&
		    reeve_address_equal(&f->local_address, &like->local_address) &&
		    reeve_address_equal(&f->remote_address, &like->remote_address))
			return (int)i;
	}
	return -1;
}

/* Agreement */

static void agree(const struct model *m)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < m->sockets; i++) {
		const struct view *v = &m->views[i];
		const struct port_reservation *r = &m->reservations[i];

		count += v->state != PORT_NONE;
		assert_int_equal(r->state, v->state);
		assert_int_equal(r->port, v->state == PORT_NONE ? 0 : v->port);
		if (v->state == PORT_NONE)
			continue;
		assert_true(reeve_address_equal(&r->address, &v->address));
		assert_int_equal(r->deferred, v->deferred);
		assert_int_equal(r->implicit, v->implicit);
		assert_int_equal(r->ipv6_only, v->ipv6_only);
	}
	assert_int_equal(port_space_count(m->space), count);
	assert_true(unused(m) >= held(m));
}

/* True: it has succeeded, as expected. */
static bool result(struct model *m, int ours, int expected)
{
	if (stop_failing() && ours == -ENOMEM) {
		m->starved++;
		return false;
	}
	assert_int_equal(ours, expected);
	*(expected ? &m->failed : &m->succeeded) += 1;
	return !expected;
}

/* Operations */

static void do_bind(struct model *m, unsigned i, const struct reeve_address *address, uint16_t port)
{
	struct port_reservation *r = &m->reservations[i];
	struct view *v = &m->views[i];
	struct view next = *v;
	const bool scarce = unused(m) <= held(m);
	int expected = 0;

	next.address = *address;
	next.ipv6_only |= !is_any(address) && !is_ipv4(address);
	if (v->state != PORT_NONE || (v->ipv6_only && is_ipv4(address)))
		expected = -EINVAL;
	else if (port ? in_conflict(m, &next, port) ||
				 (scarce && in_range(m, port) && !is_used(m, port))
		      : scarce && !is_left_at(m, address, true))
		expected = -EADDRINUSE;
	if (!result(m, port_space_bind(m->space, r, address, port), expected))
		return;
	if (!port && scarce) {
		assert_true(in_range(m, r->port) && is_used(m, r->port));
		assert_true(is_free_at(m, address, r->port));
		port = r->port;
	}
	next.state = PORT_BOUND;
	next.port = port;
	next.deferred = !port;
	next.implicit = false;
	next.from_wildcard = false;
	*v = next;
}

static void do_settle(struct model *m, unsigned i)
{
	struct view *v = &m->views[i];
	const struct port_reservation *r = &m->reservations[i];

	if (!result(m, port_space_settle(m->space, &m->reservations[i]), 0))
		return;
	if (v->state != PORT_BOUND || !v->deferred)
		return;
	assert_true(in_range(m, r->port) && is_free_at(m, &v->address, r->port));
	v->port = r->port;
	v->deferred = false;
}

static void do_listen(struct model *m, unsigned i)
{
	struct port_reservation *r = &m->reservations[i];
	struct view *v = &m->views[i];
	const struct reeve_address any = v->ipv6 ? reeve_any_ipv6 : reeve_any_ipv4;
	int expected = 0;

	if (v->state == PORT_CONNECTED || v->state == PORT_TIME_WAIT)
		expected = -EINVAL;
	else if (v->state == PORT_NONE
			 ? unused(m) <= held(m)
			 : v->state == PORT_BOUND && !v->deferred && in_conflict(m, v, v->port))
		expected = -EADDRINUSE;
	if (!result(m, port_space_listen(m->space, r), expected))
		return;
	if (v->state == PORT_NONE || v->deferred) {
		if (v->state == PORT_NONE)
			v->address = any;
		assert_true(in_range(m, r->port) && is_free_at(m, &v->address, r->port));
		v->port = r->port;
		v->implicit = false;
		v->from_wildcard = false;
	}
	v->deferred = false;
	v->state = PORT_LISTENING;
}

static void forget(struct model *m, unsigned i)
{
	struct view *v = &m->views[i];

	v->state = PORT_NONE;
	v->port = 0;
	v->deferred = false;
	v->implicit = false;
	v->from_wildcard = false;
	assert_false(v->has_flow);
	(void)m;
}

static void leave_demux(struct model *m, unsigned i)
{
	if (m->views[i].has_flow)
		port_demux_remove_flow(m->demux, &m->flows[i]);
	m->views[i].has_flow = false;
}

static void do_release(struct model *m, unsigned i)
{
	leave_demux(m, i);
	port_space_release(m->space, &m->reservations[i]);
	forget(m, i);
}

/* An address that the socket can have as its own, or talk to. */
static struct reeve_address pick_specific(struct model *m, const struct view *v)
{
	struct reeve_address a;
	bool fits;

	do {
		a = address_number(2 + random_below(&m->random, m->addresses - 2));
		fits = is_ipv4(&a) ? !v->ipv6_only : v->ipv6;
	} while (!fits);
	return a;
}

static bool is_old(const struct model *m, int i)
{
	const struct reeve_time at = m->flows[i].recyclable;

	return !reeve_time_is_never(at) && at.ns <= m->now.ns;
}

/* May connect choose this port? */
static bool is_candidate(const struct model *m, const struct port_flow *f, uint16_t port,
			 bool used_only)
{
	const int same = find_flow(m, f, port);

	return in_range(m, port) && !is_asked_for(m, port) && (same < 0 || is_old(m, same)) &&
	       (!used_only || is_used(m, port));
}

static int expected_connect(const struct model *m, const struct view *v, const struct port_flow *f,
			    bool used_only)
{
	const int same = v->port ? find_flow(m, f, v->port) : -1;

	if (v->state == PORT_LISTENING || v->state == PORT_TIME_WAIT)
		return -EINVAL;
	if (v->port && same < 0)
		return 0;
	if (v->port && !v->implicit) {
		const bool taken =
			m->protocol == PORT_TCP && reeve_time_is_never(m->flows[same].recyclable);

		return taken ? -EADDRNOTAVAIL : 0;
	}
	for (uint32_t port = m->first; port <= m->last; port++) {
		if (is_candidate(m, f, (uint16_t)port, used_only))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

static void note_connected(struct model *m, struct view *v, const struct port_flow *f)
{
	if (v->state == PORT_BOUND && v->port && is_any(&v->address) &&
	    !(v->ipv6 && is_ipv4(&v->address))) {
		v->from_wildcard = true;
		v->wildcard = v->address;
	} else if (v->state == PORT_BOUND && v->deferred) {
		v->wildcard = v->ipv6 && is_ipv4(&v->address) && is_any(&v->address)
				      ? f->local_address
				      : v->address;
	}
	v->implicit |= !v->port;
	v->state = PORT_CONNECTED;
	v->address = f->local_address;
	v->port = f->local_port;
	v->has_flow = true;
	(void)m;
}

static void do_connect(struct model *m, unsigned i)
{
	struct view *v = &m->views[i];
	const bool holds = v->state == PORT_BOUND && v->deferred;
	struct port_flow *f = &m->flows[i], *replaced = NULL;
	const struct port_flow before = *f;
	const bool had_flow = v->has_flow;

	if (v->state == PORT_CONNECTED && m->protocol == PORT_TCP)
		return;
	if (v->state == PORT_CONNECTED)
		leave_demux(m, i);
	f->local_address =
		v->state != PORT_NONE && !is_any(&v->address) ? v->address : pick_specific(m, v);
	do
		f->remote_address = pick_specific(m, v);
	while (is_ipv4(&f->remote_address) != is_ipv4(&f->local_address));
	f->remote_port = (uint16_t)(80 + random_below(&m->random, 2));

	const bool used_only = unused(m) + holds <= held(m);
	const int expected = expected_connect(m, v, f, used_only);
	const uint16_t kept = v->port && find_flow(m, f, v->port) < 0 ? v->port : 0;

	if (!result(m,
		    port_space_connect(m->space, &m->reservations[i], m->demux, f, m->now,
				       &replaced),
		    expected)) {
		*f = before;
		if (had_flow && v->state == PORT_CONNECTED) {
			assert_int_equal(port_demux_add_flow(m->demux, f), 0);
			v->has_flow = true;
		}
		return;
	}
	if (kept)
		assert_int_equal(f->local_port, kept);
	else if (!v->port || v->implicit)
		assert_true(is_candidate(m, f, f->local_port, used_only));
	if (replaced) {
		const unsigned k = (unsigned)(replaced - m->flows);

		assert_int_equal(find_flow(m, f, f->local_port), (int)k);
		assert_int_equal(m->views[k].state, PORT_TIME_WAIT);
		m->views[k].has_flow = false;
		note_connected(m, v, f);
		do_release(m, k);
		m->replaced++;
	} else {
		if (m->protocol == PORT_TCP)
			assert_int_equal(find_flow(m, f, f->local_port), -1);
		note_connected(m, v, f);
	}
}

static void do_disconnect(struct model *m, unsigned i)
{
	struct view *v = &m->views[i];

	if (v->state != PORT_CONNECTED)
		return;
	leave_demux(m, i);
	port_space_disconnect(m->space, &m->reservations[i]);
	m->succeeded++;
	if (!v->implicit) {
		if (v->from_wildcard)
			v->address = v->wildcard;
		v->from_wildcard = false;
		v->state = PORT_BOUND;
		return;
	}

	const bool deferred = v->deferred;

	forget(m, i);
	if (deferred && unused(m) > held(m)) {
		v->state = PORT_BOUND;
		v->deferred = true;
		v->address = v->wildcard;
	}
}

static int pick_idle(struct model *m)
{
	const unsigned from = random_below(&m->random, m->sockets);

	for (unsigned n = 0; n < m->sockets; n++) {
		const unsigned i = (from + n) % m->sockets;

		if (m->views[i].state == PORT_NONE)
			return (int)i;
	}
	return -1;
}

static void do_inherit(struct model *m, unsigned i)
{
	const struct view *v = &m->views[i];
	const int child = pick_idle(m);

	if (v->state != PORT_LISTENING || child < 0)
		return;

	struct view next = *v;

	if (is_any(&v->address) && is_ipv4(&v->address))
		next.ipv6 = false;
	next.address = is_any(&v->address) ? pick_specific(m, &next) : v->address;
	next.ipv6 = v->ipv6;
	if (!result(m,
		    port_space_inherit(m->space, &m->reservations[child], &m->reservations[i],
				       &next.address),
		    0))
		return;
	next.state = PORT_CONNECTED;
	next.has_flow = false;
	m->views[child] = next;
}

static void do_time_wait(struct model *m, unsigned i)
{
	const int to = pick_idle(m);
	struct view *v = &m->views[i];

	if (v->state != PORT_CONNECTED || to < 0 || m->protocol == PORT_UDP)
		return;
	port_space_move(m->space, &m->reservations[i], &m->reservations[to], PORT_TIME_WAIT);
	m->succeeded++;
	if (v->has_flow) {
		m->flows[to] = m->flows[i];
		m->flows[to].recyclable = random_below(&m->random, 8)
						  ? reeve_time_add(m->now, TIME_WAIT_NS)
						  : REEVE_NEVER;
		port_demux_replace_flow(m->demux, &m->flows[i], &m->flows[to]);
	}
	m->views[to] = *v;
	m->views[to].state = PORT_TIME_WAIT;
	v->has_flow = false;
	forget(m, i);
}

static void do_set_reuse(struct model *m, unsigned i)
{
	struct view *v = &m->views[i];

	if (v->state == PORT_TIME_WAIT)
		return;
	v->reuse_address = random_below(&m->random, 2);
	v->reuse_port = random_below(&m->random, 2);
	port_space_set_reuse(m->space, &m->reservations[i], v->reuse_address, v->reuse_port);
}

/* A fresh socket in an idle place. */
static void do_open(struct model *m, unsigned i)
{
	struct view *v = &m->views[i];

	if (v->state != PORT_NONE)
		return;
	*v = (struct view){ .ipv6 = random_below(&m->random, 2),
			    .owner = random_below(&m->random, 2) };
	v->ipv6_only = v->ipv6 && random_below(&m->random, 3) == 0;
	port_reservation_init(&m->reservations[i], v->ipv6);
	m->reservations[i].ipv6_only = v->ipv6_only;
	m->reservations[i].owner = v->owner;
	do_set_reuse(m, i);
}

static void do_random_bind(struct model *m, unsigned i)
{
	const struct view *v = &m->views[i];
	struct reeve_address a;
	uint16_t port = 0;

	do
		a = address_number(random_below(&m->random, m->addresses));
	while (!v->ipv6 && !is_ipv4(&a));
	if (random_below(&m->random, 3))
		port = (uint16_t)(m->first - 2 +
				  random_below(&m->random, (uint32_t)m->last - m->first + 4));
	do_bind(m, i, &a, port);
}

/* `weights`: how often each operation comes; the first is release, the second bind. */
static void do_something(struct model *m, const unsigned *weights, bool failing)
{
	static void (*const operations[])(struct model *, unsigned) = {
		do_release,    do_random_bind, do_settle,    do_listen,    do_connect,
		do_disconnect, do_inherit,     do_time_wait, do_set_reuse, do_open,
	};
	unsigned total = 0, which = 0;

	for (size_t i = 0; i < array_length(operations); i++)
		total += weights[i];

	unsigned at = random_below(&m->random, total);

	while (at >= weights[which])
		at -= weights[which++];
	if (failing)
		fail_allocation_after(random_below(&m->random, 5));
	operations[which](m, random_below(&m->random, m->sockets));
	stop_failing();
	if (m->views[0].state == PORT_LISTENING && random_below(&m->random, 20) == 0) {
		port_space_unlisten(m->space, &m->reservations[0]);
		m->views[0].state = PORT_BOUND;
	}
	m->now.ns += random_below(&m->random, 3);
}

struct plan {
	enum port_protocol protocol;
	uint16_t first, last;
	uint32_t sockets, addresses, steps;
	unsigned weights[10];
};

static void run(const struct plan *plan, uint64_t seed, bool failing)
{
	struct model *m = calloc(1, sizeof(*m));
	const struct port_space_config space = { .protocol = plan->protocol,
						 .ephemeral_first = plan->first,
						 .ephemeral_last = plan->last };
	const struct port_demux_config demux = { .max_flows = 100000,
						 .duplicate_flows = plan->protocol == PORT_UDP };

	assert_non_null(m);
	m->protocol = plan->protocol;
	m->random = seeded(seed);
	m->space = port_space_new(&space);
	m->demux = port_demux_new(&demux);
	m->first = plan->first;
	m->last = plan->last;
	m->sockets = plan->sockets;
	m->addresses = plan->addresses;
	for (unsigned i = 0; i < m->sockets; i++)
		do_open(m, i);
	for (uint32_t n = 0; n < plan->steps; n++) {
		do_something(m, plan->weights, failing);
		agree(m);
	}
	print_message(
		"# %u succeeded, %u were refused, %u without memory, %u TIME-WAITs replaced\n",
		m->succeeded, m->failed, m->starved, m->replaced);
	assert_true(m->succeeded > plan->steps / 50 && m->failed > plan->steps / 100);
	assert_int_equal(failing, m->starved > 0);
	for (unsigned i = 0; i < m->sockets; i++)
		do_release(m, i);
	agree(m);
	assert_int_equal(port_demux_flow_count(m->demux), 0);
	port_space_free(m->space);
	port_demux_free(m->demux);
	free(m);
}

/*                                 release, bind, settle, listen, connect,
 *                                 disconnect, inherit, TIME-WAIT, set reuse, open */
static const struct plan plans[] = {
	{ PORT_TCP, 2000, 2005, 24, 6, 40000, { 6, 10, 3, 4, 8, 2, 3, 3, 2, 6 } },
	{ PORT_UDP, 2000, 2005, 24, 6, 40000, { 6, 10, 3, 0, 10, 4, 0, 0, 2, 6 } },
	/* Few are released: the range is full and shared, and TIME-WAITs are all that is left. */
	{ PORT_TCP, 65532, 65535, 40, 4, 40000, { 1, 2, 1, 1, 16, 1, 1, 8, 1, 4 } },
	{ PORT_UDP, 65532, 65535, 40, 4, 40000, { 1, 2, 1, 0, 16, 3, 0, 0, 1, 4 } },
	/* Most bind to port 0. */
	{ PORT_TCP, 3000, 3000, 12, 12, 20000, { 4, 10, 3, 2, 6, 3, 1, 2, 1, 6 } },
	/* Bitmaps, and ports with more addresses than a bucket lists. */
	{ PORT_TCP, 5000, 5099, 300, 12, 6000, { 2, 12, 4, 4, 20, 2, 4, 4, 1, 8 } },
	{ PORT_UDP, 5000, 5099, 300, 12, 6000, { 2, 12, 4, 0, 20, 3, 0, 0, 1, 8 } },
	{ PORT_TCP, 5000, 5003, 300, 26, 6000, { 2, 12, 4, 8, 6, 2, 8, 4, 1, 8 } },
};

static void test_random_operations(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(plans); i++)
		run(&plans[i], 100 + i, false);
}

static void test_failing_allocations(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(plans); i++)
		run(&plans[i], 200 + i, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_failing_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
