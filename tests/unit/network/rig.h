/*
 * A network without a process: hosts, switch, control and guest server in the test's own loop, and
 * the other ends of their sockets in the test's hands. Nothing sleeps: the loop is turned until what
 * is waited for is there.
 */
#pragma once

#include "guest/protocol.h"
#include "network/network.h"

struct rig {
	struct network network;
};

struct rig_session {
	struct rig *rig;
	int fd;
	uint32_t request; /* the last one's number */
	uint64_t socket;  /* the last one's number */
	struct guest_welcome welcome;
	uint8_t datagram[8192]; /* of which `at` bytes are taken */
	size_t at, length;
	int received_fd; /* that came with it, or -1 */
};

struct rig *rig_new(void);
void rig_free(struct rig *rig); /* checks that nothing is left */

/* Until nothing more happens by itself. */
void rig_settle(struct rig *rig);

/* A client of the control socket. */
int rig_control(struct rig *rig);

/* A supervisor's connection, welcomed. The caller closes rig_session.fd. */
void rig_join(struct rig *rig, struct rig_session *session, const char *host);
/* One whose program's connections inside the host are joined directly. No process has its number. */
#define RIG_DIRECT_SUPERVISOR 0x7ffffff0u
void rig_join_direct(struct rig *rig, struct rig_session *session, const char *host);

/* Sends a message; a request is given a number. */
void rig_send(struct rig_session *s, struct guest_message *m, const void *data, size_t length,
	      int fd);

/* The next message, waited for. A descriptor that comes along is closed with the next datagram. */
struct guest_message rig_receive(struct rig_session *s, void *data, size_t size);

void rig_drop_descriptor(struct rig_session *s);

/* Sends a request and waits for the answer to it; others before it are a fault. */
struct guest_message rig_call(struct rig_session *s, struct guest_message m);

/* Reads from a blocking descriptor while the loop turns: bytes, 0 at the end, or -errno. */
long rig_read(struct rig *rig, int fd, void *bytes, size_t size);

/* Writes all of it while the loop turns. False when the other end is closed. */
int rig_write(struct rig *rig, int fd, const void *bytes, size_t length);
