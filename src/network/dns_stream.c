#include "network/dns_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "network/dns.h"
#include "network/host.h"

#define MAX_CONNECTIONS 64 /* a listener */
#define QUERY_MAX       1024
#define ANSWER_MAX      4096
#define IDLE_MS         10000

struct dns_listener {
	struct socket_owner owner;
	struct reeve_tcp *tcp;
	struct list connections;
	unsigned count;
};

struct dns_connection {
	struct socket_owner owner;
	struct dns_listener *listener;
	struct list node;
	struct reeve_tcp *tcp;
	struct loop_timer idle;
	uint8_t query[2 + QUERY_MAX];
	size_t have;
	uint8_t answer[2 + ANSWER_MAX];
	size_t answer_length, answer_done;
};

static struct loop *loop_of(const struct dns_connection *c)
{
	return c->owner.host->station.network->loop;
}

static void connection_free(struct dns_connection *c)
{
	loop_timer_disarm(loop_of(c), &c->idle);
	socket_owner_deinit(&c->owner);
	list_remove(&c->node);
	c->listener->count--;
	free(c);
}

static void connection_end(struct dns_connection *c, bool in_order)
{
	if (in_order)
		reeve_tcp_close(c->tcp);
	else
		reeve_tcp_abort(c->tcp);
	host_activate(c->owner.host);
	connection_free(c);
}

static void connection_idle(struct loop_timer *timer)
{
	connection_end(container_of(timer, struct dns_connection, idle), true);
}

/* False when the connection failed. */
static bool write_answer(struct dns_connection *c)
{
	while (c->answer_done < c->answer_length) {
		const int64_t n = reeve_tcp_write(c->tcp, c->answer + c->answer_done,
						  c->answer_length - c->answer_done);

		if (n <= 0)
			return n == 0;
		c->answer_done += (size_t)n;
	}
	c->answer_length = c->answer_done = 0;
	return true;
}

static size_t wanted(const struct dns_connection *c)
{
	return c->have < 2 ? 2 : 2 + (size_t)load_be16(c->query);
}

/* A whole query is there. */
static void answer_query(struct dns_connection *c)
{
	const size_t n = dns_answer(c->owner.host->station.network, c->query + 2, c->have - 2,
				    c->answer + 2, ANSWER_MAX);

	store_be16(c->answer, (uint16_t)n);
	c->answer_length = n ? n + 2 : 0;
	c->answer_done = 0;
	c->have = 0;
}

static void connection_event(struct socket_owner *owner, const struct reeve_event *event)
{
	struct dns_connection *c = container_of(owner, struct dns_connection, owner);
	int64_t n;

	if (event->what & REEVE_FAILED) {
		connection_end(c, false);
		return;
	}
	for (;;) {
		if (!write_answer(c) || wanted(c) > sizeof(c->query)) {
			connection_end(c, false);
			return;
		}
		if (c->answer_length > 0)
			break;
		n = reeve_tcp_read(c->tcp, c->query + c->have, wanted(c) - c->have);
		if (n == -EAGAIN || n == -ENOTCONN)
			break;
		if (n <= 0) {
			connection_end(c, n == 0);
			return;
		}
		c->have += (size_t)n;
		if (c->have >= 2 && c->have == wanted(c))
			answer_query(c);
	}
	loop_timer_arm(loop_of(c), &c->idle,
		       reeve_time_add_ms(network_now(owner->host->station.network), IDLE_MS));
	host_activate(owner->host);
}

static const struct socket_owner_ops connection_ops = { .event = connection_event };

/* The handshake goes on once there is room for the connection. */
static void listener_event(struct socket_owner *owner, const struct reeve_event *event)
{
	struct dns_listener *l = container_of(owner, struct dns_listener, owner);
	struct dns_connection *c;

	if (!(event->what & REEVE_INTERCEPTED))
		return;
	c = l->count < MAX_CONNECTIONS ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		reeve_tcp_refuse(event->socket, REEVE_REFUSE_RESET);
		return;
	}
	socket_owner_init(&c->owner, &connection_ops, owner->host);
	c->listener = l;
	c->tcp = event->socket;
	loop_timer_init(&c->idle, connection_idle);
	list_init(&c->node);
	list_append(&l->connections, &c->node);
	l->count++;
	reeve_tcp_set_user(c->tcp, &c->owner);
	reeve_tcp_proceed(c->tcp);
	loop_timer_arm(loop_of(c), &c->idle,
		       reeve_time_add_ms(network_now(owner->host->station.network), IDLE_MS));
	host_activate(owner->host);
}

static const struct socket_owner_ops listener_ops = { .event = listener_event };

int dns_listener_new(struct network_host *host, const struct reeve_prefix *to, uint16_t port,
		     struct dns_listener **ret)
{
	struct dns_listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	socket_owner_init(&l->owner, &listener_ops, host);
	list_init(&l->connections);
	r = reeve_tcp_intercept(host->stack, to, port, &l->owner, &l->tcp);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct dns_listener *dns_listener_free(struct dns_listener *l)
{
	if (!l)
		return NULL;
	list_for_each_safe(node, &l->connections)
		connection_end(list_entry(node, struct dns_connection, node), false);
	reeve_tcp_close(l->tcp);
	socket_owner_deinit(&l->owner);
	free(l);
	return NULL;
}
