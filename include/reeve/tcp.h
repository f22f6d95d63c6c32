/*
 * TCP sockets (RFC 9293). A socket is fresh, bound, a listener, or a connection; what may be done
 * with it is said at each call. Calls never block: what has to wait is told by an event
 * (reeve/host.h). Errors are negative errnos, Linux's for the same call.
 *
 * Data moves without copies: the writer fills room that it has reserved in the send queue, the
 * reader looks at the receive queue and then consumes. The receive window opens only as data is
 * consumed.
 */
#pragma once

#include "reeve/host.h"

#pragma GCC visibility push(default)

struct reeve_tcp;

/* A fresh socket of the family. NULL at the host's limit. */
struct reeve_tcp *reeve_tcp_new(struct reeve_host *host, enum reeve_family family, void *user);

void reeve_tcp_set_user(struct reeve_tcp *tcp, void *user);

enum reeve_tcp_option {
	REEVE_TCP_REUSE_ADDRESS,    /* 0 or 1 */
	REEVE_TCP_REUSE_PORT,       /* 0 or 1 */
	REEVE_TCP_IPV6_ONLY,        /* 0 or 1; -EINVAL once bound */
	REEVE_TCP_OWNER,            /* uid, for REUSE_PORT's same-owner rule */
	REEVE_TCP_NO_DELAY,         /* 0 or 1: 1 switches Nagle's algorithm off */
	REEVE_TCP_CORK,             /* 0 or 1: send only full segments while 1 */
	REEVE_TCP_QUICK_ACK,        /* 0 or 1 */
	REEVE_TCP_KEEPALIVE,        /* 0 or 1 */
	REEVE_TCP_KEEPALIVE_IDLE_S, /* 1..32767 */
	REEVE_TCP_KEEPALIVE_INTERVAL_S,
	REEVE_TCP_KEEPALIVE_COUNT,    /* 1..127 */
	REEVE_TCP_USER_TIMEOUT_MS,    /* 0: the RFC's */
	REEVE_TCP_MAX_SEGMENT,        /* 88..32767; 0: the path's */
	REEVE_TCP_SYN_COUNT,          /* 1..127 */
	REEVE_TCP_SEND_BUFFER,        /* bytes; bounds the send queue. Grows by itself till set */
	REEVE_TCP_RECEIVE_BUFFER,     /* bytes; bounds the window. Grows by itself till set */
	REEVE_TCP_TTL,                /* 1..255 */
	REEVE_TCP_TOS,                /* 0..255; the ECN bits are TCP's own, and cleared */
	REEVE_TCP_CONGESTION_CONTROL, /* enum reeve_congestion */
	REEVE_TCP_LINGER2_S,          /* FIN-WAIT-2 of a closed socket; default 60 */
	/* Of a listener: a connection is accepted with its first data, or as the SYN,ACK is sent
	 * again after so many seconds or more. 0: at once. 0..32767 */
	REEVE_TCP_DEFER_ACCEPT_S,
	REEVE_TCP_ECN, /* enum reeve_ecn, of connections to come */
	/* TCP Fast Open (RFC 7413), both off by default: what a SYN brings may come twice, and only
	 * the application knows whether that does harm (section 6.1).
	 * Of a listener: how many connections may carry data before their peers have answered; more
	 * begin as ever. Peers that ask get a cookie. 0: none. 0..65535 */
	REEVE_TCP_FAST_OPEN,
	/* 0 or 1. Of what connects: asks the peer for a cookie, or, if there is one, holds the SYN back
	 * until something is written and sends that along (reeve_tcp_awaits_write()). */
	REEVE_TCP_FAST_OPEN_CONNECT,
	/* The most bytes a second that new data is sent with, 1..REEVE_TCP_PACING_RATE_MOST. 0: as
	 * many as the path gives (struct reeve_host_config, tcp_without_pacing) */
	REEVE_TCP_MAX_PACING_RATE,
	REEVE_TCP_OPTION_COUNT,
};

#define REEVE_TCP_PACING_RATE_MOST ((INT64_C(1) << 38) - 1)

enum reeve_congestion {
	REEVE_CUBIC, /* the default */
	REEVE_RENO,
};

/* Explicit congestion notification (RFC 3168), by the numbers of Linux's tcp_ecn. */
enum reeve_ecn {
	REEVE_ECN_OFF,
	REEVE_ECN_ACTIVE,  /* connect() asks for it */
	REEVE_ECN_PASSIVE, /* the default: who asks gets it */
};

/* -EINVAL for a value outside the range. A listener's options pass to what it accepts. */
int reeve_tcp_set(struct reeve_tcp *tcp, enum reeve_tcp_option option, int64_t value);
int64_t reeve_tcp_get(const struct reeve_tcp *tcp, enum reeve_tcp_option option);

/*
 * Fresh sockets only (-EINVAL). Port 0: chosen when something needs it. -EADDRINUSE,
 * -EADDRNOTAVAIL (an address that the host has not), -EAFNOSUPPORT.
 */
int reeve_tcp_bind(struct reeve_tcp *tcp, const struct reeve_sockaddr *local);

/* Fresh, bound, or a listener (changes the backlog). -EADDRINUSE, -EINVAL when connected. */
int reeve_tcp_listen(struct reeve_tcp *tcp, uint32_t backlog);

/* The `user` of the listener that would take a SYN from `from` to `to` now; NULL when there is none,
 * whatever an intercept would do with it. */
void *reeve_tcp_listener(const struct reeve_host *host, const struct reeve_sockaddr *to,
			 const struct reeve_sockaddr *from);

/* The oldest established connection that waits, or NULL. The caller owns it and gives it `user`. */
struct reeve_tcp *reeve_tcp_accept(struct reeve_tcp *listener, void *user);

/*
 * Fresh or bound. 0: under way; CONNECTED or FAILED follows. After FAILED the socket may connect
 * again. -EADDRNOTAVAIL (no free port), -ENETUNREACH, -EISCONN, -EALREADY, -EINVAL (listener),
 * -EADDRINUSE (the four-tuple is taken), -EAFNOSUPPORT.
 */
int reeve_tcp_connect(struct reeve_tcp *tcp, const struct reeve_sockaddr *remote,
		      struct reeve_time now);

/*
 * Whether the SYN waits for the first write, by REEVE_TCP_FAST_OPEN_CONNECT and a cookie. Reserve and
 * write take then what fits into the SYN, until it leaves with the host's next output.
 */
bool reeve_tcp_awaits_write(const struct reeve_tcp *tcp);

/*
 * The key of this host's Fast Open cookies, and the one before, whose cookies are still good but are
 * replaced; NULL: none are. Without a call the key comes from the host's seed. For hosts behind one
 * name, which share theirs and are given one time, and for a rotation besides that by time (RFC 7413,
 * 4.1.2; 6.3.4).
 */
void reeve_tcp_set_fast_open_keys(struct reeve_host *host, const uint8_t key[16],
				  const uint8_t old[16]);

/*
 * Room in the send queue: points at most `count` vectors at free bytes and returns how many were
 * used; 0 when the queue is full (WRITABLE follows), or the socket may not send. Then write at
 * most what they hold, from the first vector on, and commit that many bytes, before any other call
 * with this host. `wanted` is a hint of how much is to come.
 */
size_t reeve_tcp_reserve(struct reeve_tcp *tcp, size_t wanted, struct iovec *iov, size_t count);
void reeve_tcp_commit(struct reeve_tcp *tcp, size_t bytes);

/* The same with a copy. Bytes taken, 0..length; or -EPIPE, -ENOTCONN, or the pending error. */
int64_t reeve_tcp_write(struct reeve_tcp *tcp, const void *bytes, size_t length);

/* The last byte committed so far is urgent data (RFC 6093). */
void reeve_tcp_mark_urgent(struct reeve_tcp *tcp);

/* Points vectors at received bytes in order, as many as are there and fit; returns how many. They
 * stay valid until the bytes are consumed. */
size_t reeve_tcp_peek(const struct reeve_tcp *tcp, struct iovec *iov, size_t count);
void reeve_tcp_consume(struct reeve_tcp *tcp, size_t bytes);

/* The same with a copy. Bytes read; 0 at the peer's FIN; -EAGAIN, -ENOTCONN, or the pending
 * error, once. */
int64_t reeve_tcp_read(struct reeve_tcp *tcp, void *bytes, size_t length);

/* Bytes from the read position to behind the urgent byte; -1 when there is none ahead. */
int64_t reeve_tcp_urgent_offset(const struct reeve_tcp *tcp);

size_t reeve_tcp_readable(const struct reeve_tcp *tcp); /* bytes received, not consumed */
size_t reeve_tcp_unsent(const struct reeve_tcp *tcp);   /* bytes not acknowledged */
bool reeve_tcp_peer_closed(const struct reeve_tcp *tcp);

/* FIN behind what is queued; receiving goes on. -ENOTCONN. */
int reeve_tcp_shutdown(struct reeve_tcp *tcp);

/* The owner takes no more, and sends no more: data that come from now on are lost, of which the peer
 * hears by RST and the owner by FAILED (RFC 1122, 4.2.2.13). What has come stays to be read. */
void reeve_tcp_deafen(struct reeve_tcp *tcp);

/*
 * Ends the owner's use; the socket must not be touched again. Close delivers what is queued and
 * then FIN, as RFC 9293, 3.6 has it (RST if received data was never consumed, RFC 2525, 2.17);
 * abort sends RST at once. Both take NULL. A listener's waiting connections are reset.
 */
void reeve_tcp_close(struct reeve_tcp *tcp);
void reeve_tcp_abort(struct reeve_tcp *tcp);

/* The pending error (positive errno, 0 for none), and clears it, as SO_ERROR. */
int reeve_tcp_error(struct reeve_tcp *tcp);

enum reeve_tcp_state reeve_tcp_state(const struct reeve_tcp *tcp);

/* Chooses the port of a bind to port 0 now, if it still has none. -EADDRINUSE if there is none. */
int reeve_tcp_local(struct reeve_tcp *tcp, struct reeve_sockaddr *ret);
int reeve_tcp_remote(const struct reeve_tcp *tcp, struct reeve_sockaddr *ret); /* -ENOTCONN */

/* What the sender is at. */
enum reeve_tcp_recovery {
	REEVE_TCP_OPEN,
	REEVE_TCP_DISORDER, /* something is missing and not yet held for lost */
	REEVE_TCP_REDUCED,  /* an echo of ECN has come: the window falls */
	REEVE_TCP_FAST_RECOVERY,
	REEVE_TCP_LOSS, /* the retransmission timer has fired */
};

/* What became of Fast Open at the client. */
enum reeve_tcp_fast_open_failure {
	REEVE_FAST_OPEN_FINE, /* or not asked for */
	REEVE_FAST_OPEN_NO_COOKIE,
	REEVE_FAST_OPEN_DATA_NOT_TAKEN, /* the peer acknowledged the SYN, and not all of its data */
	REEVE_FAST_OPEN_SYN_RESENT,     /* without the data */
};

struct reeve_tcp_info {
	enum reeve_tcp_state state;
	enum reeve_tcp_recovery recovery;
	uint8_t backoff; /* how often the retransmission timeout has been doubled */
	bool timestamps, sack, window_scaling;
	bool ecn, ecn_seen; /* agreed upon; and the peer has sent data that is capable of it */
	uint8_t send_scale, receive_scale;
	uint32_t rto_us, rtt_us, rtt_variance_us, rtt_min_us;
	uint32_t send_mss, receive_mss;
	uint32_t cwnd_bytes, ssthresh_bytes;      /* the latter UINT32_MAX: none yet */
	uint32_t send_window, receive_window;     /* bytes, as last advertised */
	uint32_t bytes_in_flight, bytes_not_sent; /* both not acknowledged */
	uint64_t retransmits, bytes_sent, bytes_acked, bytes_received;
	uint64_t segments_sent, segments_received;
	uint32_t delivered_marked; /* segments acknowledged with an echo of ECN */
	bool syn_data;             /* what was in the SYN, ours or the peer's, was taken */
	enum reeve_tcp_fast_open_failure fast_open_failure;
	/* Bytes a second. The rate follows from window and round trip, and is told though the path may be
	 * too short to be paced. UINT64_MAX: not known yet; no ceiling. */
	uint64_t pacing_rate, pacing_rate_max;
	bool is_paced;
	uint32_t accept_queue, backlog; /* a listener's: how many wait, how many may */
	const char *congestion_control;
};

void reeve_tcp_info(const struct reeve_tcp *tcp, struct reeve_tcp_info *ret);

/*
 * Intercept, demultiplexing's last step: a listener for connections that no other socket takes, to
 * any of the host's addresses in `to` (NULL: all; with `any_address`, every destination) and to
 * `port`, or to every port if 0. Each SYN gives an INTERCEPTED event with a new socket, whose
 * `user` is the listener's: read its local and remote name, then let it proceed (CONNECTED
 * follows) or refuse it. The longest prefix wins, then the given port. -EADDRINUSE when that pair
 * is taken, -ENOBUFS over 64 of them, -EINVAL for a length that no such prefix has.
 */
int reeve_tcp_intercept(struct reeve_host *host, const struct reeve_prefix *to, uint16_t port,
			void *user, struct reeve_tcp **ret);
void reeve_tcp_proceed(struct reeve_tcp *tcp);

enum reeve_refusal {
	REEVE_REFUSE_RESET,
	REEVE_REFUSE_NETWORK_UNREACHABLE, /* ICMP */
	REEVE_REFUSE_HOST_UNREACHABLE,
	REEVE_REFUSE_PROHIBITED,
};

/* Answers the SYN so, and closes the socket. */
void reeve_tcp_refuse(struct reeve_tcp *tcp, enum reeve_refusal refusal);

#pragma GCC visibility pop
