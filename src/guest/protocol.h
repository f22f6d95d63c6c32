/*
 * What a supervisor and the network process say to each other: fixed binary messages over one
 * AF_UNIX SOCK_SEQPACKET connection a supervisor, in the order of sending. A datagram holds one
 * message behind another (parcel.h); a descriptor that comes along belongs to the last. Native byte
 * order and layout: both ends are the same binary on one machine, and the handshake compares
 * versions.
 *
 * The division: the supervisor knows programs (their calls, memory, descriptors and every trick
 * that makes an AF_UNIX socket look like a TCP or UDP one); the network process knows the stack. A
 * socket of a program is named by a 64-bit number that the supervisor chooses (GUEST_INCOMING set
 * for those that the network process chooses, for incoming connections). The network process
 * learns of a socket with the first message that needs it.
 *
 * Requests carry a number in `request`; the answer (GUEST_ANSWER) carries the same and `error`, 0
 * or a positive errno. A message with request 0 is not answered.
 *
 * The life of a TCP connection:
 *
 *	connect   CONNECT ...> ANSWER (established, or the errno, or minutes later ETIMEDOUT)
 *	          on success the supervisor makes the AF_UNIX pair and hands over one end: ATTACH + fd
 *	accept    the network process connects to the file of the program's AF_UNIX listener, known
 *	          by OPEN, and says INCOMING with both names + its end; when the program has
 *	          accepted it: ACCEPTED (the backlog counts what is not yet accepted). So the listener
 *	          is ready before anything that the peer says later. A file that refuses has no
 *	          listener any more: STALE. It is asked before a program's SYN goes out, which then
 *	          is refused; found out later, the connection is reset
 *	data      the network process reads and writes the attached end. EOF of the program's writes
 *	          (RDHUP) is FIN out; FIN in is shutdown(SHUT_WR) of the attached end, which stays open
 *	close     the program closes: HUP at the attached end. Without unread data the network process
 *	          closes the connection in order, else resets it; it closes the end and says CLOSED
 *	reset     the network process writes out what it has received, says RESET with the errno, and
 *	          closes its end; the supervisor makes the program see it
 *
 *	direct	inside a host supervisors may join their programs' sockets to each other by themselves, to
 *		the listener's file. FIND says which that is, and leases local ports for it, until FORGET;
 *		VOUCH says whether it is a supervisor of the host that has joined. A connection that has
 *		lasted a moment is told, JOINED, so that it is listed; and CLOSE when it has gone
 *
 *	half	the program shuts down its sending: SHUT, and behind what it has written one urgent
 *		byte of the supervisor's, which the network process leaves where it is: the program's
 *		end learns of a reset only while something that it has sent is unread
 *	both	SHUT says so too when it has shut down its receiving as well: HUP at the attached end
 *		is no close then. The supervisor looks whether the program has closed, and says CLOSE
 *
 * Urgent data, one byte of it, is AF_UNIX's own at the attached end (MSG_OOB), both ways, so that
 * SIGURG, EPOLLPRI and SO_OOBINLINE are the kernel's.
 *
 * The supervisor keeps a duplicate of each attached end until CLOSED or RESET, so that the death of
 * the network process does not look like an orderly end.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "port/policy.h"
#include "reeve/address.h"

#define GUEST_PROTOCOL_VERSION 7
#define GUEST_INCOMING         (UINT64_C(1) << 63)
#define GUEST_DATA_MAX         65536
#define GUEST_HOST_NAME        64
#define GUEST_INTERFACES_MAX   16
#define GUEST_PORTS_MAX        64
#define GUEST_FILE             108
#define GUEST_ERROR_TEXT       256

enum guest_message_type {
	/* Supervisor to network process. */
	GUEST_HELLO = 1, /* struct guest_hello; the first; + a pidfd of the supervisor */
	GUEST_BIND,      /* `local`, flags: answered with `local` as bound (port 0 if deferred) */
	GUEST_LISTEN,    /* value: backlog. Answered with `local`. Again: a new backlog */
	GUEST_OPEN,      /* the program's AF_UNIX listener is there; data: the file's name, with its
			    NUL. What has come waits until then; no answer */
	GUEST_CONNECT,   /* `remote`; TCP: answered when done; UDP: at once (family 0 of `remote`
	                    unspecified and port 0: disconnect). Answered with `local`, `remote` */
	GUEST_ATTACH,    /* + one descriptor: the network process's end; no answer */
	GUEST_ACCEPTED,  /* the program has taken this incoming connection; no answer */
	GUEST_NAME,      /* answered with `local`, a deferred port chosen, and `remote` */
	GUEST_SET,       /* value: setting, value2: the value */
	GUEST_GET,       /* value: setting; answered with value2 (GUEST_SETTING_TCP_INFO: data) */
	GUEST_SEND,      /* UDP, addressed: `remote`, `local` (unspecified: any), value2: a struct
			    guest_sending; data. Answered. Family unspecified and port 0: connected */
	GUEST_SENT,      /* UDP: answered with value2, how many of a chain went out, and the error
			    of the one that did not */
	GUEST_MEMBER,    /* UDP: `remote`: the group, `local`: the source; value: enum
			    reeve_udp_membership; value2: the interface, from 1, or 0. Answered */
	GUEST_SHUT,      /* value: whether an urgent byte follows that is the end; value2: whether
			    both directions end; no answer */
	GUEST_POKE,      /* UDP: the program's end is to poll an error again; no answer */
	GUEST_CLOSE,     /* no holder is left of a socket that has no attached end, or one that says
			    nothing (both); no answer */
	GUEST_ABORT, /* the same with a reset (SO_LINGER 0); also of an attached one; no answer */
	GUEST_FIND, /* `remote`, in the host; value: how many ports are wanted. Answered with struct
		       guest_found, or ENOENT: connections there go by CONNECT alone */
	GUEST_RETURN, /* data: ports that FIND has leased, uint16_t each; no answer */
	GUEST_VOUCH, /* value: a process's number. Answered with 0 if it is, or was, a supervisor of
			the host that joins directly */
	GUEST_JOINED,     /* `local`, `remote`: a direct connection, which lasts; no answer */
	GUEST_INTERFACES, /* answered with struct guest_interface records as data */
	GUEST_LOOKED,     /* value: of LOOK; behind a CLOSE for each that is gone; no answer */
	GUEST_SYNC,       /* answered, and so behind all that was said before it came */
	GUEST_DONE,       /* the last: the tree has ended. What its programs have written is still
			     delivered, where without it their flows are reset; no answer */

	/* Network process to supervisor. */
	GUEST_ANSWER = 64,         /* to a request */
	GUEST_WELCOME,             /* struct guest_welcome; the answer to HELLO, error 0 */
	GUEST_REFUSED,             /* the other answer to HELLO: error and a line of text as data */
	GUEST_INCOMING_CONNECTION, /* socket: its new number; value: the listener's; both names;
				      + a copy of the network process's end */
	GUEST_STALE,               /* nobody listens at the file of this listener any more; here it
				      is closed */
	GUEST_LOOK,                /* which sockets does the program still hold? value: a number */
	GUEST_FORGET,              /* what FIND has told, but for the ports, may be otherwise now */
	GUEST_RESET,  /* error: ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ...; value 1: behind the peer's
			orderly end */
	GUEST_CLOSED, /* done in order; the duplicate may go */
	GUEST_DATAGRAM, /* UDP: one was just written to the attached end, from `remote` to `local`;
			   value: struct guest_arrival; value2: when it came, CLOCK_REALTIME in ns;
			   flags: ttl << 8 | tos; error: the interface, from 1; pid: how many were
			   lost so far */
	GUEST_PROBLEM, /* UDP: `remote`, and data: struct guest_problem, bytes quoted; error: what is
			   pending with it */
	GUEST_SOCKET_ERROR, /* UDP: an ICMP error, of a socket that keeps no problems. The program's end
			       says already, of both, that there is one, but not which */
};

enum guest_flags {
	GUEST_UDP = 1 << 0,           /* else TCP; with the first message of a socket */
	GUEST_IPV6 = 1 << 1,          /* an AF_INET6 socket; likewise */
	GUEST_REUSE_ADDRESS = 1 << 2, /* BIND, CONNECT, LISTEN: as the socket has it now */
	GUEST_REUSE_PORT = 1 << 3,
	GUEST_IPV6_ONLY = 1 << 4,
	GUEST_ECHO = 1 << 5, /* with GUEST_UDP: an echo socket; likewise with the first message */
};

/* What control data and flags of a call say of one datagram. */
struct guest_sending {
	uint16_t ttl, tos; /* and 1; 0: the socket's */
	uint16_t out;      /* the interface, from 1; 0: the socket's */
	uint16_t flags;    /* GUEST_SENDING_* */
};

enum {
	GUEST_SENDING_DONT_ROUTE = 1 << 0,
	GUEST_SENDING_MORE = 1 << 1,
	/* One of several of one call, and the first of them: those behind one that fails are not
	 * sent. GUEST_SENT asks what has become of them. */
	GUEST_SENDING_CHAINED = 1 << 2,
	GUEST_SENDING_FIRST = 1 << 3,
};

struct guest_arrival {
	uint32_t length;
	uint32_t charge; /* what it counts in SIOCOUTQ of the attached end until it is read */
};

static_assert(sizeof(struct guest_sending) == 8 && sizeof(struct guest_arrival) == 8,
	      "they travel in a message's value");

struct guest_problem { /* struct reeve_udp_problem */
	int32_t error;
	uint8_t is_local, type, code, ttl, tos;
	uint32_t info, iface; /* from 1 */
	struct reeve_address offender, local;
	int64_t realtime_ns;
};

/* Where connections to one address and port may be joined, and the names that they have. */
struct guest_found {
	struct reeve_address source;     /* of the connecting side */
	uint32_t wanted, count;          /* ports; they are the session's until it ends */
	uint16_t ports[GUEST_PORTS_MAX]; /* free ones */
	char file[GUEST_FILE];           /* the listener's, with its NUL */
};

/* What SET and GET speak of: enum reeve_tcp_option or reeve_udp_option, and these. */
enum guest_setting {
	GUEST_SETTING_TCP_INFO = 256, /* data: struct reeve_tcp_info */
	GUEST_SETTING_LINGER,         /* value2: -1 off, else seconds */
	GUEST_SETTING_UNSENT,         /* get: SIOCOUTQ, of what the stack holds */
	GUEST_SETTING_NOT_YET_SENT,   /* get: SIOCOUTQNSD, likewise */
	GUEST_SETTING_ERROR,          /* get: SO_ERROR of what the stack holds, and clears it */
};

struct guest_message {
	uint16_t type;
	uint16_t flags;
	uint32_t request;
	uint64_t socket;
	int32_t error;
	uint32_t pid; /* the program's process (tgid) that made the call */
	struct reeve_sockaddr local, remote;
	int64_t value, value2;
	uint32_t data_length; /* bytes behind this structure, at most GUEST_DATA_MAX */
};

/* The program asks for its host; the data of HELLO. */
struct guest_hello {
	uint32_t version;
	uint32_t uid;
	uint32_t supervisor_pid, program_pid;
	uint8_t is_direct;            /* its programs are joined directly */
	char host[GUEST_HOST_NAME];   /* NUL-terminated */
	struct reeve_address address; /* all zeroes: whichever the host has or gets */
	struct port_grant grant;
	char command[256]; /* for listings */
};

struct guest_interface {
	char name[16];
	uint32_t index, mtu;
	uint8_t mac[6];
	uint8_t loopback, up;
	uint32_t address_count;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	struct reeve_prefix addresses[8];
};

struct guest_welcome {
	uint32_t version;
	uint32_t pid; /* the network process's */
	char host[GUEST_HOST_NAME];
	struct reeve_address address;
	uint8_t prefix_length;
	struct reeve_address gateway;
	uint32_t interface_count;
	struct guest_interface interfaces[GUEST_INTERFACES_MAX]; /* a program may ask at once */
};
