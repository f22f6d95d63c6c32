/*
 * The manager's end of its connection with the network process: JSON objects that end in a NUL
 * byte, as Varlink frames them. Neither side waits for the other: what is not taken at once is put
 * off, and an end that takes nothing is given up.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CHANNEL_MESSAGE_MOST (1u << 20)  /* that comes */
#define CHANNEL_WAITING_MOST (32u << 20) /* all that waits to go */

struct channel_end {
	int fd;
	char *in, *out;
	size_t in_length, in_room, in_scanned;
	size_t out_length, out_room;
	bool is_closed; /* nothing more comes or goes */
};

void channel_end_init(struct channel_end *c, int fd_take);
void channel_end_deinit(struct channel_end *c);

/* What has come is read, as much as one message may be; then messages are taken until NULL. One that
 * is longer, or no object, closes the end. */
void channel_end_read(struct channel_end *c);
json_t *channel_end_next(struct channel_end *c);

void channel_end_send(struct channel_end *c, json_t *message_take);
void channel_end_write(struct channel_end *c); /* what waits */
static inline bool channel_end_is_writing(const struct channel_end *c)
{
	return c->out_length > 0;
}
