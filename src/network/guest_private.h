/*
 * Inside the guest server: sessions, their sockets, and what moves between a socket of a program (an
 * AF_UNIX end) and one of the stack.
 */
#pragma once

#include "guest/parcel.h"
#include "guest/protocol.h"
#include "network/guest.h"
#include "network/guest_tree.h"
#include "network/host.h"
#include "network/listener.h"
#include "network/loop.h"
#include "network/network.h"

#define DATAGRAM_BUFFER 65536
#define LEASE_BUCKETS   64

struct charges;

struct guest_server {
	struct network *network;
	struct listener listener;
	struct list sessions;   /* struct guest_session */
	struct list answering;  /* struct guest_session: guest_answer_settled() */
	struct list delivering; /* those that have ended and whose sockets have not */
	struct list gone;       /* freed at the end of the turn */
	struct list dead;       /* struct guest_socket, freed at the end of the turn */
	uint32_t session_count;
	uint8_t buffer[sizeof(struct guest_message) + GUEST_DATA_MAX + sizeof(struct parcel)];
	uint8_t datagram[DATAGRAM_BUFFER]; /* one of a program's; while a message is read */
	struct charges *charges;
	struct list looking;             /* struct guest_look */
	uint64_t looks;                  /* the last one's number */
	struct loop_timer changed_timer; /* to tell of listeners that have come or gone */
	struct list full;                /* listeners at which a connection waits to be joined */
	struct loop_timer full_timer;    /* to try again */
	bool is_retrying;
	int probe_fd; /* asks listeners whether they are still there (guest_listener.c) */
};

struct guest_session {
	struct guest_server *server;
	struct network *network;
	struct network_host *host; /* NULL before HELLO */
	struct loop_source source; /* the connection */
	struct loop_source death;  /* the supervisor's pidfd */
	struct list node;
	const char *refusal; /* what HELLO is answered with */
	bool gone;
	bool is_done; /* the tree has ended in order */
	bool is_delivering;
	bool is_direct;         /* its programs are joined directly */
	uint64_t asked, looked; /* the last look that it was asked for, and that it has answered */
	bool has_found;         /* a listener, or none, which may change */
	struct list leases[LEASE_BUCKETS]; /* of ports, by these; guest_direct.c's */
	struct socket_owner lessor;
	uint32_t lease_count;
	struct port_actor actor;
	uint32_t uid;
	pid_t supervisor, program;
	bool is_managed; /* its program is a manager of services, which is told to end otherwise */
	struct tree_members members;
	char command[256];
	struct guest_socket **sockets; /* by number, chained */
	uint32_t buckets, count;
	uint64_t next_incoming; /* connections that were announced to the supervisor */
	struct list answering;  /* in the server's */
	struct parcel settled;  /* its answers */
	struct parcel parcel;
	struct loop_timer parcel_timer;
	struct outgoing *first, **last; /* messages that the supervisor has not yet taken */
	size_t outgoing_bytes;
};

/* What a TCP or UDP socket of a program is on this side. */
struct guest_socket {
	struct socket_owner owner;
	struct guest_session *session;
	struct guest_socket *next; /* with the same hash; or dead */
	struct list dead;
	uint64_t number;
	struct reeve_tcp *tcp; /* one of these two */
	struct reeve_udp *udp;
	struct loop_source source; /* the attached end */
	uint32_t chain_sent;       /* UDP: of the last sendmmsg() */
	int chain_error;

	uint32_t connect_request; /* to be answered when the handshake is done */
	bool connecting;
	bool connected;

	bool is_direct;     /* only a name: neither tcp nor udp */
	struct list direct; /* of these, in the host's */
	struct reeve_sockaddr local, remote;

	uint32_t backlog;  /* a listener's */
	char *path;        /* its file; NULL: not open yet */
	uint32_t pending;  /* a listener's connections that the program has not accepted */
	uint64_t listener; /* while counted there: its number */
	bool is_listener, is_pending;
	struct reeve_tcp *held; /* a listener's: accepted, and the queue of its file was full */
	struct list full;       /* then: in the server's */

	uint32_t read_size; /* what the next read is likely to bring */

	bool can_read, can_write;  /* the attached end */
	bool is_plain;             /* no urgent byte is at the head of what can be read */
	int64_t read_at;           /* the turn of the loop in which it was last read, by its time */
	bool is_shut;              /* behind the program's last byte stands a mark (GUEST_SHUT) */
	bool is_both;              /* it has shut down both directions: a HUP is no close */
	bool read_on;              /* a short read is not all: urgent data, or an end */
	bool hung_up;              /* the program has closed */
	bool left_nothing;         /* and had read all that it was sent */
	bool read_ended;           /* nothing more will come from the program */
	bool all_heard;            /* what the supervisor said before the program closed */
	bool fin_sent, fin_passed; /* to the network; to the program */
	bool deaf;                 /* the program takes no more: what comes is thrown away */
	bool reset_on_close;       /* SO_LINGER with 0 */
	bool thrown_away;          /* of what came, something */
	bool no_urgent;            /* the kernel's AF_UNIX has none: they are data */
	bool reset_put_off;        /* for one turn, in which what was written goes out */
	int failed;                /* errno; told when what was received is passed on */
};

/* A message as it came in; `data` has message->data_length bytes. */
struct guest_call {
	struct guest_session *session;
	const struct guest_message *message;
	const uint8_t *data;
	int fd; /* that came with it, or -1; taken by setting it to -1 */
};

/* guest_send.c. False when the session is gone. `data` may be NULL. */
bool guest_send(struct guest_session *session, const struct guest_message *message,
		const void *data, size_t length);
/* With a copy of the descriptor. */
bool guest_send_descriptor(struct guest_session *session, const struct guest_message *message,
			   int fd);
/* What nobody waits for: goes with the next message, or soon. */
void guest_send_later(struct guest_session *session, const struct guest_message *message);
/* The answer to the call, unless it wants none. `error` is 0 or a negative errno. */
void guest_answer(const struct guest_call *call, int error, const struct guest_message *values);
/* The same behind all that comes of it within this turn, unless it failed. */
void guest_answer_settled(const struct guest_call *call, int error,
			  const struct guest_message *values);
void guest_send_settled(struct guest_server *server); /* these answers; at the end of a turn */
void guest_answer_data(const struct guest_call *call, const void *data, size_t length);

void guest_outgoing_init(struct guest_session *session);
void guest_outgoing_stop(struct guest_session *session); /* nothing more is sent */
void guest_outgoing_free(struct guest_session *session);
void guest_flush(struct guest_session *session); /* the connection has room */

void guest_session_end(struct guest_session *session, const char *why);

/* The last socket of one that has ended is gone. */
void guest_session_over(struct guest_session *session);

/* Takes all messages that are there now. Sockets of the session, and itself, may be gone then. Not
 * from within guest_handle(). */
void guest_session_hear(struct guest_session *session);

/* guest_socket.c: a session's table of sockets. */
struct guest_socket *guest_socket_find(struct guest_session *session, uint64_t number);
/* The socket that the call speaks of, made if it is new. NULL: no room for it. */
struct guest_socket *guest_socket_get(const struct guest_call *call);
struct guest_socket *guest_socket_add(struct guest_session *session, uint64_t number);
/* Forgets the socket and closes its attached end; the stack's socket has been closed before. */
void guest_socket_drop(struct guest_socket *s);
/* Resets what is left in the session, but with `deliver` what a program has written into; that
 * drops itself when it is delivered. */
void guest_socket_drop_all(struct guest_session *session, bool deliver);
void guest_socket_name(const struct guest_socket *s, struct guest_message *values);

/* guest_call.c: what each message does. */
void guest_handle(struct guest_call *call);

/* guest_stream.c */
bool guest_stream_attach(struct guest_socket *s, int fd_take); /* false: it cannot be watched */
void guest_stream_accepted(struct guest_socket *s);
void guest_stream_shut(struct guest_socket *s, bool has_mark, bool is_both);
void guest_stream_closed(struct guest_socket *s); /* by the program, after a shutdown of both */
void guest_stream_accept(struct guest_socket *listener);

/* guest_listener.c. The program's listener that would get that SYN; NULL: none. */
struct guest_socket *guest_listener_find(const struct network_host *host,
					 const struct reeve_sockaddr *to,
					 const struct reeve_sockaddr *from);
/* Joins `fd` to the listener's file; 0 or a negative errno. */
int guest_listener_join(const struct guest_socket *listener, int fd);
/* Does that error say that nobody listens there any more? */
bool guest_listener_is_missing(int error);
/* Its file takes no more: the connection waits until it does. */
void guest_listener_hold(struct guest_socket *listener, struct reeve_tcp *tcp_take);
/* The one that waits, now the caller's; NULL: none. */
struct reeve_tcp *guest_listener_take_held(struct guest_socket *listener);
void guest_listener_init(struct guest_server *server);
void guest_listener_deinit(struct guest_server *server);
/* Closes it and tells its supervisor, by which sessions may end. */
void guest_listener_miss(struct guest_socket *listener);
/* After connect() and before the SYN is out: whoever would get it is missed if it is closed. The
 * socket may be gone then. */
void guest_listener_look(const struct guest_socket *s);

/* guest_direct.c. Of a server, and of a session that has its host. */
void guest_direct_start(struct guest_server *server);
void guest_direct_stop(struct guest_server *server);
void guest_direct_init(struct guest_session *session);
void guest_direct_deinit(struct guest_session *session);
void guest_direct_find(struct guest_call *call);
void guest_direct_return(struct guest_call *call);
/* It has ended, and may be vouched for all the same. */
void guest_direct_remember(const struct guest_session *session);
void guest_direct_vouch(struct guest_call *call);
void guest_direct_joined(struct guest_call *call);
/* Before the socket goes. */
void guest_direct_left(struct guest_socket *s);
/* A listener of the host has come, gone, or changed. */
void guest_direct_changed(struct network_host *host);

/* guest_look.c */
void guest_look_deinit(struct guest_server *s); /* no look is answered any more */
/* It has answered the look of that number, and all before. */
void guest_looked(struct guest_session *session, uint64_t number);

/* guest_datagram.c */
void guest_datagram_attach(struct guest_socket *s, int fd_take);
/* What the program has written so far goes out: what it asks for comes behind. */
void guest_datagram_catch_up(struct guest_socket *s);
/* The program's end polls an error. */
void guest_datagram_poke(struct guest_socket *s);

extern const struct socket_owner_ops guest_stream_ops, guest_datagram_ops;
