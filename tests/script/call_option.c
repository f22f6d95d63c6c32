/* getsockopt() and setsockopt(). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "call.h"

static const struct option {
	int level, name;
	enum reeve_tcp_option option;
	int factor; /* the buffers are twice what is asked for */
} options[] = {
	{ SOL_SOCKET, SO_REUSEADDR, REEVE_TCP_REUSE_ADDRESS, 1 },
	{ SOL_SOCKET, SO_REUSEPORT, REEVE_TCP_REUSE_PORT, 1 },
	{ SOL_SOCKET, SO_KEEPALIVE, REEVE_TCP_KEEPALIVE, 1 },
	{ SOL_SOCKET, SO_SNDBUF, REEVE_TCP_SEND_BUFFER, 2 },
	{ SOL_SOCKET, SO_RCVBUF, REEVE_TCP_RECEIVE_BUFFER, 2 },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, REEVE_TCP_MAX_PACING_RATE, 1 },
	{ IPPROTO_IP, IP_TOS, REEVE_TCP_TOS, 1 },
	{ IPPROTO_IP, IP_TTL, REEVE_TCP_TTL, 1 },
	{ IPPROTO_TCP, TCP_NODELAY, REEVE_TCP_NO_DELAY, 1 },
	{ IPPROTO_TCP, TCP_CORK, REEVE_TCP_CORK, 1 },
	{ IPPROTO_TCP, TCP_QUICKACK, REEVE_TCP_QUICK_ACK, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, REEVE_TCP_KEEPALIVE_IDLE_S, 1 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, REEVE_TCP_KEEPALIVE_INTERVAL_S, 1 },
	{ IPPROTO_TCP, TCP_KEEPCNT, REEVE_TCP_KEEPALIVE_COUNT, 1 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, REEVE_TCP_USER_TIMEOUT_MS, 1 },
	{ IPPROTO_TCP, TCP_MAXSEG, REEVE_TCP_MAX_SEGMENT, 1 },
	{ IPPROTO_TCP, TCP_SYNCNT, REEVE_TCP_SYN_COUNT, 1 },
	{ IPPROTO_TCP, TCP_LINGER2, REEVE_TCP_LINGER2_S, 1 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, REEVE_TCP_DEFER_ACCEPT_S, 1 },
	{ IPPROTO_TCP, TCP_FASTOPEN, REEVE_TCP_FAST_OPEN, 1 },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, REEVE_TCP_FAST_OPEN_CONNECT, 1 },
};

static const char *const congestion_names[] = {
	[REEVE_CUBIC] = "cubic",
	[REEVE_RENO] = "reno",
};

#define CONGESTIONS (sizeof(congestion_names) / sizeof(congestion_names[0]))

static const struct option *find(int64_t level, int64_t name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].level == level && options[i].name == name)
			return &options[i];
	return NULL;
}

static bool unsupported(const struct call *c, int64_t *ret)
{
	return call_refuse(c, call_argument(c, 2), ret, "this option is not supported");
}

/* What a kernel takes and what makes no difference here: the send buffer's notification, names that
 * are not ours, marks. */
static const struct {
	int level, name;
} without_effect[] = {
	{ SOL_SOCKET, SO_MARK },     { SOL_SOCKET, SO_PRIORITY },
	{ SOL_SOCKET, SO_ZEROCOPY }, { SOL_TCP, TCP_NOTSENT_LOWAT },
	{ IPPROTO_IP, IP_FREEBIND }, { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT },
};

static bool is_without_effect(int64_t level, int64_t name)
{
	for (size_t i = 0; i < sizeof(without_effect) / sizeof(without_effect[0]); i++)
		if (without_effect[i].level == level && without_effect[i].name == name)
			return true;
	return false;
}

/* {onoff=1, linger=0}: close() resets at once, or waits so long. */
static bool set_linger(const struct call *c, struct handle *h, int64_t *ret)
{
	const struct script_value *const v = call_argument(c, 3);
	const struct script_value *const on = script_field(v, "onoff");
	const struct script_value *const time = script_field(v, "linger");

	if (!on || !time)
		return call_fault(c, v, ret, "{onoff=..., linger=...} is needed here");
	call_compare_length(c, 4, 8);
	h->linger_s = call_value(c, on) != 0 ? call_value(c, time) : -1;
	if (h->linger_s > 100000)
		return call_fault(c, v, ret, "a linger time of so many seconds");
	*ret = 0;
	return true;
}

/* A name, maybe in a list. */
static const struct script_value *text_of(const struct script_value *v)
{
	if (v->kind == VALUE_LIST && v->count == 1)
		v = v->first;
	return v->kind == VALUE_TEXT ? v : NULL;
}

static bool set_congestion(const struct call *c, const struct handle *h, int64_t *ret)
{
	const struct script_value *const v = text_of(call_argument(c, 3));

	if (!v)
		return call_fault(c, call_argument(c, 3), ret, "a name is needed here");
	*ret = -ENOENT;
	for (size_t i = 0; i < CONGESTIONS; i++)
		if (strcmp(congestion_names[i], v->text) == 0)
			*ret = reeve_tcp_set(h->tcp, REEVE_TCP_CONGESTION_CONTROL, (int64_t)i);
	return true;
}

/* As much of a value as the option takes: an int, or, of IP's, a byte. */
static void check_length(const struct call *c, int64_t level)
{
	const struct script_value *const v = call_argument(c, 4);

	if (v->kind != VALUE_ANY && call_value(c, v) != 4 &&
	    (level != IPPROTO_IP || call_value(c, v) != 1))
		script_refuse(c->run->fault, v->place, "%s(): only a length of 4 is supported",
			      c->spec->name);
}

/* By the setting net.ipv4.tcp_fastopen. */
static bool is_allowed(const struct run *r, enum reeve_tcp_option option)
{
	return (option != REEVE_TCP_FAST_OPEN || r->fast_open & 2) &&
	       (option != REEVE_TCP_FAST_OPEN_CONNECT || r->fast_open & 1);
}

/* No ceiling is ~0 for Linux, and 0 for us. */
static int64_t ceiling_from(int64_t value)
{
	return value == -1 || value == UINT32_MAX ? 0 : value;
}

static int64_t ceiling_to(int64_t value)
{
	return value == 0 ? -1 : value;
}

static bool set_number(struct call *c, struct handle *h, const struct option *o, int64_t level,
		       int64_t name, int64_t *ret)
{
	int64_t value = call_value(c, call_argument(c, 3));

	if (o && o->option == REEVE_TCP_MAX_PACING_RATE)
		value = ceiling_from(value);
	check_length(c, level);
	if (o && !is_allowed(c->run, o->option)) {
		*ret = o->option == REEVE_TCP_FAST_OPEN ? 0 : -EOPNOTSUPP; /* as Linux */
		return true;
	}
	if (o) {
		if (o->option == REEVE_TCP_CORK)
			h->is_corked = value != 0;
		*ret = reeve_tcp_set(h->tcp, o->option, value * o->factor);
		return true;
	}
	*ret = 0;
	if (level == IPPROTO_TCP && name == TCP_INQ) {
		h->has_inq = value != 0;
		return true;
	}
	/* Don't fragment is what it does; IP_PMTUDISC_WANT is what Linux does by itself. */
	if (level == IPPROTO_IP && name == IP_MTU_DISCOVER)
		script_note(c->run->script, c->event->place, "IP_MTU_DISCOVER has no effect");
	else if (is_without_effect(level, name))
		script_note(c->run->script, call_argument(c, 2)->place,
			    "the socket's option %lld of level %lld has no effect", (long long)name,
			    (long long)level);
	else
		return unsupported(c, ret);
	return true;
}

static bool try_setsockopt(struct call *c, int64_t *ret)
{
	const int64_t level = call_integer(c, 1), name = call_integer(c, 2);
	struct handle *const h = call_handle(c, HANDLE_STREAM, ret);

	if (!h && call_handle(c, HANDLE_DATAGRAM, ret))
		return unsupported(c, ret);
	if (!h)
		return true;
	if (level == SOL_SOCKET && name == SO_LINGER)
		return set_linger(c, h, ret);
	if (level == IPPROTO_TCP && name == TCP_CONGESTION)
		return set_congestion(c, h, ret);
	return set_number(c, h, find(level, name), level, name, ret);
}

static bool get_congestion(const struct call *c, const struct handle *h, int64_t *ret)
{
	const struct script_value *const v = text_of(call_argument(c, 3));
	const int64_t which = reeve_tcp_get(h->tcp, REEVE_TCP_CONGESTION_CONTROL);

	*ret = 0;
	if (!v)
		return call_fault(c, call_argument(c, 3), ret, "a name is needed here");
	if (which < 0 || which >= (int64_t)CONGESTIONS ||
	    strcmp(v->text, congestion_names[which]) != 0)
		return call_fault(c, v, ret, "it is %s", congestion_names[which & 1]);
	return true;
}

static bool try_getsockopt(struct call *c, int64_t *ret)
{
	const int64_t level = call_integer(c, 1), name = call_integer(c, 2);
	struct handle *const h = call_handle(c, HANDLE_STREAM, ret);
	const struct option *const o = find(level, name);
	int64_t value;

	if (!h && call_handle(c, HANDLE_DATAGRAM, ret))
		return unsupported(c, ret);
	if (!h)
		return true;
	if (level == IPPROTO_TCP && name == TCP_CONGESTION)
		return get_congestion(c, h, ret);
	if (level == SOL_SOCKET && name == SO_ERROR)
		value = -handle_take_error(h);
	else if (level == SOL_SOCKET && name == SO_TYPE)
		value = SOCK_STREAM;
	else if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
		value = h->is_listener;
	else if (o)
		value = reeve_tcp_get(h->tcp, o->option);
	else
		return unsupported(c, ret);
	if (o && o->option == REEVE_TCP_MAX_PACING_RATE)
		value = ceiling_to(value);
	*ret = 0;
	call_compare_length(c, 4, 4);
	call_compare_integer(c, call_argument(c, 3), value, "the option");
	return true;
}

const struct call_kind call_option_kinds[] = {
	{ "getsockopt", 5, 5, try_getsockopt },
	{ "setsockopt", 5, 5, try_setsockopt },
	{ 0 },
};
