/*
 * What is sent and received on a TCP socket where the kernel's AF_UNIX stream would do something
 * else: names and control data, which TCP ignores, MSG_TRUNC, MSG_ERRQUEUE, MSG_FASTOPEN, urgent
 * data without a byte. All else is left to the kernel.
 */
#pragma once

struct call;
struct supervisor;

/* Of sendto() and sendmsg(), recvfrom() and recvmsg(). */
void stream_send(struct supervisor *s, struct call *c);
void stream_receive(struct supervisor *s, struct call *c);

/* Of sendmmsg() and recvmmsg(). */
void stream_send_many(struct supervisor *s, struct call *c);
void stream_receive_many(struct supervisor *s, struct call *c);
