/*
 * Socket options. Each is a field with its bounds; a few have an effect when they are set.
 */
#include <errno.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

struct bounds {
	int64_t least, most;
};

/* As Linux has them; buffers are clamped rather than refused. */
static const struct bounds bounds[REEVE_TCP_OPTION_COUNT] = {
	[REEVE_TCP_REUSE_ADDRESS] = { 0, 1 },
	[REEVE_TCP_REUSE_PORT] = { 0, 1 },
	[REEVE_TCP_IPV6_ONLY] = { 0, 1 },
	[REEVE_TCP_OWNER] = { 0, UINT32_MAX },
	[REEVE_TCP_NO_DELAY] = { 0, 1 },
	[REEVE_TCP_CORK] = { 0, 1 },
	[REEVE_TCP_QUICK_ACK] = { 0, 1 },
	[REEVE_TCP_KEEPALIVE] = { 0, 1 },
	[REEVE_TCP_KEEPALIVE_IDLE_S] = { 1, 32767 },
	[REEVE_TCP_KEEPALIVE_INTERVAL_S] = { 1, 32767 },
	[REEVE_TCP_KEEPALIVE_COUNT] = { 1, 127 },
	[REEVE_TCP_USER_TIMEOUT_MS] = { 0, INT32_MAX },
	[REEVE_TCP_MAX_SEGMENT] = { 0, 32767 },
	[REEVE_TCP_SYN_COUNT] = { 1, 127 },
	[REEVE_TCP_SEND_BUFFER] = { 0, INT32_MAX },
	[REEVE_TCP_RECEIVE_BUFFER] = { 0, INT32_MAX },
	[REEVE_TCP_TTL] = { 1, 255 },
	[REEVE_TCP_TOS] = { 0, 255 },
	[REEVE_TCP_CONGESTION_CONTROL] = { REEVE_CUBIC, REEVE_RENO },
	[REEVE_TCP_LINGER2_S] = { 0, 32767 },
	[REEVE_TCP_DEFER_ACCEPT_S] = { 0, 32767 },
	[REEVE_TCP_ECN] = { REEVE_ECN_OFF, REEVE_ECN_PASSIVE },
	[REEVE_TCP_FAST_OPEN] = { 0, UINT16_MAX },
	[REEVE_TCP_FAST_OPEN_CONNECT] = { 0, 1 },
	[REEVE_TCP_MAX_PACING_RATE] = { 0, REEVE_TCP_PACING_RATE_MOST },
};

static uint32_t clamp_buffer(int64_t value)
{
	if (value < TCP_BUFFER_MIN)
		return TCP_BUFFER_MIN;
	return value < TCP_BUFFER_MAX ? (uint32_t)value : TCP_BUFFER_MAX;
}

static void set_congestion(struct reeve_tcp *tcp, int64_t value)
{
	struct congestion_memory *const known = &tcp->learned.congestion;

	if (tcp->settings.congestion != (uint64_t)value)
		*known = (struct congestion_memory){
			.window = known->window,
			.threshold = known->threshold,
		};
	tcp->settings.congestion = (uint64_t)value & 3U;
	if (!tcp->busy || !tcp->busy->congestion.ops)
		return;

	const struct tcp_congestion before = tcp->busy->congestion;

	congestion_init(&tcp->busy->congestion, (enum reeve_congestion)value, before.mss);
	tcp->busy->congestion.window = before.window;
	tcp->busy->congestion.threshold = before.threshold;
}

static int set_port_option(struct reeve_tcp *tcp, enum reeve_tcp_option option, int64_t value)
{
	struct port_space *const space = tcp_of(tcp)->space;
	struct port_reservation *const port = &tcp->port;

	if (option == REEVE_TCP_REUSE_ADDRESS) {
		port_space_set_reuse(space, port, value, port->reuse_port);
	} else if (option == REEVE_TCP_REUSE_PORT) {
		port_space_set_reuse(space, port, port->reuse_address, value);
	} else if (option == REEVE_TCP_IPV6_ONLY) {
		if (port->state != PORT_NONE)
			return -EINVAL;
		port->ipv6_only = value;
	} else {
		port->owner = (uint32_t)value;
	}
	return 0;
}

/* What the value changes at once for what is already there. */
static void apply(struct reeve_tcp *tcp, enum reeve_tcp_option option)
{
	if (option == REEVE_TCP_NO_DELAY || option == REEVE_TCP_CORK)
		tcp_mark_dirty(tcp);
	if (option == REEVE_TCP_NO_DELAY && tcp->settings.no_delay)
		tcp->push_partial = true; /* as in Linux: whatever waits goes */
	if (option == REEVE_TCP_SEND_BUFFER)
		tcp->settings.send_fixed = true;
	if (option == REEVE_TCP_RECEIVE_BUFFER)
		tcp->settings.receive_fixed = true;
	if (option == REEVE_TCP_KEEPALIVE || option == REEVE_TCP_KEEPALIVE_IDLE_S)
		tcp_timer_keepalive(tcp);
	if (option == REEVE_TCP_QUICK_ACK && tcp->busy && tcp->busy->unacked_bytes > 0) {
		tcp->ack_due = true;
		tcp_mark_dirty(tcp);
	}
	if (option == REEVE_TCP_RECEIVE_BUFFER && tcp_window_should_update(tcp)) {
		tcp->ack_due = true;
		tcp_mark_dirty(tcp);
	}
	if (option == REEVE_TCP_MAX_PACING_RATE && tcp->busy) {
		tcp->busy->paced_to = reeve_time_min(tcp->busy->paced_to, tcp_now(tcp));
		tcp_mark_dirty(tcp);
	}
}

static void set_number(struct tcp_settings *s, enum reeve_tcp_option option, int64_t value)
{
	if (option == REEVE_TCP_KEEPALIVE_IDLE_S)
		s->keepalive_idle_s = (uint16_t)value;
	else if (option == REEVE_TCP_KEEPALIVE_INTERVAL_S)
		s->keepalive_interval_s = (uint16_t)value;
	else if (option == REEVE_TCP_KEEPALIVE_COUNT)
		s->keepalive_count = (uint8_t)value;
	else if (option == REEVE_TCP_USER_TIMEOUT_MS)
		s->user_timeout_ms = (uint32_t)value;
	else if (option == REEVE_TCP_MAX_SEGMENT)
		s->max_segment = (uint16_t)value;
	else if (option == REEVE_TCP_SYN_COUNT)
		s->syn_count = (uint8_t)value;
	else if (option == REEVE_TCP_SEND_BUFFER)
		s->send_buffer = clamp_buffer(value);
	else if (option == REEVE_TCP_RECEIVE_BUFFER)
		s->receive_buffer = clamp_buffer(value);
	else if (option == REEVE_TCP_TTL)
		s->ttl = (uint8_t)value;
	else if (option == REEVE_TCP_TOS)
		s->tos = (uint8_t)(value & ~IP_ECN_MASK);
	else if (option == REEVE_TCP_ECN)
		s->ecn = (uint8_t)value & 3U;
	else if (option == REEVE_TCP_MAX_PACING_RATE)
		s->pacing_max = (uint64_t)value & (uint64_t)REEVE_TCP_PACING_RATE_MOST;
	else if (option == REEVE_TCP_LINGER2_S)
		s->linger2_s = (uint16_t)value;
	else if (option == REEVE_TCP_FAST_OPEN)
		s->fast_open = (uint16_t)value;
	else
		s->defer_accept_s = (uint16_t)value;
}

static bool set_flag(struct tcp_settings *s, enum reeve_tcp_option option, bool value)
{
	if (option == REEVE_TCP_NO_DELAY)
		s->no_delay = value;
	else if (option == REEVE_TCP_CORK)
		s->cork = value;
	else if (option == REEVE_TCP_QUICK_ACK)
		s->quick_ack = value;
	else if (option == REEVE_TCP_KEEPALIVE)
		s->keepalive = value;
	else if (option == REEVE_TCP_FAST_OPEN_CONNECT)
		s->fast_open_connect = value;
	else
		return false;
	return true;
}

static bool is_port_option(enum reeve_tcp_option option)
{
	return option == REEVE_TCP_REUSE_ADDRESS || option == REEVE_TCP_REUSE_PORT ||
	       option == REEVE_TCP_IPV6_ONLY || option == REEVE_TCP_OWNER;
}

int reeve_tcp_set(struct reeve_tcp *tcp, enum reeve_tcp_option option, int64_t value)
{
	if ((unsigned)option >= REEVE_TCP_OPTION_COUNT || value < bounds[option].least ||
	    value > bounds[option].most)
		return -EINVAL;
	/* 1 to 87 would be less than any link can do (and what CVE-2019-11479 used). */
	if (option == REEVE_TCP_MAX_SEGMENT && value > 0 && value < TCP_MSS_MIN)
		return -EINVAL;
	if (is_port_option(option))
		return set_port_option(tcp, option, value);
	if (option == REEVE_TCP_CONGESTION_CONTROL)
		set_congestion(tcp, value);
	else if (!set_flag(&tcp->settings, option, value))
		set_number(&tcp->settings, option, value);
	apply(tcp, option);
	return 0;
}

int64_t reeve_tcp_get(const struct reeve_tcp *tcp, enum reeve_tcp_option option)
{
	const struct tcp_settings *const s = &tcp->settings;

	switch (option) {
	case REEVE_TCP_REUSE_ADDRESS:
		return tcp->port.reuse_address;
	case REEVE_TCP_REUSE_PORT:
		return tcp->port.reuse_port;
	case REEVE_TCP_IPV6_ONLY:
		return tcp->port.ipv6_only;
	case REEVE_TCP_OWNER:
		return tcp->port.owner;
	case REEVE_TCP_NO_DELAY:
		return s->no_delay;
	case REEVE_TCP_CORK:
		return s->cork;
	case REEVE_TCP_QUICK_ACK:
		return s->quick_ack || tcp->quick_acks > 0;
	case REEVE_TCP_KEEPALIVE:
		return s->keepalive;
	case REEVE_TCP_KEEPALIVE_IDLE_S:
		return s->keepalive_idle_s;
	case REEVE_TCP_KEEPALIVE_INTERVAL_S:
		return s->keepalive_interval_s;
	case REEVE_TCP_KEEPALIVE_COUNT:
		return s->keepalive_count;
	case REEVE_TCP_USER_TIMEOUT_MS:
		return s->user_timeout_ms;
	case REEVE_TCP_MAX_SEGMENT:
		return s->max_segment;
	case REEVE_TCP_SYN_COUNT:
		return s->syn_count;
	case REEVE_TCP_SEND_BUFFER:
		return s->send_buffer;
	case REEVE_TCP_RECEIVE_BUFFER:
		return s->receive_buffer;
	case REEVE_TCP_TTL:
		return s->ttl;
	case REEVE_TCP_TOS:
		return s->tos;
	case REEVE_TCP_CONGESTION_CONTROL:
		return (int64_t)s->congestion;
	case REEVE_TCP_LINGER2_S:
		return s->linger2_s;
	case REEVE_TCP_DEFER_ACCEPT_S:
		return s->defer_accept_s;
	case REEVE_TCP_ECN:
		return s->ecn;
	case REEVE_TCP_FAST_OPEN:
		return s->fast_open;
	case REEVE_TCP_FAST_OPEN_CONNECT:
		return s->fast_open_connect;
	case REEVE_TCP_MAX_PACING_RATE:
		return (int64_t)s->pacing_max;
	case REEVE_TCP_OPTION_COUNT:
		break;
	}
	return -EINVAL;
}
