/*
 * The demultiplexer against lists that are searched from end to end, over so few addresses and
 * ports that everything collides with everything.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/demux.h"

#include "../../model/failing.h"
#include "../base/cmocka_all.h"
#include "../base/seed.h"

#define FLOWS     400
#define LISTENERS 60

static const char *const texts[] = { "192.0.2.1", "192.0.2.2",   "127.0.0.1",   "0.0.0.0",
				     "::",        "2001:db8::1", "2001:db8::2", "::1" };

static struct reeve_address addresses[array_length(texts)];

struct model {
	struct port_demux *demux;
	bool duplicates;
	struct port_flow flows[FLOWS];
	uint64_t flow_age[FLOWS]; /* 0: not in */
	struct port_listener listeners[LISTENERS];
	uint64_t listener_age[LISTENERS];
	uint64_t clock;
	uint32_t flow_count, listener_count;
};

static struct model *model_new(bool duplicates, uint32_t max_flows, uint32_t max_listeners)
{
	const struct port_demux_config config = { .key = { 1, 2 },
						  .max_flows = max_flows,
						  .max_listeners = max_listeners,
						  .duplicate_flows = duplicates };
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->demux = port_demux_new(&config);
	assert_non_null(m->demux);
	m->duplicates = duplicates;
	for (size_t i = 0; i < array_length(texts); i++)
		assert_int_equal(reeve_address_parse(texts[i], &addresses[i]), 0);
	return m;
}

static bool is_same(const struct port_flow *a, const struct port_flow *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       reeve_address_equal(&a->local_address, &b->local_address) &&
	       reeve_address_equal(&a->remote_address, &b->remote_address);
}

/* The newest of the flows with this four-tuple. */
static struct port_flow *slow_find(struct model *m, const struct port_flow *like)
{
	int best = -1;

	for (int i = 0; i < FLOWS; i++) {
		if (m->flow_age[i] && is_same(&m->flows[i], like) &&
		    (best < 0 || m->flow_age[i] > m->flow_age[best]))
			best = i;
	}
	return best < 0 ? NULL : &m->flows[best];
}

static struct port_flow *fast_find(const struct model *m, const struct port_flow *like)
{
	const struct reeve_sockaddr local = { .address = like->local_address,
					      .port = like->local_port };
	const struct reeve_sockaddr remote = { .address = like->remote_address,
					       .port = like->remote_port };

	return port_demux_find_flow(m->demux, &local, &remote);
}

static struct port_flow random_flow(struct random *random)
{
	return (struct port_flow){
		.local_address = addresses[random_below(random, 3)],
		.remote_address = addresses[random_below(random, 6)],
		.local_port = (uint16_t)(65535 - random_below(random, 4)),
		.remote_port = (uint16_t)random_below(random, 8),
	};
}

static void drop_flow(struct model *m, unsigned i)
{
	port_demux_remove_flow(m->demux, &m->flows[i]);
	m->flow_age[i] = 0;
	m->flow_count--;
}

/* Every other allocation fails, if told to. -ENOMEM must then change nothing. */
static bool starve;

static bool starved(int result)
{
	return stop_failing() && result == -ENOMEM;
}

static void change_flow(struct model *m, struct random *random)
{
	const unsigned i = random_below(random, FLOWS);

	if (m->flow_age[i]) {
		drop_flow(m, i);
		return;
	}
	m->flows[i] = random_flow(random);

	const bool taken = slow_find(m, &m->flows[i]) && !m->duplicates;

	if (starve)
		fail_allocation_after(random_below(random, 2));

	const int added = port_demux_add_flow(m->demux, &m->flows[i]);

	if (starved(added))
		return;
	assert_int_equal(added, taken ? -EADDRINUSE : 0);
	if (!taken) {
		m->flow_age[i] = ++m->clock;
		m->flow_count++;
	}
}

static void check_flows(struct model *m, struct random *random)
{
	const struct port_flow like = random_flow(random);

	assert_ptr_equal(fast_find(m, &like), slow_find(m, &like));
	assert_int_equal(port_demux_flow_count(m->demux), m->flow_count);
}

static void check_walk(struct model *m)
{
	bool seen[FLOWS] = { 0 };
	uint64_t cursor = 0;
	uint32_t count = 0;
	struct port_flow *f;

	for (; (f = port_demux_next_flow(m->demux, &cursor)); count++) {
		const size_t i = (size_t)(f - m->flows);

		assert_true(i < FLOWS && m->flow_age[i] && !seen[i]);
		seen[i] = true;
	}
	assert_int_equal(count, m->flow_count);
}

static void churn_flows(bool duplicates)
{
	struct random random = seeded(1);
	struct model *m = model_new(duplicates, FLOWS, 0);

	for (unsigned n = 0; n < 60000; n++) {
		change_flow(m, &random);
		check_flows(m, &random);
		if (n % 500 == 0)
			check_walk(m);
	}
	for (unsigned i = 0; i < FLOWS; i++) {
		if (m->flow_age[i])
			drop_flow(m, i);
	}
	check_walk(m);
	port_demux_free(m->demux);
	free(m);
}

static void test_flows(void **state)
{
	(void)state;
	churn_flows(false);
}

static void test_duplicate_flows(void **state)
{
	(void)state;
	churn_flows(true);
}

static void test_replace(void **state)
{
	struct random random = seeded(2);
	struct model *m = model_new(false, FLOWS, 0);
	struct port_flow old, fresh;

	(void)state;
	old = random_flow(&random);
	fresh = old;
	assert_int_equal(port_demux_add_flow(m->demux, &old), 0);
	port_demux_replace_flow(m->demux, &old, &fresh);
	assert_ptr_equal(fast_find(m, &old), &fresh);
	assert_int_equal(port_demux_flow_count(m->demux), 1);
	port_demux_remove_flow(m->demux, &fresh);
	assert_null(fast_find(m, &old));
	port_demux_free(m->demux);
	free(m);
}

static void test_limits(void **state)
{
	struct random random = seeded(3);
	struct model *m = model_new(true, 2, 1);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		m->flows[i] = random_flow(&random);
	assert_int_equal(port_demux_add_flow(m->demux, &m->flows[0]), 0);
	assert_int_equal(port_demux_add_flow(m->demux, &m->flows[1]), 0);
	assert_int_equal(port_demux_add_flow(m->demux, &m->flows[2]), -ENOBUFS);
	port_demux_remove_flow(m->demux, &m->flows[0]);
	assert_int_equal(port_demux_add_flow(m->demux, &m->flows[2]), 0);
	port_demux_remove_flow(m->demux, &m->flows[1]);
	port_demux_remove_flow(m->demux, &m->flows[2]);
	for (unsigned i = 0; i < 2; i++)
		m->listeners[i] = (struct port_listener){ .address = addresses[i], .port = 80 };
	assert_int_equal(port_demux_add_listener(m->demux, &m->listeners[0]), 0);
	assert_int_equal(port_demux_add_listener(m->demux, &m->listeners[1]), -ENOBUFS);
	port_demux_remove_listener(m->demux, &m->listeners[0]);
	assert_int_equal(port_demux_add_listener(m->demux, &m->listeners[1]), 0);
	port_demux_remove_listener(m->demux, &m->listeners[1]);
	port_demux_free(m->demux);
	free(m);
}

/* Linux's compute_score(), socket by socket: 0, doesn't take it. */
static unsigned score(const struct port_listener *l, const struct reeve_sockaddr *local)
{
	const bool to_ipv4 = reeve_address_is_ipv4(&local->address);

	if (l->port != local->port)
		return 0;
	if (reeve_address_equal(&l->address, &local->address))
		return to_ipv4 && l->ipv6 ? (l->ipv6_only ? 0 : 5) : 6;
	if (!reeve_address_is_unspecified(&l->address))
		return 0;
	if (to_ipv4 && reeve_address_is_ipv4(&l->address))
		return l->ipv6 ? (l->ipv6_only ? 0 : 3) : 4;
	if (to_ipv4)
		return l->ipv6_only ? 0 : 1;
	return reeve_address_is_ipv4(&l->address) ? 0 : 4;
}

static void check_listener(struct model *m, const struct reeve_sockaddr *local,
			   const struct reeve_sockaddr *remote)
{
	struct port_listener *found = port_demux_find_listener(m->demux, local, remote);
	unsigned best = 0;
	int newest = -1;

	for (int i = 0; i < LISTENERS; i++) {
		const unsigned s = m->listener_age[i] ? score(&m->listeners[i], local) : 0;

		if (s > best || (s && s == best && m->listener_age[i] > m->listener_age[newest])) {
			best = s;
			newest = i;
		}
	}
	if (newest < 0) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_int_equal(score(found, local), best);
	if (m->listeners[newest].reuse_port)
		assert_true(found->reuse_port &&
			    reeve_address_equal(&found->address, &m->listeners[newest].address));
	else
		assert_ptr_equal(found, &m->listeners[newest]);
	assert_ptr_equal(port_demux_find_listener(m->demux, local, remote), found);
}

static void check_matches(struct model *m, const struct reeve_sockaddr *local)
{
	bool seen[LISTENERS] = { 0 };
	const struct port_listener *l = NULL;
	unsigned count = 0, expected = 0;

	while ((l = port_demux_next_match(m->demux, local, l))) {
		const size_t i = (size_t)(l - m->listeners);

		assert_true(i < LISTENERS && m->listener_age[i] && !seen[i]);
		assert_true(score(l, local) > 0);
		seen[i] = true;
		count++;
	}
	for (unsigned i = 0; i < LISTENERS; i++)
		expected += m->listener_age[i] && score(&m->listeners[i], local) > 0;
	assert_int_equal(count, expected);
}

static void change_listener(struct model *m, struct random *random)
{
	const unsigned i = random_below(random, LISTENERS);
	struct port_listener *l = &m->listeners[i];

	if (m->listener_age[i]) {
		port_demux_remove_listener(m->demux, l);
		m->listener_age[i] = 0;
		m->listener_count--;
		return;
	}
	*l = (struct port_listener){
		.address = addresses[random_below(random, array_length(texts))],
		.port = (uint16_t)(random_below(random, 2) ? 80 : 65535),
		.reuse_port = random_below(random, 2),
	};
	l->ipv6 = !reeve_address_is_ipv4(&l->address) || random_below(random, 3) == 0;
	l->ipv6_only = !reeve_address_is_ipv4(&l->address) && random_below(random, 3) == 0;
	if (starve)
		fail_allocation_after(random_below(random, 4));

	const int added = port_demux_add_listener(m->demux, l);

	if (starved(added))
		return;
	assert_int_equal(added, 0);
	m->listener_age[i] = ++m->clock;
	m->listener_count++;
}

static void churn_listeners(void)
{
	struct random random = seeded(4);
	struct model *m = model_new(true, 0, LISTENERS);

	for (unsigned n = 0; n < 40000; n++) {
		struct reeve_sockaddr local, remote;

		change_listener(m, &random);
		local.address = addresses[random_below(&random, array_length(texts))];
		local.port = random_below(&random, 2) ? 80 : 65535;
		remote.address = addresses[random_below(&random, array_length(texts))];
		remote.port = (uint16_t)random_u32(&random);
		if (!reeve_address_is_unspecified(&local.address))
			check_listener(m, &local, &remote);
		check_matches(m, &local);
		assert_int_equal(port_demux_listener_count(m->demux), m->listener_count);
	}
	for (unsigned i = 0; i < LISTENERS; i++) {
		if (m->listener_age[i])
			port_demux_remove_listener(m->demux, &m->listeners[i]);
	}
	port_demux_free(m->demux);
	free(m);
}

static void test_listeners(void **state)
{
	(void)state;
	churn_listeners();
}

static void test_failing_allocations(void **state)
{
	(void)state;
	starve = true;
	churn_flows(false);
	churn_flows(true);
	churn_listeners();
	starve = false;
}

/* The flows of many clients fall evenly on the members of a group, and stay where they fell. */
static void test_shares_are_even(void **state)
{
	enum { MEMBERS = 7, CLIENTS = 70000 };
	struct model *m = model_new(false, 0, MEMBERS);
	const struct reeve_sockaddr local = { .address = addresses[0], .port = 80 };
	uint32_t counts[MEMBERS] = { 0 };
	double sum = 0;

	(void)state;
	for (unsigned i = 0; i < MEMBERS; i++) {
		m->listeners[i] = (struct port_listener){ .address = reeve_any_ipv4,
							  .port = 80,
							  .reuse_port = true };
		assert_int_equal(port_demux_add_listener(m->demux, &m->listeners[i]), 0);
	}
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct reeve_sockaddr remote = { .address = reeve_address_from_ipv4(
							       0xc6120000 + i / 1000),
						       .port = (uint16_t)(1024 + i % 1000) };
		const struct port_listener *l = port_demux_find_listener(m->demux, &local, &remote);

		counts[l - m->listeners]++;
	}
	for (unsigned i = 0; i < MEMBERS; i++) {
		const double off = counts[i] - (double)CLIENTS / MEMBERS;

		sum += off * off / ((double)CLIENTS / MEMBERS);
	}
	/* Chi-square with 6 degrees of freedom: beyond 30 once in 25,000. */
	assert_true(sum < 30);
	for (unsigned i = 0; i < MEMBERS; i++)
		port_demux_remove_listener(m->demux, &m->listeners[i]);
	port_demux_free(m->demux);
	free(m);
}

/* The first and the last port, and all between. */
static void test_every_port_is_its_own(void **state)
{
	struct model *m = model_new(false, 70000, 70000);
	struct port_listener *l = calloc(65536, sizeof(*l));

	(void)state;
	assert_non_null(l);
	for (uint32_t port = 0; port <= 65535; port++) {
		l[port] = (struct port_listener){ .address = reeve_any_ipv6,
						  .port = (uint16_t)port,
						  .ipv6 = true };
		assert_int_equal(port_demux_add_listener(m->demux, &l[port]), 0);
	}
	for (uint32_t port = 0; port <= 65535; port++) {
		const struct reeve_sockaddr local = { .address = addresses[0],
						      .port = (uint16_t)port };

		assert_ptr_equal(port_demux_find_listener(m->demux, &local, &local), &l[port]);
		assert_ptr_equal(port_demux_next_match(m->demux, &local, NULL), &l[port]);
		assert_null(port_demux_next_match(m->demux, &local, &l[port]));
	}
	for (uint32_t port = 0; port <= 65535; port++)
		port_demux_remove_listener(m->demux, &l[port]);
	port_demux_free(m->demux);
	free(l);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_duplicate_flows),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_failing_allocations),
		cmocka_unit_test(test_shares_are_even),
		cmocka_unit_test(test_every_port_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
