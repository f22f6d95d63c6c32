/*
 * Pipes and files, and what moves bytes between them and sockets: splice() and sendfile(). A file has
 * the bytes of the stream that it is sent into, and no end; a pipe keeps what it was given.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "call.h"

#define MOST ((int64_t)1 << 20) /* bytes of one call */

static struct handle *handle_at(const struct call *c, unsigned index, enum handle_kind kind)
{
	const int64_t fd = call_integer(c, index);
	struct handle *const h = fd >= 0 && fd < RUN_HANDLES ? &c->run->handles[fd] : NULL;

	return h && h->kind == kind ? h : NULL;
}

/* pipe([5, 6]): what reads, what writes. */
static bool try_pipe(struct call *c, int64_t *ret)
{
	const struct script_value *const v = call_argument(c, 0);

	if (v->kind != VALUE_LIST || v->count != 2)
		return call_fault(c, v, ret, "a list of two descriptors is needed here");

	const int64_t reader = call_value(c, v->first), writer = call_value(c, v->first->next);

	if (reader == writer || reader < 0 || writer < 0 || reader >= RUN_HANDLES ||
	    writer >= RUN_HANDLES || c->run->handles[reader].kind != HANDLE_NONE ||
	    c->run->handles[writer].kind != HANDLE_NONE)
		return call_fault(c, v, ret, "two descriptors that are free are needed here");

	struct pipe *const pipe = calloc(1, sizeof(*pipe));

	check(pipe);
	pipe->holders = 2;
	c->run->handles[reader] = (struct handle){ .kind = HANDLE_PIPE, .pipe = pipe };
	c->run->handles[writer] =
		(struct handle){ .kind = HANDLE_PIPE, .pipe = pipe, .is_writer = true };
	*ret = 0;
	return true;
}

static bool try_open(struct call *c, int64_t *ret)
{
	if (call_integer(c, 1) != O_RDONLY)
		return call_fault(c, call_argument(c, 1), ret, "only O_RDONLY");
	(void)call_new_handle(c, HANDLE_FILE, ret);
	return true;
}

/* From the socket into the pipe. -EAGAIN when there is nothing. */
static int64_t fill_pipe(struct handle *from, struct pipe *pipe, size_t wanted)
{
	const size_t room = PIPE_BYTES - pipe->length;
	uint8_t bytes[PIPE_BYTES];
	const int64_t done =
		room ? reeve_tcp_read(from->tcp, bytes, wanted < room ? wanted : room) : -EAGAIN;

	for (int64_t i = 0; i < done; i++)
		pipe->bytes[(pipe->start + pipe->length++) % PIPE_BYTES] = bytes[i];
	from->read_at += done > 0 ? (uint32_t)done : 0;
	return done;
}

static int64_t drain_pipe(struct pipe *pipe, struct handle *to, size_t wanted)
{
	const size_t length = wanted < pipe->length ? wanted : pipe->length;
	uint8_t bytes[PIPE_BYTES];

	if (length == 0)
		return -EAGAIN;
	for (size_t i = 0; i < length; i++)
		bytes[i] = pipe->bytes[(pipe->start + i) % PIPE_BYTES];

	const int64_t done = reeve_tcp_write(to->tcp, bytes, length);

	if (done <= 0)
		return done < 0 ? done : -EAGAIN;
	call_note_written(to, (const char *)bytes, (size_t)done);
	pipe->start = (pipe->start + (size_t)done) % PIPE_BYTES;
	pipe->length -= (size_t)done;
	to->write_at += (uint32_t)done;
	return done;
}

/* splice(from, NULL, to, NULL, length, flags): one of the two is a pipe, the other a socket. */
static bool try_splice(struct call *c, int64_t *ret)
{
	struct handle *const source = handle_at(c, 0, HANDLE_STREAM);
	struct handle *const sink = handle_at(c, 2, HANDLE_STREAM);
	struct handle *const pipe = handle_at(c, source ? 2 : 0, HANDLE_PIPE);
	const int64_t length = call_integer(c, 4), flags = call_integer(c, 5);

	if (call_integer(c, 1) != 0 || call_integer(c, 3) != 0)
		return call_fault(c, call_argument(c, 1), ret, "offsets are NULL here");
	*ret = -EINVAL;
	if (!pipe || (!source && !sink) || pipe->is_writer != (source != NULL))
		return true;
	if (length < 0 || length > MOST)
		return call_fault(c, call_argument(c, 4), ret, "too many bytes");
	*ret = source ? fill_pipe(source, pipe->pipe, (size_t)length)
		      : drain_pipe(pipe->pipe, sink, (size_t)length);
	if (*ret != -EAGAIN)
		return true;
	return flags & 2 /* SPLICE_F_NONBLOCK */ || (source ? source : sink)->is_nonblocking;
}

/* sendfile(socket, file, [offset], length) */
static bool try_sendfile(struct call *c, int64_t *ret)
{
	struct handle *const to = call_handle(c, HANDLE_STREAM, ret);
	const int64_t length = call_integer(c, 3);

	if (!to)
		return true;
	*ret = -EBADF;
	if (!handle_at(c, 1, HANDLE_FILE))
		return true;
	if (length < 0 || length > MOST)
		return call_fault(c, call_argument(c, 3), ret, "too many bytes");

	uint8_t *const bytes = malloc((size_t)length + 1);

	check(bytes);
	flow_content(to->write_at - (uint32_t)c->progress, bytes, (size_t)length);

	const int64_t done =
		reeve_tcp_write(to->tcp, bytes + c->progress, (size_t)length - (size_t)c->progress);

	free(bytes);
	*ret = c->progress ? (int64_t)c->progress : done;
	if (done < 0)
		return true;
	c->progress += (uint64_t)done;
	to->write_at += (uint32_t)done;
	*ret = c->progress || length == 0 ? (int64_t)c->progress : -EAGAIN;
	return c->progress == (uint64_t)length || to->is_nonblocking;
}

const struct call_kind call_pipe_kinds[] = {
	{ "pipe", 1, 1, try_pipe },
	{ "open", 2, 3, try_open },
	{ "splice", 6, 6, try_splice },
	{ "sendfile", 4, 4, try_sendfile },
	{ 0 },
};
