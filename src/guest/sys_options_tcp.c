/* Options of IPPROTO_TCP that are more than a number (tcp(7)). */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/kernel.h"
#include "guest/peer.h"
#include "guest/supervisor.h"
#include "guest/sys_options.h"
#include "guest/tcp_info.h"
#include "reeve/tcp.h"

#define CONGESTION_NAME  16 /* TCP_CA_NAME_MAX */
#define SEGMENT_LEAST    88
#define SEGMENT_DEFAULT  536   /* RFC 9293, 3.7.1 */
#define SEGMENT_LOOPBACK 65483 /* Linux's */
#define LINGER_DEFAULT_S 60
#define LINGER_MOST_S    120
#define WINDOW_LEAST     1152 /* half of the smallest buffer */
#define WINDOW_CONNECTED 65536
#define BACKLOG_MOST     4096 /* net.core.somaxconn */
#define TIMEOUT_FIRST_S  1    /* of a SYN's retransmission; each next one is twice as long */
#define TIMEOUT_LAST_S   120
#define RETRANSMITS_MOST 255

static const char *const congestion_names[] = { [REEVE_CUBIC] = "cubic", [REEVE_RENO] = "reno" };

/* What the kernel calls TCP_CLOSE. */
static bool is_closed(const struct guest_socket *socket)
{
	return socket->state != SOCKET_LISTENING && socket->state != SOCKET_CONNECTING &&
	       socket->state != SOCKET_CONNECTED;
}

static int set_segment(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	if (value != 0 && (value < SEGMENT_LEAST || value > INT16_MAX))
		return -EINVAL;
	option_keep(s, c, socket, value);
	return 0;
}

static int set_linger(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	if (value < 0)
		value = -1;
	else if (value == 0)
		value = LINGER_DEFAULT_S;
	else if (value > LINGER_MOST_S)
		value = LINGER_MOST_S;
	option_keep(s, c, socket, value);
	return 0;
}

static int next_timeout(int timeout)
{
	return timeout * 2 > TIMEOUT_LAST_S ? TIMEOUT_LAST_S : timeout * 2;
}

/* tcp(7): "a value in seconds"; it is kept as the number of retransmissions that take so long. */
static int32_t to_retransmits(int32_t seconds)
{
	int timeout = TIMEOUT_FIRST_S, period = TIMEOUT_FIRST_S;
	int32_t count = seconds > 0;

	while (seconds > period && count < RETRANSMITS_MOST) {
		count++;
		timeout = next_timeout(timeout);
		period += timeout;
	}
	return count;
}

static int32_t to_seconds(int32_t retransmits)
{
	int timeout = TIMEOUT_FIRST_S, period = retransmits > 0 ? TIMEOUT_FIRST_S : 0;

	while (--retransmits > 0) {
		timeout = next_timeout(timeout);
		period += timeout;
	}
	return period;
}

static int set_defer_accept(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	option_keep(s, c, socket, to_seconds(to_retransmits(value)));
	return 0;
}

static int set_window(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	if (value == 0 && !is_closed(socket))
		return -EINVAL;
	option_keep(s, c, socket, value && value < WINDOW_LEAST ? WINDOW_LEAST : value);
	return 0;
}

/* As where net.ipv4.tcp_fastopen is what it is at first, 1, no listener grants a cookie: the length of the
 * queue is kept for who asks, and so is the key. */
static int set_fast_open(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	if (value < 0 || (!is_closed(socket) && socket->state != SOCKET_LISTENING))
		return -EINVAL;
	option_keep(s, c, socket, value < BACKLOG_MOST ? value : BACKLOG_MOST);
	return 0;
}

static int set_before_connect(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const bool may_listen = call_int(c, 2) == TCP_FASTOPEN_NO_COOKIE;
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	if (value < 0 || value > 1 ||
	    !(is_closed(socket) || (may_listen && socket->state == SOCKET_LISTENING)))
		return -EINVAL;
	option_keep(s, c, socket, value);
	return 0;
}

static int set_fast_open_key(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	uint8_t key[sizeof(socket->fast_open_key)];
	const uint32_t length = option_length(c);

	(void)s;
	if (length != sizeof(key) && length != sizeof(key) / 2)
		return -EINVAL;

	const int r = option_read_bytes(c, key, length);

	if (r < 0)
		return r;
	memcpy(socket->fast_open_key, key, length);
	socket->fast_open_key_length = (uint8_t)length;
	return 0;
}

static int get_fast_open_key(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return option_write(c, socket->fast_open_key, socket->fast_open_key_length);
}

/* Accepted, and of no effect (since Linux 4.15). */
static int set_thin(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	(void)s;
	(void)socket;
	return r == 0 && (value < 0 || value > 1) ? -EINVAL : r;
}

static void tell_congestion(struct supervisor *s, struct guest_socket *socket, int which)
{
	struct guest_message m = peer_message(socket, GUEST_SET, -1);

	if (socket->is_direct)
		return;
	m.value = REEVE_TCP_CONGESTION_CONTROL;
	m.value2 = which;
	channel_send(s, &m, NULL, -1);
	socket->is_known = true;
}

static int set_congestion(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	char name[CONGESTION_NAME];
	const int r = option_read_text(c, name, sizeof(name));

	if (r < 0)
		return r;
	for (int i = 0; i < (int)array_length(congestion_names); i++) {
		if (strcmp(name, congestion_names[i]) != 0)
			continue;
		socket->congestion = (uint8_t)i;
		tell_congestion(s, socket, i);
		return 0;
	}
	return -ENOENT;
}

/* No protocol can be put on top of it: not TLS either. */
static int set_upper(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	char name[CONGESTION_NAME];
	const int r = option_read_text(c, name, sizeof(name));

	(void)s;
	(void)socket;
	return r < 0 ? r : -ENOENT;
}

static int set_forbidden(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_refuse(c, EPERM);
}

static int set_invalid(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_refuse(c, EINVAL);
}

/* Repairing is not allowed, and without it a queue has no number. */
static int set_sequence(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return option_refuse(c, is_closed(socket) ? EINVAL : EPERM);
}

static int get_congestion(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	char text[CONGESTION_NAME] = { 0 };
	const char *name = congestion_names[socket->congestion];

	(void)s;
	memcpy(text, name, strnlen(name, sizeof(text) - 1));
	return option_write(c, text, sizeof(text));
}

static int get_window(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int32_t value = option_value(c, socket);

	(void)s;
	return option_write_int(c, value || is_closed(socket) || socket->state == SOCKET_LISTENING
					   ? value
					   : WINDOW_CONNECTED);
}

/* The clock of timestamps: milliseconds. */
static int get_clock(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)socket;
	return option_write_int(c, (int32_t)(s->now.ns / REEVE_NS_PER_MS));
}

static int get_nothing(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_write(c, "", 0);
}

static int get_invalid(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)c;
	(void)socket;
	return -EINVAL;
}

static int get_forbidden(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)c;
	(void)socket;
	return -EPERM;
}

static void got_info(struct supervisor *s, struct request *r, const struct guest_message *answer,
		     const uint8_t *data)
{
	struct reeve_tcp_info ours;
	struct guest_tcp_info info;
	struct call *c = r->call;

	if (!c)
		return;
	if (answer->error || answer->data_length < sizeof(ours)) {
		(void)call_answer(s, c, answer->error ? -answer->error : -ENOTCONN);
		return;
	}
	memcpy(&ours, data, sizeof(ours));
	if (call_int(c, 2) == TCP_MAXSEG) {
		(void)call_answer(s, c, option_write_int(c, (int)ours.send_mss));
		return;
	}
	tcp_info_fill(&ours, &info);
	info.info.tcpi_notsent_bytes += (uint32_t)peer_unread(c->socket);
	if (c->socket->is_fast_open)
		info.info.tcpi_fastopen_client_fail = TFO_COOKIE_UNAVAILABLE;
	(void)call_answer(s, c, option_write(c, &info, sizeof(info)));
}

static int ask_info(struct supervisor *s, struct call *c, const struct guest_socket *socket)
{
	struct guest_message m = peer_message(socket, GUEST_GET, -1);

	m.value = GUEST_SETTING_TCP_INFO;
	const int r = call_ask(s, c, &m, NULL, got_info);

	return r < 0 ? r : OPTION_KEPT;
}

static int get_info(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	struct guest_tcp_info info;

	if (socket->is_known && socket->state != SOCKET_RESET && !s->channel.is_lost)
		return ask_info(s, c, socket);
	/* Of one whose network is gone, too; and of a direct one, which has no segments. */
	const struct reeve_tcp_info nothing = {
		.state = socket->state == SOCKET_LISTENING ? REEVE_TCP_LISTEN
			 : socket->is_direct               ? REEVE_TCP_ESTABLISHED
							   : REEVE_TCP_CLOSED,
		.send_mss = socket->is_direct ? SEGMENT_LOOPBACK : 0,
		.receive_mss = socket->is_direct ? SEGMENT_LOOPBACK : 0,
		.pacing_rate = socket->pacing_max,
		.pacing_rate_max = socket->pacing_max,
	};

	tcp_info_fill(&nothing, &info);
	return option_write(c, &info, sizeof(info));
}

/* A connection's segment size is what it sends, not what was set (tcp(7)): iperf3 makes its
 * datagrams of that size. */
static int get_segment(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int32_t value = option_value(c, socket);

	if (socket->is_known && socket->state == SOCKET_CONNECTED && !s->channel.is_lost)
		return ask_info(s, c, socket);
	if (socket->is_direct)
		return option_write_int(c, SEGMENT_LOOPBACK);
	return option_write_int(c, value ? value : SEGMENT_DEFAULT);
}

const struct option_special options_of_tcp[] = {
	{ IPPROTO_TCP, TCP_INFO, NULL, get_info },
	{ IPPROTO_TCP, TCP_MAXSEG, set_segment, get_segment },
	{ IPPROTO_TCP, TCP_LINGER2, set_linger, NULL },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, set_defer_accept, NULL },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, set_window, get_window },
	{ IPPROTO_TCP, TCP_CONGESTION, set_congestion, get_congestion },
	{ IPPROTO_TCP, TCP_MD5SIG, set_invalid, NULL },
	{ IPPROTO_TCP, TCP_THIN_DUPACK, set_thin, NULL },
	{ IPPROTO_TCP, TCP_REPAIR, set_forbidden, NULL },
	{ IPPROTO_TCP, TCP_REPAIR_QUEUE, set_forbidden, get_invalid },
	{ IPPROTO_TCP, TCP_QUEUE_SEQ, set_sequence, get_invalid },
	{ IPPROTO_TCP, TCP_REPAIR_OPTIONS, set_invalid, NULL },
	{ IPPROTO_TCP, TCP_FASTOPEN, set_fast_open, NULL },
	{ IPPROTO_TCP, TCP_TIMESTAMP, set_forbidden, get_clock },
	{ IPPROTO_TCP, TCP_CC_INFO, NULL, get_nothing },
	{ IPPROTO_TCP, TCP_SAVED_SYN, NULL, get_nothing },
	{ IPPROTO_TCP, TCP_REPAIR_WINDOW, set_forbidden, get_invalid },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, set_before_connect, NULL },
	{ IPPROTO_TCP, TCP_ULP, set_upper, get_nothing },
	{ IPPROTO_TCP, TCP_MD5SIG_EXT, set_invalid, NULL },
	{ IPPROTO_TCP, TCP_FASTOPEN_KEY, set_fast_open_key, get_fast_open_key },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, set_before_connect, NULL },
	{ IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, NULL, get_invalid },
	{ IPPROTO_TCP, TCP_AO_REPAIR, set_forbidden, get_forbidden },
};

const int options_of_tcp_count = array_length(options_of_tcp);
