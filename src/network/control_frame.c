#include "network/control_frame.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 4096u

void control_frame_init(struct control_frame *f, size_t most)
{
	*f = (struct control_frame){ .most = most };
}

void control_frame_deinit(struct control_frame *f)
{
	free(f->bytes);
	*f = (struct control_frame){ 0 };
}

static bool grow(struct control_frame *f)
{
	const size_t size = f->size ? f->size * 2 : FIRST_SIZE;
	char *bytes;

	if (size > f->most)
		return false;
	bytes = realloc(f->bytes, size);
	if (!bytes)
		return false;
	f->bytes = bytes;
	f->size = size;
	return true;
}

size_t control_frame_room(struct control_frame *f, char **ret)
{
	if (f->start > 0) {
		memmove(f->bytes, f->bytes + f->start, f->end - f->start);
		f->end -= f->start;
		f->scanned -= f->start;
		f->start = 0;
	}
	if (f->end == f->size && !grow(f))
		return 0;
	*ret = f->bytes + f->end;
	return f->size - f->end;
}

void control_frame_fill(struct control_frame *f, size_t bytes)
{
	f->end += bytes;
}

bool control_frame_is_whole(const struct control_frame *f)
{
	return f->scanned < f->end && memchr(f->bytes + f->scanned, 0, f->end - f->scanned);
}

char *control_frame_next(struct control_frame *f, size_t *ret_length)
{
	char *message, *nul;

	if (f->scanned == f->end)
		return NULL;
	nul = memchr(f->bytes + f->scanned, 0, f->end - f->scanned);
	if (!nul) {
		f->scanned = f->end;
		return NULL;
	}
	message = f->bytes + f->start;
	*ret_length = (size_t)(nul - message);
	f->start = (size_t)(nul - f->bytes) + 1;
	f->scanned = f->start;
	return message;
}
