/*
 * The inside of TCP, for the files of stack/tcp/ only: the host's part and the connection.
 *
 * Who ends what: a struct reeve_tcp is in the list `sockets` of its host until tcp_dispose() puts
 * it on `dead`; tcp_reap() frees it at the end of the entry point (input, timer, flush, or the
 * owner's close), so nothing that runs inside can touch freed memory. Its flow, its reservation,
 * its timer and its queues are let go by tcp_detach(), which every way to the end goes through.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "base/packet.h"
#include "base/slab.h"
#include "base/take.h"
#include "base/timers.h"
#include "port/demux.h"
#include "port/space.h"
#include "reeve/tcp.h"
#include "stack/host_private.h"
#include "stack/ip.h"
#include "stack/tcp/congestion.h"
#include "stack/tcp/prr.h"
#include "stack/tcp/receive_queue.h"
#include "stack/tcp/rtt.h"
#include "stack/tcp/scoreboard.h"
#include "stack/tcp/send_queue.h"
#include "stack/tcp/sent_times.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/tcp.h"
#include "wire/tcp.h"

#define TCP_MSS_DEFAULT    536 /* RFC 9293, 3.7.1: of a peer that says none */
#define TCP_MSS_MIN        88  /* whatever the peer says: CVE-2019-11479 */
#define TCP_PMTU_MIN       552 /* RFC 5927, 7.1 and RFC 1191 leave it to us: as Linux */
#define TCP_BUFFER_DEFAULT (UINT32_C(2) << 20)
#define TCP_BUFFER_GROWN   (UINT32_C(16) << 20) /* as far as buffers grow by themselves */
#define TCP_BUFFER_MIN     2048
#define TCP_BUFFER_MAX     TCP_RECEIVE_MOST
#define TCP_BACKLOG_MAX    65535
#define TCP_HALF_OPEN_MIN  16 /* a listener's half-open connections, whatever its backlog */
#define TCP_HALF_OPEN_MAX  4096
#define TCP_INTERCEPTS_MAX 64
#define TCP_INTERCEPT_WAIT 1024 /* SYNs that wait for their embedder, each intercept listener */
#define TCP_TIME_WAIT_S    60
#define TCP_QUICK_ACKS     16
#define TCP_CHALLENGE_MS   500  /* a connection's challenge ACKs are this far apart (RFC 5961, 7) */
#define TCP_STARVED_MS     20   /* until who has found no memory tries again */
#define TCP_FLUSH_PACKETS  64   /* of one tcp_flush() */
#define TCP_PACED_LEAST_US 2000 /* round trips from which on the path says how fast to send */
#define TCP_PACING_BITS    38

/* port_flow.kind */
enum tcp_flow_kind {
	TCP_FLOW_CONN,
	TCP_FLOW_HALF_OPEN,
};

/* timer.kind, with HOST_TIMER_TCP */
enum tcp_timer_kind {
	TCP_TIMER_CONN,
	TCP_TIMER_HALF_OPEN,
	TCP_TIMER_TIME_WAIT,
};

/* What a connection's one timer waits for: the earliest of these. See timers.c. */
enum tcp_deadline {
	TCP_DEADLINE_RETRANSMIT, /* or persist, or tail loss probe, by `retransmit_mode` */
	TCP_DEADLINE_ACK,
	TCP_DEADLINE_KEEPALIVE, /* of an orphan: its end */
	TCP_DEADLINE_REORDER,   /* what is late now is lost then (rack.c) */
	TCP_DEADLINE_MEMORY,    /* the writer may try again */
	TCP_DEADLINE_PACE,      /* what pacing holds back may go (pacing.c) */
	TCP_DEADLINE_REST,      /* it may rest then (rest.c) */
	TCP_DEADLINES,
};

enum tcp_retransmit_mode {
	TCP_MODE_NONE,
	TCP_MODE_RETRANSMIT,
	TCP_MODE_PROBE,   /* tail loss probe (RFC 8985, 7) */
	TCP_MODE_PERSIST, /* zero window, or a sender that waits for more to send */
};

enum tcp_recovery {
	TCP_RECOVERY_OPEN,
	TCP_RECOVERY_FAST, /* lost segments are sent again (RFC 6675), at the rate of prr.h */
	TCP_RECOVERY_LOSS, /* the timer fired: all that is not reported is lost */
};

struct tcp_settings {
	uint32_t send_buffer, receive_buffer;
	uint32_t user_timeout_ms;
	uint16_t linger2_s, defer_accept_s;
	uint16_t fast_open; /* of a listener: how many may be pending */
	uint16_t keepalive_idle_s, keepalive_interval_s;
	uint16_t max_segment;
	uint8_t keepalive_count, syn_count, ttl, tos;
	bool no_delay : 1, cork : 1, quick_ack : 1, keepalive : 1, fast_open_connect : 1;
	bool send_fixed : 1, receive_fixed : 1; /* the owner has said how large the buffers are */
	uint8_t ecn : 2;                        /* enum reeve_ecn */
	uint64_t congestion : 2;                /* enum reeve_congestion */
	uint64_t pacing_max : TCP_PACING_BITS;  /* bytes a second; 0: no ceiling */
};

/* What RACK knows (RFC 8985, 5.1). */
struct tcp_rack {
	struct tcp_seq end;  /* of the one sent last among those that have arrived */
	struct tcp_seq high; /* of all that has arrived */
	struct tcp_seq round;
	uint32_t at_us, rtt_us; /* when it was sent, and how long it took */
	uint8_t multiplier, persist;
	bool is_valid : 1, is_reordering : 1;
};

/* The search for what the path carries (path_mtu.c). */
struct tcp_path {
	struct tcp_seq start, end;    /* of the probe */
	uint16_t mtu;                 /* of the probe */
	uint16_t high;                /* longer ones are not carried; 0: nothing is searched */
	uint8_t failures;             /* of probes of one size */
	bool is_out : 1;              /* a probe is */
	bool tries_high : 1;          /* `high` itself is worth a try */
	bool is_lost_alone : 1;       /* the probe, and nothing else in this recovery */
	struct reeve_time settled_at; /* ten minutes later it may carry more */
};

/* Of a handshake that began with Fast Open, until it is done (fast_open.c, fast_client.c). */
struct tcp_fast_handshake {
	/* The server's: it counts at its listener until the peer has answered. */
	struct tcp_listener *listener; /* NULL: there is none, or it has closed */
	struct list node;              /* in tcp_listener.pending */
	bool renews_cookie;            /* the peer's was of the old key */

	/* The client's. */
	struct tcp_fast_open option; /* of the SYN */
	uint16_t room;               /* for data in it, bytes */
	uint16_t sent;               /* bytes that were */
	bool waits;                  /* the SYN, for the first write */
	bool is_over;                /* it is sent again without option and data */
};

#define TCP_FAST_NOTES 64 /* that a host keeps */

/* What a client knows of a peer (RFC 7413, 4.1.3 and 4.1.3.1): a cookie, or that one of its ports is
 * to be left alone. */
struct tcp_fast_note {
	struct reeve_address local, remote;
	uint16_t port;          /* 0: the note of the cookie */
	struct reeve_time used; /* the oldest makes room; 0 ns: it is free */

	struct tcp_fast_open option; /* with the cookie */
	uint16_t mss;

	struct reeve_time silent_until; /* SYNs with data got lost, or their data was not taken */
	uint8_t losses;
};

#define TCP_FAST_SLOTS 16

/* Pending requests that were reset still count for a while (RFC 7413, 5.1): how many, by time. */
struct tcp_fast_resets {
	uint64_t slot; /* the latest that was counted in */
	uint16_t count[TCP_FAST_SLOTS];
};

struct tcp_intercepted; /* a SYN and how it came, until the embedder decides */

/* What outlives a rest, and cannot be told from the connection. */
struct tcp_learned {
	struct congestion_memory congestion;
	uint8_t rack_multiplier, rack_persist;
	bool is_reordering : 1;
	bool syn_data : 1;        /* Fast Open: what was in the SYN was taken */
	uint8_t fast_failure : 2; /* enum reeve_tcp_fast_open_failure */
	bool path_tries_high : 1; /* and these are of struct tcp_path */
	uint8_t path_failures;
	uint16_t path_high, path_minute; /* the latter: since when it is settled, modulo 2^16 */
};

/*
 * What a connection needs only while something goes on: data queued or in flight, gaps, timers. A
 * connection that rests has none (rest.c).
 */
struct tcp_busy {
	struct reeve_time deadlines[TCP_DEADLINES];
	uint8_t retransmit_mode, recovery;
	uint8_t probes; /* of the first gap, in fast recovery */

	/* Sending. The first byte of the send queue is `una`, once the SYN is acknowledged. */
	struct tcp_seq urgent_end, recover, timed_end, small_end, tail_end, resent_high;
	uint32_t dup_acks;
	struct tcp_congestion congestion;
	struct tcp_prr prr;
	struct tcp_seq reduced_end; /* next to be sent when the window was reduced; with ECN */
	bool has_reduced : 1;
	bool first_lost : 1;    /* the first segment is lost, though it was sent again */
	bool undo : 1;          /* the last reduction can be taken back */
	bool has_resend_ts : 1; /* `resend_ts` is of the first that was sent again */
	bool is_held : 1;       /* new data waits for its time (pacing.c) */
	bool has_challenged : 1;
	struct scoreboard scoreboard;
	struct sent_times sent_times;
	struct tcp_rack rack;
	uint32_t undo_resends, resend_ts;
	struct tcp_path path;
	struct send_queue send;
	struct reeve_time timed_at, last_sent, stalled_since, paced_to;

	/* Receiving. */
	struct tcp_seq ack_sent, fin_seq, rcv_urgent, dsack_start, dsack_end;
	uint32_t unacked_bytes; /* received since the last ACK */
	uint32_t round_bytes;   /* consumed since `round_start` */
	struct receive_queue receive;
	struct tcp_fast_handshake *fast; /* NULL: a handshake as ever, or none any more */
	struct list gaps; /* in tcp_host.gaps, while the queue has ranges beyond a gap */
	struct reeve_time last_challenge, round_start;
};

struct reeve_tcp {
	struct reeve_host *host;
	struct tcp_busy *busy; /* NULL while it rests, and before it connects */
	struct list node;  /* in tcp_host.sockets, a listener's accept queue, or tcp_host.dead */
	struct list dirty; /* in tcp_host.dirty */
	struct socket_events events;
	struct port_flow flow;
	struct port_reservation port;
	struct timer timer;
	struct tcp_settings settings;
	struct tcp_listener *listener;       /* of a listener */
	struct tcp_listener *parent;         /* while in its accept queue */
	struct tcp_intercepted *intercepted; /* while it waits to proceed */

	uint8_t state;  /* enum reeve_tcp_state; only tcp_set_state() writes it */
	uint8_t family; /* enum reeve_family */
	uint8_t send_scale, receive_scale;
	uint8_t quick_acks;
	uint8_t retries;        /* of the handshake, of probes, of keepalives */
	bool owned : 1;         /* somebody has the handle */
	bool is_orphan : 1;     /* its owner has closed it, and it is not done yet */
	bool is_deaf : 1;       /* its owner wants no more data */
	bool has_flow : 1;      /* the flow is in the demux */
	bool is_accepted : 1;   /* came from a listener */
	bool was_connected : 1; /* the handshake was done once */
	bool has_failed : 1;    /* and ended by an error: it may connect again */
	bool timestamps : 1, sack : 1, scaling : 1, ecn : 1; /* agreed upon; till then, offered */
	bool ecn_seen : 1;     /* the peer has sent data that is capable of it */
	bool echo_due : 1;     /* ECE, until the peer says CWR */
	bool cwr_due : 1;      /* with the next new data */
	bool syn_due : 1;      /* the SYN, or SYN and ACK, is to be sent (again) */
	bool ack_due : 1;      /* an ACK is to be sent at once */
	bool resend_due : 1;   /* the first lost segment goes whatever the window says */
	bool probe_due : 1;    /* a window or keepalive probe */
	bool tail_due : 1;     /* the tail loss probe */
	bool push_partial : 1; /* what cork or silly-window avoidance held may go */
	bool fin_queued : 1, fin_sent : 1, fin_received : 1, fin_known : 1;
	bool wants_write : 1;    /* a write was cut short */
	bool window_limited : 1; /* the congestion window was what ended the last sending */
	bool timing : 1;         /* `timed_end` is being timed */
	bool has_dsack : 1;
	bool urgent_out : 1, urgent_in : 1;
	bool syn_resent : 1;
	bool is_probing_tail : 1; /* a tail loss probe is out */
	bool syn_unanswered : 1;  /* Fast Open's server: data flows, our SYN is not acknowledged */
	int16_t error;            /* pending, positive */
	int16_t soft_error;       /* RFC 1122, 4.2.3.9: told when the connection fails */
	uint16_t path_mtu;        /* by ICMP, or by search; 0: the route's */

	/* Sending (RFC 9293, 3.3.1). `nxt` never goes back, but over a SYN's data that the peer
	 * did not take. */
	struct tcp_seq iss, una, nxt, wl1, wl2;
	uint32_t send_window, send_window_max;
	uint16_t peer_mss; /* as told */
	uint16_t mss;      /* payload bytes of a full segment now */
	struct tcp_rtt rtt;
	struct tcp_learned learned;

	/* Receiving. */
	struct tcp_seq irs, rcv_nxt, rcv_edge; /* edge: of the window, as advertised */
	uint32_t ts_recent, ts_offset;
	uint32_t receive_mss; /* how long the peer's full segments are */
	struct reeve_time last_received;

	uint32_t retransmits, delivered_marked; /* segments, modulo 2^32 as in Linux's TCP_INFO */
	uint64_t bytes_sent, bytes_acked, bytes_received;
	uint64_t segments_sent, segments_received;
};

struct tcp_listener {
	struct port_listener port;
	struct reeve_tcp *tcp;
	struct list accept;    /* of struct reeve_tcp: established, not yet accepted */
	struct list half_open; /* of struct tcp_half_open, the oldest first */
	struct list pending;   /* of struct tcp_fast_handshake: their peers have not answered */
	struct list node;      /* in tcp_host.listeners */
	uint64_t number;       /* for tcp_next_socket(): listeners are in its order */
	uint32_t backlog, accept_count, half_open_count, pending_count;
	struct tcp_fast_resets resets;
	struct reeve_time last_cookie;
	bool has_sent_cookies;
	bool is_intercept;
	bool matches_all;           /* an intercept of every address */
	struct reeve_prefix prefix; /* of an intercept */
};

/* A connection that a listener has seen only the SYN of. Small: a stranger can make them. */
struct tcp_half_open {
	struct port_flow flow;
	struct tcp_listener *listener;
	struct list node;
	struct timer timer;
	struct tcp_seq iss, irs;
	uint32_t ts_recent, ts_offset;
	struct reeve_time sent_at; /* the SYN and ACK, for the round-trip time */
	struct reeve_time last_answer;
	uint16_t peer_mss, window;
	uint16_t retries; /* TCP_DEFER_ACCEPT of hours has more than 255 */
	uint8_t send_scale, receive_scale;
	bool timestamps : 1, sack : 1, scaling : 1, ecn : 1, resent : 1, has_answered : 1;
	bool grants_cookie : 1;   /* the peer has asked for one (RFC 7413, 4.2.1) */
	bool is_acknowledged : 1; /* and waits for data (tcp_half_open_is_deferred()) */
	bool by_cookie : 1; /* not in the tables: it was an ACK that brought it back (cookie.c) */
};

/* What stays of a connection for 60 s (RFC 9293, 3.6.1; RFC 1337; RFC 6191). */
struct tcp_time_wait {
	struct port_wait wait; /* may be taken over if it has timestamps */
	struct tcp_seq rcv_nxt, snd_nxt;
	uint32_t ts_recent;
	uint16_t window;
	uint8_t tos, ttl;
};

struct tcp_host {
	struct reeve_host *host;
	struct port_space *space;
	struct port_demux *demux;
	struct hash_key isn_key, timestamp_key, cookie_key;
	struct hash_key fast_keys[2]; /* of Fast Open's cookies: today's and the one before */
	bool has_old_fast_key;
	struct tcp_fast_note *fast_notes; /* TCP_FAST_NOTES of them, when there was one */
	struct list sockets;              /* all struct reeve_tcp but those in accept queues */
	struct list dirty, dead;
	struct list gaps; /* of struct tcp_busy */
	struct slab busy; /* of struct tcp_busy */
	struct timer time_wait_timer;
	struct list listeners; /* in order of their numbers, intercepts too */
	struct tcp_listener *intercept[TCP_INTERCEPTS_MAX];
	uint32_t intercept_count;
	uint64_t next_listener;
	uint32_t count;       /* sockets, half-open and TIME-WAIT: against max_sockets */
	uint32_t orphans;     /* closed by their owners, not yet done */
	uint32_t half_open;   /* in all */
	uint32_t receive_max; /* as far as receive buffers grow by themselves */
	bool paces;           /* connections, by what their paths give */
};

/* A segment as it goes through input. */
struct tcp_segment {
	struct reeve_packet *packet; /* payload only; NULL once it is taken or dropped */
	const struct ip_received *how;
	struct tcp_header h;
	struct tcp_seq seq, ack;
	uint32_t length;   /* payload bytes */
	uint32_t window;   /* scaled */
	uint32_t piece;    /* how long the segments were that it was put together from */
	uint32_t pieces;   /* and how many */
	bool begins_clock; /* its timestamp is no older than the last, whatever their order (5.5) */
};

static inline struct tcp_host *tcp_of(const struct reeve_tcp *tcp)
{
	return tcp->host->tcp;
}

static inline struct reeve_time tcp_now(const struct reeve_tcp *tcp)
{
	return tcp->host->now;
}

static inline uint32_t tcp_in_flight(const struct reeve_tcp *tcp)
{
	return seq_distance(tcp->una, tcp->nxt);
}

/* Bytes that wait for the reader, and that are not acknowledged. */
static inline uint32_t tcp_received(const struct reeve_tcp *tcp)
{
	return tcp->busy ? tcp->busy->receive.length : 0;
}

static inline uint32_t tcp_queued(const struct reeve_tcp *tcp)
{
	return tcp->busy ? tcp->busy->send.length : 0;
}

/* host.c */
bool tcp_take_slot(struct tcp_host *t); /* false: max_sockets are there */
void tcp_give_slot(struct tcp_host *t);
struct reeve_tcp *tcp_allocate(struct reeve_host *host, enum reeve_family family);
void tcp_mark_dirty(struct reeve_tcp *tcp);
void tcp_raise(struct reeve_tcp *tcp, uint32_t what);
void tcp_detach(struct reeve_tcp *tcp);  /* flow, timer, send queue; the port unless it is bound */
void tcp_dispose(struct reeve_tcp *tcp); /* to be freed by tcp_reap(); already detached or not */
void tcp_reap(struct tcp_host *t);

/* gaps.c */
void tcp_note_gaps(struct reeve_tcp *tcp);   /* the number of ranges has changed */
void tcp_give_up_ranges(struct tcp_host *t); /* as long as the pool is short */

/* rest.c */
bool tcp_wake(struct reeve_tcp *tcp); /* whatever has work begins with it; false: no memory */
void tcp_consider_rest(struct reeve_tcp *tcp); /* and ends with this */
void tcp_rest_deadline(struct reeve_tcp *tcp);
void tcp_busy_free(struct tcp_host *t, struct tcp_busy *b); /* takes NULL */

/* state.c */
void tcp_set_state(struct reeve_tcp *tcp, enum reeve_tcp_state state);
/* The RFC's: a connection of Fast Open that has begun is in SYN-RECEIVED until it is answered. */
enum reeve_tcp_state tcp_told_state(const struct reeve_tcp *tcp);
bool tcp_is_synchronized(const struct reeve_tcp *tcp);
bool tcp_may_receive(const struct reeve_tcp *tcp); /* the peer has not sent FIN */
bool tcp_may_send(const struct reeve_tcp *tcp);    /* we have not */

/* close.c: how connections end. Each may dispose of the socket. */
void tcp_fail(struct reeve_tcp *tcp, int error);  /* without a word to the peer */
void tcp_reset(struct reeve_tcp *tcp, int error); /* with RST */
void tcp_finish(struct reeve_tcp *tcp);           /* both directions have ended */
void tcp_start_fin(struct reeve_tcp *tcp);        /* the owner sends no more */
void tcp_enter_time_wait(struct reeve_tcp *tcp);
void tcp_orphan(struct reeve_tcp *tcp);

/* isn.c: sequence numbers and timestamps (RFC 6528; RFC 7323, 5.4) */
struct tcp_seq tcp_initial_sequence(const struct tcp_host *t, const struct port_flow *flow);
uint32_t tcp_timestamp_offset(const struct tcp_host *t, const struct port_flow *flow);
uint32_t tcp_timestamp(const struct tcp_host *t, uint32_t offset);

/* segment.c: one segment to the internet layer */
struct tcp_emit {
	const struct port_flow *flow;
	uint8_t ttl, tos;
	bool has_offloads; /* else they are the route's, looked up */
	uint32_t offloads;
	struct tcp_header header; /* ports are filled in from the flow */
};

int tcp_emit(struct tcp_host *t, struct reeve_packet *p_take, struct tcp_emit *e);
int tcp_emit_empty(struct tcp_host *t, struct tcp_emit *e);
void tcp_answer_reset(struct tcp_host *t, const struct tcp_segment *s);
uint16_t tcp_route_mss(const struct ip_route *route, const struct reeve_address *to);

/* output.c */
bool tcp_output(struct reeve_tcp *tcp, unsigned *budget); /* false: to be called again */
void tcp_send_ack(struct reeve_tcp *tcp);
void tcp_send_reset(struct reeve_tcp *tcp);
void tcp_challenge(struct reeve_tcp *tcp); /* limited */
uint32_t tcp_unsent_bytes(const struct reeve_tcp *tcp);

/* window.c: the window that we offer */
void tcp_window_init(struct reeve_tcp *tcp);
uint8_t tcp_window_scale(const struct tcp_host *t, const struct tcp_settings *settings);
void tcp_window_consumed(struct reeve_tcp *tcp, size_t bytes);
uint16_t tcp_window_advertise(struct reeve_tcp *tcp, bool is_syn);
bool tcp_window_should_update(const struct reeve_tcp *tcp);
void tcp_note_received(struct reeve_tcp *tcp, uint32_t bytes); /* when to acknowledge */

/* input.c, acknowledge.c, text.c: RFC 9293, 3.10.7 */
void tcp_conn_input(struct reeve_tcp *tcp, struct tcp_segment *s);
void tcp_segment_drop(struct tcp_host *t, struct tcp_segment *s, enum reeve_drop reason);
void tcp_segment_done(struct tcp_segment *s); /* nothing left to deliver in it */
bool tcp_acknowledge(struct reeve_tcp *tcp, struct tcp_segment *s); /* false: it ends here */
void tcp_update_window(struct reeve_tcp *tcp, const struct tcp_segment *s);
void tcp_take_text(struct reeve_tcp *tcp, struct tcp_segment *s);
void tcp_establish(struct reeve_tcp *tcp);

/* recovery.c */
void tcp_recovery_view(const struct reeve_tcp *tcp, struct scoreboard_view *ret);
uint32_t tcp_recovery_pipe(const struct reeve_tcp *tcp, const struct scoreboard_view *v);
void tcp_recovery_sack(struct reeve_tcp *tcp, const struct tcp_segment *s, uint32_t *ret_sacked);
void tcp_recovery_acked(struct reeve_tcp *tcp, const struct tcp_segment *s, uint32_t acked);
void tcp_recovery_duplicate(struct reeve_tcp *tcp);
void tcp_recovery_check(struct reeve_tcp *tcp, uint32_t delivered, bool has_advanced);
void tcp_recovery_marked(struct reeve_tcp *tcp, uint32_t delivered, bool has_advanced);
void tcp_recovery_resent(struct reeve_tcp *tcp, struct tcp_seq end);
void tcp_recovery_probe(struct reeve_tcp *tcp);
void tcp_recovery_timeout(struct reeve_tcp *tcp);
void tcp_recovery_resize(struct reeve_tcp *tcp); /* segments were too big (RFC 1191) */

/* ecn.c */
bool tcp_ecn_is_asked(const struct tcp_segment *s); /* a SYN */
bool tcp_ecn_is_agreed(const struct reeve_tcp *tcp, const struct tcp_segment *s);
void tcp_ecn_received(struct reeve_tcp *tcp, const struct tcp_segment *s);
bool tcp_ecn_is_echo(const struct reeve_tcp *tcp, const struct tcp_segment *s);
void tcp_ecn_reduced(struct reeve_tcp *tcp);
bool tcp_ecn_is_news(const struct reeve_tcp *tcp);
void tcp_ecn_mark(struct reeve_tcp *tcp, struct tcp_emit *e);

/* rack.c */
uint32_t tcp_now_us(const struct reeve_tcp *tcp);
void tcp_rack_delivered(
	struct reeve_tcp *tcp, struct tcp_seq start, struct tcp_seq end,
	struct tcp_seq high); /* before the scoreboard knows; `high` before the ACK */
void tcp_rack_view(const struct reeve_tcp *tcp, struct scoreboard_view *v);
void tcp_rack_arm(struct reeve_tcp *tcp);
void tcp_rack_duplicate(struct reeve_tcp *tcp);
void tcp_rack_recovered(struct reeve_tcp *tcp);

/* pacing.c: of a connection that is paced, but for the first */
uint64_t tcp_pacing_rate(const struct reeve_tcp *tcp); /* bytes a second; UINT64_MAX: not known */
uint32_t tcp_pacing_room(struct reeve_tcp *tcp);       /* what may go now */
void tcp_pacing_sent(struct reeve_tcp *tcp, uint32_t bytes);
void tcp_pacing_wait(struct reeve_tcp *tcp, uint32_t bytes); /* till so much, or a part, may go */
bool tcp_pacing_is_by_owner(const struct reeve_tcp *tcp);    /* the path would give more */

static inline bool tcp_is_paced(const struct reeve_tcp *tcp)
{
	return tcp->settings.pacing_max > 0 ||
	       (tcp->rtt.smoothed_us >= TCP_PACED_LEAST_US && tcp_of(tcp)->paces);
}

/* transfer.c */
uint32_t tcp_send_limit(const struct reeve_tcp *tcp);

/* timers.c */
void tcp_timer_set(struct reeve_tcp *tcp, enum tcp_deadline which, struct reeve_time at);
void tcp_timer_clear(struct reeve_tcp *tcp, enum tcp_deadline which);
void tcp_timer_retransmit(struct reeve_tcp *tcp); /* arms what the connection needs now */
void tcp_timer_keepalive(struct reeve_tcp *tcp);
void tcp_conn_timer(struct reeve_tcp *tcp);

/* listen.c, half_open.c, intercept.c */
void tcp_listener_close(struct reeve_tcp *tcp);
bool tcp_listen_input(struct tcp_host *t, struct tcp_segment *s); /* false: nobody listens */
void tcp_listen_syn(struct tcp_listener *l, struct tcp_segment *s, const struct tcp_seq *iss);
void tcp_half_open_input(struct tcp_host *t, struct tcp_half_open *h, struct tcp_segment *s);
void tcp_half_open_timer(struct tcp_host *t, struct tcp_half_open *h);
void tcp_half_open_free(struct tcp_host *t, struct tcp_half_open *h);
/* The connection at once, with what is in the SYN (RFC 7413, 4.2.2); false: there is no room. */
bool tcp_half_open_fast(struct tcp_listener *l, struct tcp_segment *s, const struct tcp_seq *iss,
			bool renews_cookie);
struct tcp_half_open *tcp_half_open_new(struct tcp_listener *l, const struct tcp_segment *s);
void tcp_half_open_answer(struct tcp_host *t, struct tcp_half_open *h);
void tcp_half_open_learn(struct tcp_half_open *h, struct tcp_listener *l,
			 const struct tcp_segment *s); /* from the names and options */
void tcp_half_open_emit(struct tcp_host *t, const struct tcp_half_open *h, uint32_t timestamp);
void tcp_half_open_redeem(struct tcp_host *t, const struct tcp_half_open *h, struct tcp_segment *s);
bool tcp_listener_is_full(const struct tcp_listener *l);
struct tcp_listener *tcp_listener_new(struct reeve_tcp *tcp, uint32_t backlog);
void tcp_intercept_remove(struct tcp_host *t, struct tcp_listener *l);
bool tcp_intercept_input(struct tcp_host *t, struct tcp_segment *s);
void tcp_intercepted_free(struct reeve_tcp *tcp);

/* cookie.c */
/* False: there is no room for answers. */
bool tcp_cookie_answer(struct tcp_listener *l, const struct tcp_segment *s);
bool tcp_cookie_input(struct tcp_listener *l, struct tcp_segment *s); /* false: it was no cookie */

/* fast_open.c: the server of RFC 7413 */
void tcp_fast_cookie(const struct tcp_host *t, const struct port_flow *flow,
		     struct tcp_fast_open *ret);
/* Whether the SYN's cookie is a good one; *ret_is_old: and the peer needs a new one. */
bool tcp_fast_is_granted(const struct tcp_host *t, const struct tcp_segment *s, bool *ret_is_old);
/* Whether the listener does it at all, and has room for one more. */
bool tcp_fast_is_served(const struct tcp_listener *l);
bool tcp_fast_serve(struct reeve_tcp *tcp, struct tcp_listener *l, bool renews_cookie);
void tcp_fast_answered(struct reeve_tcp *tcp, const struct tcp_segment *s);
void tcp_fast_reset(struct reeve_tcp *tcp); /* by the peer */
void tcp_fast_listener_close(struct tcp_listener *l);
void tcp_fast_free(struct tcp_busy *b);

/* fast_client.c */
/* True: the SYN waits for the first write. */
bool tcp_fast_begin(struct reeve_tcp *tcp, const struct ip_route *route);
uint32_t tcp_fast_room(const struct reeve_tcp *tcp); /* for data in a SYN that was not sent yet */
void tcp_fast_written(struct reeve_tcp *tcp);
void tcp_fast_failed(struct reeve_tcp *tcp); /* the SYN got no answer, or an ICMP error's */
/* The peer has answered with SYN; `s` acknowledges ours. After tcp_establish(). */
void tcp_fast_established(struct reeve_tcp *tcp, const struct tcp_segment *s);

/* path_mtu.c */
void tcp_update_mss(struct reeve_tcp *tcp, const struct ip_route *route);
/* Over a rest. */
void tcp_path_remember(const struct tcp_path *p, struct tcp_learned *ret);
void tcp_path_recall(struct reeve_tcp *tcp);
/* ICMP has said how much the path carries; or that a probe was too much. */
void tcp_path_lowered(struct reeve_tcp *tcp, const struct ip_route *route, uint32_t mtu);
void tcp_path_refused(struct reeve_tcp *tcp, uint32_t mtu);
/* Before the timeout is counted and everything counts as lost. */
void tcp_path_timeout(struct reeve_tcp *tcp);
/* How many bytes of new data, `most` at most, are to go as a probe now; 0: none. */
uint32_t tcp_path_probe(struct reeve_tcp *tcp, const struct ip_route *route, uint32_t most);
void tcp_path_probed(struct reeve_tcp *tcp, struct tcp_seq start, uint32_t length);
void tcp_path_acked(struct reeve_tcp *tcp);
/* Before it is counted as sent again. */
void tcp_path_resent(struct reeve_tcp *tcp, struct tcp_seq start, struct tcp_seq end);

/* time_wait.c */
void tcp_time_wait_input(struct tcp_host *t, struct tcp_time_wait *w, struct tcp_segment *s);
void tcp_time_wait_expire(struct tcp_host *t);
void tcp_time_wait_free(struct tcp_host *t, struct tcp_time_wait *w);
bool tcp_time_wait_new(struct reeve_tcp *tcp); /* takes flow and port; false: no memory */
struct tcp_time_wait *tcp_time_wait_find(const struct tcp_host *t,
					 const struct reeve_sockaddr *local,
					 const struct reeve_sockaddr *remote);

/* Where the sequence numbers of a connection that takes its place begin, or later. */
struct tcp_seq tcp_time_wait_beyond(const struct tcp_time_wait *w);

/* Only with them is it safe to connect again so soon (RFC 6191, 2). */
static inline bool tcp_time_wait_has_timestamps(const struct tcp_time_wait *w)
{
	return w->wait.is_recyclable;
}
bool tcp_time_wait_evict(struct tcp_host *t); /* the oldest; false: there is none */
