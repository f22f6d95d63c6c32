/*
 * The port space of one host and protocol (see space.h).
 *
 * Theory of operation. Who has which port is taken's; a choice among ports is ephemeral's; here is
 * what each state takes and gives back, and one promise:
 *
 *	range.count - taken.used.count >= held
 *
 * As many ports of the range are had by nobody as there are deferred reservations. That makes
 * bind(0) safe to put off: whoever would take a port that nobody has, be it bind, connect or
 * another bind(0), is refused, or made to share one, while all of those are promised.
 *
 * connect chooses among the ports that nobody asked for by number or by bind(0) (Linux skips those
 * too) and whose four-tuple is free, and may share such a port with other destinations. A port
 * whose four-tuple is a TIME-WAIT that may be taken over counts as free. It draws ports until one
 * is free; a destination that makes it miss is made a crowded one (see destination.c), about which
 * the demux then keeps what is taken, and is chosen for by rank.
 *
 * As in Linux, a bind to a specific IPv6 address sets IPV6_V6ONLY, and a socket that was bound to
 * ::ffff:0.0.0.0 stays at the address it was connected from.
 */
#include "port/space.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "port/destination.h"
#include "port/ephemeral.h"
#include "port/taken.h"

#define DRAWS       16 /* ports tried for a destination before they are counted */
#define MISSES      2  /* of those that make a destination a crowded one */
#define SCAN_STEP   8  /* ports entered per connect while a destination is new */
#define OLDEST_LOOK 64 /* TIME-WAITs looked at when nothing else is left */

struct port_space {
	struct ephemeral range;
	struct taken taken;
	uint32_t held;  /* ports promised to deferred reservations */
	uint32_t count; /* reservations that are not NONE */
};

struct port_space *port_space_new(const struct port_space_config *config)
{
	struct port_space *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct port_space){ 0 };
	if (ephemeral_init(&s->range, config->ephemeral_first, config->ephemeral_last,
			   config->seed)) {
		free(s);
		return NULL;
	}
	if (config->avoid_registered &&
	    ephemeral_avoid_registered(&s->range, config->protocol == PORT_UDP)) {
		free(s);
		return NULL;
	}
	taken_init(&s->taken, &s->range);
	return s;
}

struct port_space *port_space_free(struct port_space *s)
{
	if (!s)
		return NULL;
	check(s->count == 0 && s->held == 0);
	taken_deinit(&s->taken);
	ephemeral_deinit(&s->range);
	free(s);
	return NULL;
}

void port_reservation_init(struct port_reservation *r, bool ipv6)
{
	*r = (struct port_reservation){ .ipv6 = ipv6 };
}

uint32_t port_space_count(const struct port_space *s)
{
	return s->count;
}

uint64_t port_space_steps(const struct port_space *s)
{
	return s->range.steps;
}

/* Ports of the range that nobody has. */
static uint32_t unused(const struct port_space *s)
{
	return s->range.count - s->taken.used.count;
}

/* bind, settle, listen */

static void enter(struct port_space *s, struct port_reservation *r, enum port_state state)
{
	s->count += (r->state == PORT_NONE);
	r->state = state & 0xf;
	taken_recount(&s->taken, r);
}

/* A port of the range that is free at the address, 0 if there is none. */
static uint16_t choose_at(struct port_space *s, const struct reeve_address *address,
			  const struct ephemeral_set *within)
{
	if (reeve_address_is_unspecified(address))
		return ephemeral_choose(&s->range, &s->taken.used, NULL, within);

	return ephemeral_choose(&s->range, &s->taken.wild, taken_at(&s->taken, address), within);
}

static int bind_to_any_port(struct port_space *s, struct port_reservation *r,
			    const struct reeve_address *address)
{
	if (unused(s) > s->held) {
		s->held++;
		r->deferred = true;
		r->address = *address;
		return 0;
	}

	const uint16_t port = choose_at(s, address, &s->taken.used);

	return port ? taken_enter(&s->taken, r, address, port) : -EADDRINUSE;
}

static int bind_to_port(struct port_space *s, struct port_reservation *r,
			const struct reeve_address *address, uint16_t port)
{
	if (taken_conflicts(&s->taken, r, address, port))
		return -EADDRINUSE;
	if (unused(s) <= s->held && ephemeral_covers(&s->range, port) &&
	    !taken_has(&s->taken, port))
		return -EADDRINUSE;
	return taken_enter(&s->taken, r, address, port);
}

int port_space_bind(struct port_space *s, struct port_reservation *r,
		    const struct reeve_address *address, uint16_t port)
{
	const bool ipv4 = reeve_address_is_ipv4(address);
	const bool any = reeve_address_is_unspecified(address);
	const bool ipv6_only = r->ipv6_only;

	if (r->state != PORT_NONE || (ipv6_only && ipv4))
		return -EINVAL;
	r->deferred = false;
	r->implicit = false;
	r->ipv6_only = ipv6_only || (!ipv4 && !any);

	const int error =
		port ? bind_to_port(s, r, address, port) : bind_to_any_port(s, r, address);

	if (error) {
		r->ipv6_only = ipv6_only;
		return error;
	}
	r->any_ipv4 = any && ipv4 && !r->ipv6;
	r->any_ipv6 = any && !ipv4;
	enter(s, r, PORT_BOUND);
	return 0;
}

int port_space_settle(struct port_space *s, struct port_reservation *r)
{
	if (r->state != PORT_BOUND || !r->deferred)
		return 0;

	const struct reeve_address address = r->address;
	const uint16_t port = choose_at(s, &address, NULL);

	check(port);

	const int error = taken_enter(&s->taken, r, &address, port);

	if (error)
		return error;
	r->deferred = false;
	s->held--;
	return 0;
}

int port_space_listen(struct port_space *s, struct port_reservation *r)
{
	const bool fresh = r->state == PORT_NONE;
	int error = 0;

	if (r->state == PORT_LISTENING)
		return 0;
	if (fresh)
		error = port_space_bind(s, r, r->ipv6 ? &reeve_any_ipv6 : &reeve_any_ipv4, 0);
	if (!error && r->state != PORT_BOUND)
		error = -EINVAL;
	if (!error)
		error = port_space_settle(s, r);
	if (!error && taken_conflicts(&s->taken, r, &r->address, r->port))
		error = -EADDRINUSE;
	if (error) {
		if (fresh)
			port_space_release(s, r);
		return error;
	}
	enter(s, r, PORT_LISTENING);
	return 0;
}

void port_space_unlisten(struct port_space *s, struct port_reservation *r)
{
	check(r->state == PORT_LISTENING);
	enter(s, r, PORT_BOUND);
}

/* connect */

/* One call of connect: the flow whose local port is sought, and what was found out about it. */
struct attempt {
	struct port_demux *demux;
	struct port_flow *flow;
	struct reeve_time now;
	uint64_t hash;              /* of the flow with the port it has now */
	struct port_wait *replaced; /* the TIME-WAIT to take over, or NULL */
	bool duplicate;             /* a flow of the same four-tuple stays */
};

static struct port_flow *look(struct attempt *a, uint16_t port)
{
	a->flow->local_port = port;
	a->hash = port_demux_hash(a->demux, a->flow);
	return port_demux_look(a->demux, a->flow, a->hash);
}

static bool is_recyclable(const struct port_wait *w, struct reeve_time now)
{
	return w->is_recyclable && wait_age_ms(w, now) >= PORT_WAIT_RECYCLE_MS;
}

/* Enters what the demux knows of a crowded destination, up to `ports` ports of it. */
static void scan(struct port_space *s, struct destination *to, struct attempt *a, uint32_t ports)
{
	for (; ports && !destination_is_complete(to); ports--) {
		s->range.steps++;

		const struct port_flow *const f = look(a, (uint16_t)to->scanned);
		struct port_wait *const w = f ? NULL : port_demux_look_wait(a->demux, a->flow);

		destination_enter(to, f || w, port_demux_waits(a->demux), w);
	}
}

/* Among the ports free towards a destination of which all is known. */
static int choose_from(struct port_space *s, const struct destination *to, struct attempt *a,
		       const struct ephemeral_set *within)
{
	const struct ephemeral_set *bound = &s->taken.bound;
	const struct waits *const waits = port_demux_waits(a->demux);
	uint32_t number = to->oldest;
	uint16_t port = ephemeral_choose(&s->range, &to->taken, bound, within);

	for (unsigned i = 0; !port && number && i < OLDEST_LOOK; i++) {
		struct port_wait *const w = waits_at(waits, number);

		s->range.steps++;
		if (is_recyclable(w, a->now) &&
		    !ephemeral_set_has(bound, &s->range, w->local_port)) {
			port = w->local_port;
			a->replaced = w;
		}
		number = ring_next(&waits->queues, to->oldest, number);
	}
	if (!port)
		return -EADDRNOTAVAIL;
	a->flow->local_port = port;
	a->hash = port_demux_hash(a->demux, a->flow);
	return 0;
}

/* Whether nobody has the four-tuple with this port, or a TIME-WAIT that may be taken over. */
static bool is_free(struct attempt *a, uint16_t port)
{
	if (look(a, port))
		return false;

	struct port_wait *const w = port_demux_look_wait(a->demux, a->flow);

	if (w && !is_recyclable(w, a->now))
		return false;
	a->replaced = w;
	return true;
}

static int choose_towards(struct port_space *s, struct attempt *a,
			  const struct ephemeral_set *within)
{
	struct destinations *all = port_demux_destinations(a->demux);
	const struct hash_key *key = port_demux_key(a->demux);
	struct destination *to = destinations_find(all, key, a->flow);
	unsigned misses = 0;

	if (to)
		scan(s, to, a, SCAN_STEP);
	for (unsigned i = 0; i < DRAWS && !(to && destination_is_complete(to)); i++) {
		const uint16_t port = ephemeral_choose(&s->range, &s->taken.bound, NULL, within);

		if (!port)
			return -EADDRNOTAVAIL;
		if (is_free(a, port))
			return 0;
		if (++misses == MISSES && !to)
			to = destinations_add(all, key, a->flow, &s->range);
	}
	if (!to)
		to = destinations_add(all, key, a->flow, &s->range);
	if (!to)
		return -ENOMEM;
	scan(s, to, a, UINT32_MAX);
	return choose_from(s, to, a, within);
}

/* The port that the reservation has, for another flow of it: 0, -EADDRNOTAVAIL, or 1: give it up
 * and choose another. */
static int keep_port(const struct port_reservation *r, struct attempt *a)
{
	const struct port_flow *const same = look(a, r->port);
	struct port_wait *const w = same ? NULL : port_demux_look_wait(a->demux, a->flow);

	if (!same && !w)
		return 0;
	if (r->implicit)
		return 1;
	if (same && port_demux_has_duplicates(a->demux)) {
		a->duplicate = true;
		return 0;
	}
	/* As in Linux, a port that was asked for doesn't wait until the time to recycle it. */
	if (same || !w->is_recyclable)
		return -EADDRNOTAVAIL;
	a->replaced = w;
	return 0;
}

static bool holds_promise(const struct port_reservation *r)
{
	return r->deferred && r->state == PORT_BOUND;
}

static int choose_for_connect(struct port_space *s, const struct port_reservation *r,
			      struct attempt *a)
{
	const bool promised = unused(s) && unused(s) + holds_promise(r) <= s->held;
	const int kept = r->port ? keep_port(r, a) : 1;

	return kept <= 0 ? kept : choose_towards(s, a, promised ? &s->taken.used : NULL);
}

static int add_to_demux(const struct attempt *a)
{
	return a->duplicate ? port_demux_add_flow(a->demux, a->flow)
			    : port_demux_add_absent(a->demux, a->flow, a->hash);
}

int port_space_connect(struct port_space *s, struct port_reservation *r, struct port_demux *demux,
		       struct port_flow *flow, struct reeve_time now,
		       struct port_wait **ret_replaced)
{
	struct attempt a = { .demux = demux, .flow = flow, .now = now };
	const uint16_t local_port = flow->local_port;
	struct port_reservation next = *r;

	if (r->state == PORT_LISTENING)
		return -EINVAL;

	int error = choose_for_connect(s, r, &a);

	next.state = PORT_CONNECTED;
	next.use = 0;
	next.implicit = r->implicit || !r->port;
	if (!error)
		error = taken_enter(&s->taken, &next, &flow->local_address, flow->local_port);
	if (!error) {
		error = add_to_demux(&a);
		if (error) {
			next.home = 0;
			taken_leave(&s->taken, &next);
		}
	}
	if (error) {
		flow->local_port = local_port;
		return error;
	}

	/* A wildcard bound by number stays its home, to go back to; it no longer counts there. */
	if (r->state == PORT_BOUND && r->use && (r->any_ipv4 || r->any_ipv6))
		taken_set_home(&s->taken, &next, r);
	s->held -= holds_promise(r);
	s->count += (r->state == PORT_NONE);
	r->home = 0;
	taken_leave(&s->taken, r);
	*r = next;
	if (a.replaced)
		a.replaced->is_replaced = true;
	*ret_replaced = a.replaced;
	return 0;
}

static const struct reeve_address *bound_address(const struct port_reservation *r)
{
	if (r->any_ipv4)
		return &reeve_any_ipv4;
	return r->any_ipv6 ? &reeve_any_ipv6 : &r->address;
}

void port_space_disconnect(struct port_space *s, struct port_reservation *r)
{
	check(r->state == PORT_CONNECTED);
	if (!r->implicit) {
		if (r->home)
			taken_go_home(&s->taken, r);
		enter(s, r, PORT_BOUND);
		return;
	}

	const bool was_deferred = r->deferred;
	const struct reeve_address address = *bound_address(r);

	port_space_release(s, r);
	if (was_deferred && unused(s) > s->held) {
		s->held++;
		r->deferred = true;
		r->address = address;
		enter(s, r, PORT_BOUND);
	}
}

int port_space_inherit(struct port_space *s, struct port_reservation *child,
		       const struct port_reservation *listener, const struct reeve_address *address)
{
	struct port_reservation fresh = {
		.owner = listener->owner,
		.state = PORT_CONNECTED,
		.ipv6 = listener->ipv6,
		.ipv6_only = listener->ipv6_only,
		.reuse_address = listener->reuse_address,
		.reuse_port = listener->reuse_port,
	};

	check(child->state == PORT_NONE && listener->port);

	const int error = taken_enter(&s->taken, &fresh, address, listener->port);

	if (error)
		return error;
	s->count++;
	*child = fresh;
	return 0;
}

/* A TIME-WAIT's hold: what its reservation is entered with, for it to be known again. The owner is
 * always 0, as taken_conflicts() does not ask for a TIME-WAIT's. */
enum {
	HOLD_IPV6 = 1,
	HOLD_IPV6_ONLY = 2,
	HOLD_REUSE_ADDRESS = 4,
	HOLD_REUSE_PORT = 8,
	HOLD_IMPLICIT = 16,
};

static uint8_t hold_of(const struct port_reservation *r)
{
	unsigned hold = 0;

	hold |= r->ipv6 ? HOLD_IPV6 : 0;
	hold |= r->ipv6_only ? HOLD_IPV6_ONLY : 0;
	hold |= r->reuse_address ? HOLD_REUSE_ADDRESS : 0;
	hold |= r->reuse_port ? HOLD_REUSE_PORT : 0;
	hold |= r->implicit ? HOLD_IMPLICIT : 0;
	return (uint8_t)hold;
}

static struct port_reservation reservation_of(uint8_t hold)
{
	return (struct port_reservation){
		.state = PORT_TIME_WAIT,
		.ipv6 = hold & HOLD_IPV6,
		.ipv6_only = hold & HOLD_IPV6_ONLY,
		.reuse_address = hold & HOLD_REUSE_ADDRESS,
		.reuse_port = hold & HOLD_REUSE_PORT,
		.implicit = hold & HOLD_IMPLICIT,
	};
}

int port_space_wait(struct port_space *s, struct port_reservation *r, uint8_t *ret_hold)
{
	check(r->state == PORT_CONNECTED);

	const uint8_t hold = hold_of(r);
	struct port_reservation held = reservation_of(hold);
	const int error = taken_enter(&s->taken, &held, &r->address, r->port);

	if (error)
		return error;
	s->count++;
	port_space_release(s, r);
	*ret_hold = hold;
	return 0;
}

void port_space_end_wait(struct port_space *s, const struct reeve_address *address, uint16_t port,
			 uint8_t hold)
{
	struct port_reservation held = reservation_of(hold);

	taken_find(&s->taken, &held, address, port);
	port_space_release(s, &held);
}

void port_space_move(struct port_space *s, struct port_reservation *from,
		     struct port_reservation *to, enum port_state state)
{
	check(to->state == PORT_NONE && from->state != PORT_NONE && state != PORT_NONE);
	*to = *from;
	from->use = 0;
	from->home = 0;
	from->port = 0;
	from->state = PORT_NONE;
	from->deferred = false;
	from->implicit = false;
	from->any_ipv4 = from->any_ipv6 = false;
	enter(s, to, state);
}

void port_space_release(struct port_space *s, struct port_reservation *r)
{
	if (r->state == PORT_NONE)
		return;
	if (r->state == PORT_BOUND && r->deferred)
		s->held--;
	taken_leave(&s->taken, r);
	s->count--;
	r->state = PORT_NONE;
	r->deferred = false;
	r->implicit = false;
}

void port_space_set_reuse(struct port_space *s, struct port_reservation *r, bool reuse_address,
			  bool reuse_port)
{
	r->reuse_address = reuse_address;
	r->reuse_port = reuse_port;
	taken_recount(&s->taken, r);
}
