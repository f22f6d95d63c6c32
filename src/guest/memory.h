/*
 * The program's memory, read and written on behalf of a trapped call. Lengths that come from the
 * program are bounded here; a range that is not there is -EFAULT, as the kernel has it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define MEMORY_VECTORS 1024 /* UIO_MAXIOV */

/* 0, -EFAULT, or -EPERM when the program may not be read at all. */
int memory_read(pid_t tid, uint64_t from, void *ret, size_t length);
int memory_write(pid_t tid, uint64_t to, const void *bytes, size_t length);

/* Several at once, at most 8. */
struct memory_piece {
	uint64_t to;
	const void *bytes;
	size_t length;
};

int memory_write_pieces(pid_t tid, const struct memory_piece *pieces, size_t count);

/*
 * A msghdr of the program with its vectors. `total` is the sum of the vectors, -EINVAL when it
 * is more than an int can hold; -EMSGSIZE over 1024 vectors.
 */
struct memory_message {
	struct msghdr header;  /* pointers are the program's */
	struct iovec *vectors; /* a copy whose bases are the program's; freed by deinit */
	size_t total;
};

int memory_read_message(pid_t tid, uint64_t from, struct memory_message *ret);
void memory_message_deinit(struct memory_message *m);

/* The vectors' bytes one behind the other, at most `limit`; the number of bytes, or -EFAULT. */
int64_t memory_gather(pid_t tid, const struct memory_message *m, void *ret, size_t limit);
int memory_scatter(pid_t tid, const struct memory_message *m, const void *bytes, size_t length);

/* Takes `length` bytes, or all, off the front of the vectors. */
void memory_skip(struct memory_message *m, size_t length);
