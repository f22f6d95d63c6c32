/*
 * The model's rules, as they read in Linux (inet_csk_bind_conflict, udp_lib_lport_inuse and what
 * they call), written down for a list of sockets that is searched from end to end.
 */
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "failing.h"
#include "port/space.h"

#define STEP_NS (PORT_WAIT_RECYCLE_MS * REEVE_NS_PER_MS / 50)

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
	bool has_flow; /* or had one, which its TIME-WAIT has the name of */
	uint8_t hold;  /* a TIME-WAIT's */
	struct reeve_time since;
	bool recyclable;
};

struct space_model {
	enum port_protocol protocol;
	struct choice choice;
	struct port_space *space;
	struct port_demux *demux;
	uint16_t first, last;
	uint32_t sockets, addresses;
	struct reeve_time now;
	struct view views[SPACE_MODEL_SOCKETS];
	struct port_reservation reservations[SPACE_MODEL_SOCKETS];
	struct port_flow flows[SPACE_MODEL_SOCKETS];
	struct port_wait *waits[SPACE_MODEL_SOCKETS]; /* of a TIME-WAIT with a flow */
	unsigned weights[SPACE_MODEL_OPERATIONS];
	struct space_model_counts counts;
};

/* Six of each family, the wildcards first. */
static struct reeve_address address_number(unsigned i)
{
	struct reeve_address a;

	if (i % 2 == 0)
		return reeve_address_from_ipv4(i ? 0xc0000200 + i : 0);
	check(reeve_address_parse(i == 1 ? "::" : "2001:db8::", &a) == 0);
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

static bool in_conflict(const struct space_model *m, const struct view *a, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		const struct view *b = &m->views[i];

		if (b != a && has_port(b, port) && meet(a, b) && !get_along(a, b))
			return true;
	}
	return false;
}

static bool is_used(const struct space_model *m, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		if (has_port(&m->views[i], port))
			return true;
	}
	return false;
}

static bool is_asked_for(const struct space_model *m, uint16_t port)
{
	for (unsigned i = 0; i < m->sockets; i++) {
		if (has_port(&m->views[i], port) && !m->views[i].implicit)
			return true;
	}
	return false;
}

static bool in_range(const struct space_model *m, uint16_t port)
{
	return port >= m->first && port <= m->last;
}

static uint32_t unused(const struct space_model *m)
{
	uint32_t count = 0;

	for (uint32_t port = m->first; port <= m->last; port++)
		count += !is_used(m, (uint16_t)port);
	return count;
}

static uint32_t held(const struct space_model *m)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < m->sockets; i++)
		count += m->views[i].state == PORT_BOUND && m->views[i].deferred;
	return count;
}

/* Nobody is at this address or a wildcard with this port. */
static bool is_free_at(const struct space_model *m, const struct reeve_address *address,
		       uint16_t port)
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

static bool is_left_at(const struct space_model *m, const struct reeve_address *address,
		       bool used_only)
{
	for (uint32_t port = m->first; port <= m->last; port++) {
		if (is_free_at(m, address, (uint16_t)port) &&
		    (!used_only || is_used(m, (uint16_t)port)))
			return true;
	}
	return false;
}

static int find_flow(const struct space_model *m, const struct port_flow *like, uint16_t port)
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

static void agree(const struct space_model *m)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < m->sockets; i++) {
		const struct view *v = &m->views[i];
		const struct port_reservation *r = &m->reservations[i];

		count += v->state != PORT_NONE;
		if (v->state == PORT_TIME_WAIT) {
			check(r->state == PORT_NONE && r->port == 0);
			continue;
		}
		check(r->state == v->state);
		check(r->port == (v->state == PORT_NONE ? 0 : v->port));
		if (v->state == PORT_NONE)
			continue;
		check(reeve_address_equal(&r->address, &v->address));
		check(r->deferred == v->deferred);
		check(r->implicit == v->implicit);
		check(r->ipv6_only == v->ipv6_only);
	}
	check(port_space_count(m->space) == count);
	check(unused(m) >= held(m));
}

/* True: it has succeeded, as expected. */
static bool result(struct space_model *m, int ours, int expected)
{
	if (stop_failing() && ours == -ENOMEM) {
		m->counts.starved++;
		return false;
	}
	check(ours == expected);
	*(expected ? &m->counts.refused : &m->counts.succeeded) += 1;
	return !expected;
}

/* Operations */

static void do_bind(struct space_model *m, unsigned i, const struct reeve_address *address,
		    uint16_t port)
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
		check(in_range(m, r->port) && is_used(m, r->port));
		check(is_free_at(m, address, r->port));
		port = r->port;
	}
	next.state = PORT_BOUND;
	next.port = port;
	next.deferred = !port;
	next.implicit = false;
	next.from_wildcard = false;
	*v = next;
}

static void do_settle(struct space_model *m, unsigned i)
{
	struct view *v = &m->views[i];
	const struct port_reservation *r = &m->reservations[i];

	if (!result(m, port_space_settle(m->space, &m->reservations[i]), 0))
		return;
	if (v->state != PORT_BOUND || !v->deferred)
		return;
	check(in_range(m, r->port) && is_free_at(m, &v->address, r->port));
	v->port = r->port;
	v->deferred = false;
}

static void do_listen(struct space_model *m, unsigned i)
{
	struct port_reservation *r = &m->reservations[i];
	struct view *v = &m->views[i];
	const struct reeve_address any = v->ipv6 ? reeve_any_ipv6 : reeve_any_ipv4;
	int expected = 0;

	if (v->state == PORT_CONNECTED)
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
		check(in_range(m, r->port) && is_free_at(m, &v->address, r->port));
		v->port = r->port;
		v->implicit = false;
		v->from_wildcard = false;
	}
	v->deferred = false;
	v->state = PORT_LISTENING;
}

static void forget(struct space_model *m, unsigned i)
{
	struct view *v = &m->views[i];

	v->state = PORT_NONE;
	v->port = 0;
	v->deferred = false;
	v->implicit = false;
	v->from_wildcard = false;
	check(!v->has_flow);
	(void)m;
}

static void leave_demux(struct space_model *m, unsigned i)
{
	if (m->views[i].has_flow && m->views[i].state == PORT_TIME_WAIT)
		port_demux_remove_wait(m->demux, m->waits[i]);
	else if (m->views[i].has_flow)
		port_demux_remove_flow(m->demux, &m->flows[i]);
	m->views[i].has_flow = false;
}

static void do_release(struct space_model *m, unsigned i)
{
	const struct view *v = &m->views[i];

	leave_demux(m, i);
	if (v->state == PORT_TIME_WAIT)
		port_space_end_wait(m->space, &v->address, v->port, v->hold);
	else
		port_space_release(m->space, &m->reservations[i]);
	forget(m, i);
}

/* An address that the socket can have as its own, or talk to. */
static struct reeve_address pick_specific(struct space_model *m, const struct view *v)
{
	struct reeve_address a;
	bool fits;

	do {
		a = address_number(2 + choose_below(&m->choice, m->addresses - 2));
		fits = is_ipv4(&a) ? !v->ipv6_only : v->ipv6;
	} while (!fits);
	return a;
}

static bool is_old(const struct space_model *m, int i)
{
	const struct view *v = &m->views[i];

	return v->state == PORT_TIME_WAIT && v->recyclable &&
	       m->now.ns - v->since.ns >= PORT_WAIT_RECYCLE_MS * REEVE_NS_PER_MS;
}

/* May connect choose this port? */
static bool is_candidate(const struct space_model *m, const struct port_flow *f, uint16_t port,
			 bool used_only)
{
	const int same = find_flow(m, f, port);

	return in_range(m, port) && !is_asked_for(m, port) && (same < 0 || is_old(m, same)) &&
	       (!used_only || is_used(m, port));
}

static int expected_connect(const struct space_model *m, const struct view *v,
			    const struct port_flow *f, bool used_only)
{
	const int same = v->port ? find_flow(m, f, v->port) : -1;

	if (v->state == PORT_LISTENING)
		return -EINVAL;
	if (v->port && same < 0)
		return 0;
	if (v->port && !v->implicit) {
		const struct view *w = &m->views[same];
		const bool taken =
			m->protocol == PORT_TCP && !(w->state == PORT_TIME_WAIT && w->recyclable);

		return taken ? -EADDRNOTAVAIL : 0;
	}
	for (uint32_t port = m->first; port <= m->last; port++) {
		if (is_candidate(m, f, (uint16_t)port, used_only))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

static void note_connected(struct space_model *m, struct view *v, const struct port_flow *f)
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

/* The flow is found, and no TIME-WAIT of its name is left; or the TIME-WAIT, and no flow. */
static void check_found(const struct space_model *m, unsigned i)
{
	const struct port_flow *f = &m->flows[i];
	const struct reeve_sockaddr local = { f->local_address, f->local_port, 0 };
	const struct reeve_sockaddr remote = { f->remote_address, f->remote_port, 0 };
	const bool waits = m->views[i].state == PORT_TIME_WAIT;

	check(port_demux_find_flow(m->demux, &local, &remote) == (waits ? NULL : f));
	check(port_demux_find_wait(m->demux, &local, &remote) == (waits ? m->waits[i] : NULL));
}

static void do_connect(struct space_model *m, unsigned i)
{
	struct view *v = &m->views[i];
	const bool holds = v->state == PORT_BOUND && v->deferred;
	struct port_flow *f = &m->flows[i];
	struct port_wait *replaced = NULL;
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
	f->remote_port = (uint16_t)(80 + choose_below(&m->choice, 2));

	const bool used_only = unused(m) + holds <= held(m);
	const int expected = expected_connect(m, v, f, used_only);
	const uint16_t kept = v->port && find_flow(m, f, v->port) < 0 ? v->port : 0;

	if (!result(m,
		    port_space_connect(m->space, &m->reservations[i], m->demux, f, m->now,
				       &replaced),
		    expected)) {
		*f = before;
		if (had_flow && v->state == PORT_CONNECTED) {
			check(port_demux_add_flow(m->demux, f) == 0);
			v->has_flow = true;
		}
		return;
	}
	if (kept)
		check(f->local_port == kept);
	else if (!v->port || v->implicit)
		check(is_candidate(m, f, f->local_port, used_only));

	const int same = find_flow(m, f, f->local_port);

	if (replaced) {
		check(same >= 0 && m->views[same].state == PORT_TIME_WAIT);
		check(m->waits[same] == replaced);
		do_release(m, (unsigned)same);
		m->counts.replaced++;
	} else if (m->protocol == PORT_TCP) {
		check(same == -1);
	}
	note_connected(m, v, f);
	check_found(m, i);
}

static void do_disconnect(struct space_model *m, unsigned i)
{
	struct view *v = &m->views[i];

	if (v->state != PORT_CONNECTED)
		return;
	leave_demux(m, i);
	port_space_disconnect(m->space, &m->reservations[i]);
	m->counts.succeeded++;
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

static int pick_idle(struct space_model *m)
{
	const unsigned from = choose_below(&m->choice, m->sockets);

	for (unsigned n = 0; n < m->sockets; n++) {
		const unsigned i = (from + n) % m->sockets;

		if (m->views[i].state == PORT_NONE)
			return (int)i;
	}
	return -1;
}

static void do_inherit(struct space_model *m, unsigned i)
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

/* A fresh socket's reservation, as the view says. */
static void open_as(struct space_model *m, unsigned i)
{
	const struct view *v = &m->views[i];
	struct port_reservation *r = &m->reservations[i];

	port_reservation_init(r, v->ipv6);
	r->ipv6_only = v->ipv6_only;
	r->owner = v->owner;
	port_space_set_reuse(m->space, r, v->reuse_address, v->reuse_port);
}

/* In place of its flow, if it has one that is in the demux. */
static bool retire(struct space_model *m, unsigned i, unsigned to, bool recyclable)
{
	m->waits[to] = NULL;
	if (!m->views[i].has_flow)
		return true;
	m->waits[to] = port_demux_retire_flow(m->demux, &m->flows[i], recyclable, m->now);
	return m->waits[to];
}

static void do_time_wait(struct space_model *m, unsigned i)
{
	const int to = pick_idle(m);
	struct view *v = &m->views[i];
	uint8_t hold = 0;

	if (v->state != PORT_CONNECTED || to < 0 || m->protocol == PORT_UDP)
		return;

	const bool recyclable = choose_below(&m->choice, 8);

	if (!result(m, port_space_wait(m->space, &m->reservations[i], &hold), 0))
		return;

	const bool retired = retire(m, i, (unsigned)to, recyclable);

	m->flows[to] = m->flows[i];
	m->views[to] = *v;
	m->views[to].state = PORT_TIME_WAIT;
	m->views[to].hold = hold;
	m->views[to].since = m->now;
	m->views[to].recyclable = recyclable;
	m->views[to].from_wildcard = false;
	open_as(m, (unsigned)to); /* for when it is idle again */
	if (retired) {
		v->has_flow = false;
		if (m->views[to].has_flow)
			check_found(m, (unsigned)to);
	} else { /* without memory there is none */
		leave_demux(m, i);
		m->views[to].has_flow = false;
		do_release(m, (unsigned)to);
	}
	forget(m, i);
}

static void do_set_reuse(struct space_model *m, unsigned i)
{
	struct view *v = &m->views[i];

	v->reuse_address = choose_below(&m->choice, 2);
	v->reuse_port = choose_below(&m->choice, 2);
	port_space_set_reuse(m->space, &m->reservations[i], v->reuse_address, v->reuse_port);
}

/* A fresh socket in an idle place. */
static void do_open(struct space_model *m, unsigned i)
{
	struct view *v = &m->views[i];

	if (v->state != PORT_NONE)
		return;
	*v = (struct view){ .ipv6 = choose_below(&m->choice, 2),
			    .owner = choose_below(&m->choice, 2) };
	v->ipv6_only = v->ipv6 && choose_below(&m->choice, 3) == 0;
	open_as(m, i);
	do_set_reuse(m, i);
}

static void do_random_bind(struct space_model *m, unsigned i)
{
	const struct view *v = &m->views[i];
	struct reeve_address a;
	uint16_t port = 0;

	do
		a = address_number(choose_below(&m->choice, m->addresses));
	while (!v->ipv6 && !is_ipv4(&a));
	if (choose_below(&m->choice, 3))
		port = (uint16_t)(m->first - 2 +
				  choose_below(&m->choice, (uint32_t)m->last - m->first + 4));
	do_bind(m, i, &a, port);
}

static void do_something(struct space_model *m, bool failing)
{
	static void (*const operations[])(struct space_model *, unsigned) = {
		do_release,    do_random_bind, do_settle,    do_listen,    do_connect,
		do_disconnect, do_inherit,     do_time_wait, do_set_reuse, do_open,
	};
	unsigned total = 0, which = 0;

	for (size_t i = 0; i < array_length(operations); i++)
		total += m->weights[i];

	unsigned at = choose_below(&m->choice, total);

	while (at >= m->weights[which])
		at -= m->weights[which++];
	if (failing)
		fail_allocation_after(choose_below(&m->choice, 5));

	const unsigned i = choose_below(&m->choice, m->sockets);

	/* Of a TIME-WAIT there is no socket to do anything with. */
	if (m->views[i].state != PORT_TIME_WAIT || operations[which] == do_release)
		operations[which](m, i);
	stop_failing();
	if (m->views[0].state == PORT_LISTENING && choose_below(&m->choice, 20) == 0) {
		port_space_unlisten(m->space, &m->reservations[0]);
		m->views[0].state = PORT_BOUND;
	}
	m->now.ns += choose_below(&m->choice, 3) * STEP_NS;
}

struct space_model *space_model_new(const struct space_plan *plan, const struct choice *choice)
{
	struct space_model *const m = calloc(1, sizeof(*m));
	const struct port_space_config space = { .protocol = plan->protocol,
						 .ephemeral_first = plan->first,
						 .ephemeral_last = plan->last };
	const struct port_demux_config demux = { .max_flows = 100000,
						 .duplicate_flows = plan->protocol == PORT_UDP };

	check(m && plan->sockets <= SPACE_MODEL_SOCKETS);
	m->protocol = plan->protocol;
	m->choice = *choice;
	m->space = port_space_new(&space);
	m->demux = port_demux_new(&demux);
	check(m->space && m->demux);
	m->first = plan->first;
	m->last = plan->last;
	m->sockets = plan->sockets;
	m->addresses = plan->addresses;
	memcpy(m->weights, plan->weights, sizeof(m->weights));
	for (unsigned i = 0; i < m->sockets; i++)
		do_open(m, i);
	return m;
}

bool space_model_step(struct space_model *m, bool failing)
{
	do_something(m, failing);
	agree(m);
	return cursor_left(&m->choice.bytes) > 0;
}

struct space_model_counts space_model_free(struct space_model *m)
{
	const struct space_model_counts counts = m->counts;

	for (unsigned i = 0; i < m->sockets; i++)
		do_release(m, i);
	agree(m);
	check(port_demux_flow_count(m->demux) == 0);
	check(port_demux_wait_count(m->demux) == 0);
	port_space_free(m->space);
	port_demux_free(m->demux);
	free(m);
	return counts;
}
