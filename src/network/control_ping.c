/* Ping: echo requests from a host, one at a time, each answered, refused or given up. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "network/control_private.h"

#define MAX_COUNT       1000000000
#define MAX_INTERVAL_MS 3600000
#define MAX_SIZE        65507
#define MIN_INTERVAL_MS 1

struct ping_call {
	struct control_session session;
	struct socket_owner owner;
	struct control_client *client;
	struct reeve_ping *ping;
	struct reeve_address to;
	struct loop_timer next;    /* when the next request is to go */
	struct loop_timer timeout; /* when the one under way is given up */
	int64_t count, interval_ms, timeout_ms;
	size_t size;
	uint16_t sequence; /* of the request under way, or the last */
	int64_t sent;
	bool waiting; /* for an answer */
	struct reeve_time sent_at;
};

static struct loop *loop_of(const struct ping_call *p)
{
	return p->client->network->loop;
}

static void ping_free(struct ping_call *p)
{
	struct network_host *host = p->owner.host;

	loop_timer_disarm(loop_of(p), &p->next);
	loop_timer_disarm(loop_of(p), &p->timeout);
	reeve_ping_close(p->ping);
	socket_owner_deinit(&p->owner);
	host_release(host);
	free(p);
}

static void client_gone(struct control_session *session)
{
	ping_free((struct ping_call *)(void *)session);
}

struct outcome {
	struct reeve_address from;
	uint8_t ttl;
	int64_t rtt_us;
	int error;
};

/* One answer a request; after the last the call is over. */
static void answer(struct ping_call *p, const struct outcome *o)
{
	struct control_client *client = p->client;
	const bool last = p->sent >= p->count || !client->more;
	json_t *error = o->error ? json_string(control_errno_name(o->error)) : json_null();
	json_t *parameters = json_pack("{s:i,s:o,s:i,s:I,s:o}", "sequence", (int)p->sequence,
				       "from", control_address(&o->from), "ttl", (int)o->ttl,
				       "rtt_us", (json_int_t)o->rtt_us, "error", error);

	p->waiting = false;
	loop_timer_disarm(loop_of(p), &p->timeout);
	if (last) {
		client->session = NULL;
		ping_free(p);
		control_reply(client, parameters, false);
		control_end(client);
		return;
	}
	const struct reeve_time next = reeve_time_add_ms(p->sent_at, p->interval_ms);

	loop_timer_arm(loop_of(p), &p->next, next);
	control_reply(client, parameters, true);
}

static void send_next(struct ping_call *p)
{
	const struct reeve_time now = loop_clock();
	int r;

	p->sequence = (uint16_t)(p->sent + 1);
	p->sent++;
	p->sent_at = now;
	p->waiting = true;
	r = reeve_ping_send(p->ping, &p->to, p->sequence, p->size);
	host_activate(p->owner.host);
	if (r < 0)
		answer(p, &(struct outcome){ .from = p->owner.host->address, .error = -r });
	else
		loop_timer_arm(loop_of(p), &p->timeout, reeve_time_add_ms(now, p->timeout_ms));
}

static void next_fired(struct loop_timer *timer)
{
	send_next(container_of(timer, struct ping_call, next));
}

static void timeout_fired(struct loop_timer *timer)
{
	struct ping_call *p = container_of(timer, struct ping_call, timeout);

	answer(p, &(struct outcome){ .from = p->to, .error = ETIMEDOUT });
}

/* Answers to requests that were given up already are late; they are not told. */
static void ping_event(struct socket_owner *owner, const struct reeve_event *event)
{
	struct ping_call *p = container_of(owner, struct ping_call, owner);
	const struct reeve_time now = loop_clock();
	struct reeve_ping_reply reply;

	(void)event;
	while (reeve_ping_receive(p->ping, &reply)) {
		if (!p->waiting || reply.sequence != p->sequence)
			continue;
		const struct outcome o = {
			.from = reply.from,
			.ttl = reply.ttl,
			.rtt_us = reeve_time_since(now, p->sent_at) / REEVE_NS_PER_US,
			.error = reply.error,
		};

		answer(p, &o);
		return;
	}
}

static const struct socket_owner_ops ping_ops = { .event = ping_event };

/* By name or by address. */
static bool find_target(const struct control_call *call, const char *text,
			struct reeve_address *ret)
{
	const struct network_host *host;

	if (reeve_address_parse(text, ret) == 0)
		return true;
	host = control_find_host(call, text);
	if (host)
		*ret = host->address;
	return host != NULL;
}

static void ping(struct control_call *call)
{
	const char *host_name, *to;
	struct network_host *host;
	int64_t size;
	struct ping_call *p;
	struct ping_call wanted = { .client = call->client };

	if (!control_string(call, "host", false, &host_name) ||
	    !control_string(call, "to", false, &to) ||
	    !control_integer(call, "count", 1, MAX_COUNT, &wanted.count) ||
	    !control_integer(call, "interval_ms", MIN_INTERVAL_MS, MAX_INTERVAL_MS,
			     &wanted.interval_ms) ||
	    !control_integer(call, "timeout_ms", 1, MAX_INTERVAL_MS, &wanted.timeout_ms) ||
	    !control_integer(call, "size", 0, MAX_SIZE, &size))
		return;
	host = control_find_host(call, host_name);
	if (!host || !find_target(call, to, &wanted.to))
		return;
	p = malloc(sizeof(*p));
	if (!p) {
		control_no_memory(call->client, "Ping");
		return;
	}
	*p = wanted;
	p->size = (size_t)size;
	p->session = (struct control_session){ .end = client_gone, .host = host };
	socket_owner_init(&p->owner, &ping_ops, host);
	loop_timer_init(&p->next, next_fired);
	loop_timer_init(&p->timeout, timeout_fired);
	p->ping = reeve_ping_new(host->stack, &p->owner);
	if (!p->ping) {
		free(p);
		control_no_memory(call->client, "Ping");
		return;
	}
	host_hold(host);
	call->client->session = &p->session;
	send_next(p);
}

const struct control_method control_ping_methods[] = {
	{ "io.reeve.Network.Ping", ping },
	{ NULL, NULL },
};
