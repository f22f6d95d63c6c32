/*
 * Varlink's framing: messages that end in a NUL byte, out of a stream that may be cut anywhere.
 * Memory is bounded whatever comes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct control_frame {
	char *bytes;
	size_t start, end, size; /* what has come and was not taken: bytes[start..end-1] */
	size_t scanned;          /* up to here there is no NUL */
	size_t most;             /* bytes of a message */
};

/* A whole message is there: no readable socket will tell of it. */
bool control_frame_is_whole(const struct control_frame *f);

void control_frame_init(struct control_frame *f, size_t most);
void control_frame_deinit(struct control_frame *f);

/* Room for more bytes, then what was put there. 0 bytes of room: a message over the limit, or no
 * memory. */
size_t control_frame_room(struct control_frame *f, char **ret);
void control_frame_fill(struct control_frame *f, size_t bytes);

/* The next whole message, NUL-terminated, or NULL. Valid until the next call. */
char *control_frame_next(struct control_frame *f, size_t *ret_length);
