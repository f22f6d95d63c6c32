/*
 * The supervisor's connection to the network process (protocol.h): nothing here waits. What does
 * not fit the socket now goes out later, in order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/timers.h"
#include "guest/parcel.h"
#include "guest/protocol.h"
#include "guest/watch.h"

#define CHANNEL_BUCKETS 1024

struct call;
struct request;
struct supervisor;

/* The answer has come, or (answer->error ENETDOWN) never will. `r` is freed behind it. */
typedef void request_done(struct supervisor *s, struct request *r,
			  const struct guest_message *answer, const uint8_t *data);

struct request {
	struct list node;
	uint32_t number;
	uint64_t socket;   /* the number of the socket that it is about; 0: none */
	struct call *call; /* that waits for the answer; NULL: none, or it was killed meanwhile */
	request_done *done;
};

struct channel {
	int fd;
	struct watch watch;
	struct list queue; /* of what waits to be sent */
	struct parcel parcel;
	struct timer parcel_timer;
	struct list buckets[CHANNEL_BUCKETS];
	uint32_t last_request;
	bool is_lost;
	uint8_t *buffer;   /* of one datagram */
	size_t at, length; /* of what is not yet taken out of it */
	int received_fd;   /* that came with it, or -1 */
};

int channel_init(struct channel *c, int fd_take); /* 0 or -ENOMEM */
void channel_deinit(struct channel *c);

/* `fd`: -1, or a descriptor of which a copy goes along. */
void channel_send(struct supervisor *s, const struct guest_message *m, const void *data, int fd);

/* The same for a message without data that nobody waits for: it goes with the next one, or soon. */
void channel_send_later(struct supervisor *s, const struct guest_message *m);

/* Sends what waits for company. */
void channel_send_parcel(struct supervisor *s);

/* Sends it as a request; m->request is filled in. NULL without memory: nothing was sent. Without a
 * network process the answer is ENETDOWN, behind the event at hand. */
struct request *channel_request(struct supervisor *s, struct guest_message *m, const void *data,
				request_done *done);

/* The socket can be written again. */
void channel_flush(struct supervisor *s);

/* Waits, for some seconds at most, until all has gone out. */
void channel_finish(struct supervisor *s);

/* The next message, if there is one: 0, -EAGAIN, or another negative errno when the network
 * process is gone. *ret_data stays valid until the next call. *ret_more: another has come with it. */
int channel_receive(struct channel *c, struct guest_message *ret, const uint8_t **ret_data,
		    bool *ret_more);

/* The descriptor that came with the message at hand, now the caller's; -1: none. */
int channel_take_descriptor(struct channel *c);

/* The two sides would not agree any more: the network process is given up. */
void channel_give_up(struct supervisor *s, const char *why);

/* The request of an answer, taken out of the table; NULL when there is none. */
struct request *channel_take_request(struct channel *c, uint32_t number);

/* Any request that is open, taken out; NULL when there is none. */
struct request *channel_take_any(struct channel *c);

/* Calls done() and frees it. */
void request_finish(struct supervisor *s, struct request *r, const struct guest_message *answer,
		    const uint8_t *data);
