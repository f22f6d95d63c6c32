/*
 * Data: read() and write() and what is like them. "..." stands for the bytes of the stream at that
 * place (flow_content()), which are looked at on the way in and on the way out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "call.h"
#include "call_datagram.h"
#include "call_message.h"

#define PIECES   64
#define MOST     (16 << 20) /* bytes of one call */
#define IN_FLAGS (MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_NOSIGNAL | MSG_TRUNC)
#define OUT_FLAGS                                                                        \
	(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB | MSG_MORE | MSG_CONFIRM | MSG_ZEROCOPY | \
	 MSG_FASTOPEN)

/* The memory that a call is given: one buffer, or several. */
struct pieces {
	unsigned count;
	bool is_nowhere; /* NULL is among them */
	uint64_t length; /* of all */
	struct {
		const struct script_value *base;
		uint64_t length;
	} list[PIECES];
};

static void add(const struct call *c, struct pieces *p, const struct script_value *base,
		int64_t length)
{
	if (base->kind == VALUE_INTEGER && base->integer == 0)
		p->is_nowhere |= length > 0;
	else if (base->kind != VALUE_ANY && base->kind != VALUE_TEXT)
		script_fault(c->run->fault, base->place, "%s() needs ..., a string or NULL here",
			     c->spec->name);
	else if (p->count == PIECES || length < 0 || length > MOST ||
		 p->length + (uint64_t)length > MOST)
		script_fault(c->run->fault, base->place, "%s(): too many bytes or buffers",
			     c->spec->name);
	else if (base->kind == VALUE_TEXT && !base->has_more && (uint64_t)length < base->length)
		script_fault(c->run->fault, base->place, "%s(): the string is longer than that",
			     c->spec->name);
	if (c->run->fault->is_set)
		return;
	p->list[p->count].base = base;
	p->list[p->count++].length = (uint64_t)length;
	p->length += (uint64_t)length;
}

/* [{..., 1000}, {"ab", 2}] */
static void add_vectors(const struct call *c, struct pieces *p, const struct script_value *v)
{
	if (v->kind != VALUE_LIST) {
		script_fault(c->run->fault, v->place, "%s() needs a list here", c->spec->name);
		return;
	}
	for (const struct script_value *e = v->first; e; e = e->next) {
		if (e->kind != VALUE_STRUCT || e->count != 2) {
			script_fault(c->run->fault, e->place, "%s() needs {buffer, length} here",
				     c->spec->name);
			return;
		}
		add(c, p, e->first, call_value(c, e->first->next));
	}
}

/* read(fd, buffer, length), readv(fd, list, count), recvmsg(fd, header, flags), and theirs. */
static void gather(const struct call *c, struct pieces *ret)
{
	const struct script_value *const v = call_argument(c, 1);
	const struct script_value *const vectors = script_field(v, "msg_iov");

	*ret = (struct pieces){ 0 };
	if (vectors) {
		add_vectors(c, ret, vectors);
	} else if (v->kind == VALUE_LIST) {
		add_vectors(c, ret, v);
		call_compare_integer(c, call_argument(c, 2), v->count, "the vectors' number");
	} else {
		add(c, ret, v, call_integer(c, 2));
	}
}

static int64_t flags_of(const struct call *c, int64_t known)
{
	const bool is_message = call_argument(c, 1)->kind == VALUE_STRUCT;
	const unsigned at = is_message ? 2 : 3;
	const int64_t flags = c->spec->count > at ? call_integer(c, at) : 0;

	if (flags & ~known)
		script_refuse(c->run->fault, call_argument(c, at)->place,
			      "%s(): a flag that is not supported", c->spec->name);
	return flags;
}

static void fill(const struct pieces *p, uint32_t position, uint8_t *bytes)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct script_value *const base = p->list[i].base;
		const uint64_t length = p->list[i].length;

		flow_content(position, bytes, length);
		if (base->kind == VALUE_TEXT)
			memcpy(bytes, base->text, base->length < length ? base->length : length);
		bytes += length;
		position += (uint32_t)length;
	}
}

/* What the script has written in its own words, of what the socket took. */
static void note_texts(const struct handle *h, const struct pieces *p, uint32_t begin,
		       uint64_t done)
{
	struct handle at = *h;
	uint64_t position = 0;

	for (unsigned i = 0; i < p->count && position < done; i++) {
		const struct script_value *const base = p->list[i].base;
		const uint64_t length =
			base->length < p->list[i].length ? base->length : p->list[i].length;

		at.write_at = begin + (uint32_t)position;
		if (base->kind == VALUE_TEXT)
			call_note_written(&at, base->text, length);
		position += p->list[i].length;
	}
}

/* MSG_MORE holds back what is no full segment, as TCP_CORK does, until a call has it not. */
static void set_more(struct handle *h, bool is_more)
{
	if (is_more == h->is_more)
		return;
	h->is_more = is_more;
	reeve_tcp_set(h->tcp, REEVE_TCP_CORK, is_more || h->is_corked);
}

/* On a stream nobody is told anything about names. */
static void check_names(const struct call *c)
{
	if (c->spec->count == 6 && !call_is_any(c, 4) && call_argument(c, 4)->kind != VALUE_INTEGER)
		script_refuse(c->run->fault, call_argument(c, 4)->place,
			      "%s(): a name is for datagrams", c->spec->name);
}

/* MSG_FASTOPEN connects and writes. True: the call ends with *ret; without a cookie that is what a
 * connect() by itself would say, and the data goes when it is done. */
static bool begin_fast_open(struct call *c, struct handle *h, int64_t flags, int64_t *ret)
{
	const struct script_settings *const s = &c->run->script->settings;
	const struct reeve_sockaddr otherwise = { s->remote, s->connect_port, 0 };
	const bool waits = !h->is_nonblocking && !(flags & MSG_DONTWAIT);

	if (!(flags & MSG_FASTOPEN) || reeve_tcp_state(h->tcp) != REEVE_TCP_CLOSED)
		return false;
	if (!(c->run->fast_open & 1) || c->spec->count != 6) {
		*ret = -EOPNOTSUPP;
		return true;
	}
	reeve_tcp_set(h->tcp, REEVE_TCP_FAST_OPEN_CONNECT, 1);

	const struct reeve_sockaddr name = call_name(c, call_argument(c, 4), &otherwise);

	*ret = reeve_tcp_connect(h->tcp, &name, c->run->world.now);
	h->is_connecting = *ret == 0;
	if (*ret == 0 && !reeve_tcp_awaits_write(h->tcp) && !waits)
		*ret = -EINPROGRESS;
	return *ret < 0;
}

static bool write_stream(struct call *c, struct handle *h, const struct pieces *p, int64_t flags,
			 const uint8_t *bytes, int64_t *ret)
{
	const uint32_t begin = h->write_at - (uint32_t)c->progress;
	int64_t done = handle_take_error(h);

	if (begin_fast_open(c, h, flags, ret))
		return true;
	if (!(flags & MSG_FASTOPEN))
		check_names(c);
	set_more(h, (flags & MSG_MORE) != 0);
	if (done == 0)
		done = reeve_tcp_write(h->tcp, bytes + c->progress, p->length - c->progress);
	if (done < 0) {
		*ret = c->progress ? (int64_t)c->progress : done;
		return true;
	}
	c->progress += (uint64_t)done;
	h->write_at += (uint32_t)done;
	note_texts(h, p, begin, c->progress);
	if (flags & MSG_OOB && done > 0)
		reeve_tcp_mark_urgent(h->tcp);
	*ret = c->progress ? (int64_t)c->progress : -EAGAIN;
	if (p->length == 0)
		*ret = 0;
	return c->progress == p->length || h->is_nonblocking || flags & MSG_DONTWAIT;
}

static bool try_write(struct call *c, int64_t *ret)
{
	struct handle *const h = call_socket(c, ret);
	struct pieces p;

	if (!h)
		return true;

	const int64_t flags = flags_of(c, OUT_FLAGS);

	message_refuse(c);
	if (flags & MSG_ZEROCOPY)
		script_note(c->run->script, c->event->place, "MSG_ZEROCOPY has no effect");
	gather(c, &p);
	if (c->run->fault->is_set)
		return true;
	if (p.is_nowhere) {
		*ret = -EFAULT;
		return true;
	}

	uint8_t *const bytes = malloc(p.length + 1);

	check(bytes);
	fill(&p, h->kind == HANDLE_DATAGRAM ? 1 : h->write_at - (uint32_t)c->progress, bytes);

	const bool is_done = h->kind == HANDLE_DATAGRAM
				     ? datagram_write(c, h, &(struct iovec){ bytes, p.length }, ret)
				     : write_stream(c, h, &p, flags, bytes, ret);

	free(bytes);
	return is_done;
}

/* Bytes copied, the queue left as it is. */
static size_t peek(const struct handle *h, uint8_t *bytes, size_t length)
{
	struct iovec iov[64];
	const size_t count = reeve_tcp_peek(h->tcp, iov, 64);
	size_t done = 0;

	for (size_t i = 0; i < count && done < length; i++) {
		const size_t part = iov[i].iov_len < length - done ? iov[i].iov_len : length - done;

		memcpy(bytes + done, iov[i].iov_base, part);
		done += part;
	}
	return done;
}

/* What was read must be what was sent, or what the script says. */
static void check_read(const struct call *c, const struct handle *h, const struct pieces *p,
		       const uint8_t *bytes, uint64_t length)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < p->count && at < length; i++) {
		const struct script_value *const base = p->list[i].base;
		const uint64_t left = length - at;
		const uint64_t own = p->list[i].length < left ? p->list[i].length : left;
		const bool is_same =
			base->kind == VALUE_TEXT
				? memcmp(bytes + at, base->text,
					 base->length < own ? base->length : own) == 0
				: flow_is_content(h->read_at + (uint32_t)at, bytes + at, own);

		if (!is_same)
			script_fault(c->run->fault, c->event->place,
				     "%s(): other bytes than were sent", c->spec->name);
		at += own;
	}
}

static int64_t read_once(struct handle *h, int64_t flags, uint8_t *bytes, size_t length)
{
	if (flags & MSG_PEEK && reeve_tcp_readable(h->tcp) > 0)
		return (int64_t)peek(h, bytes, length);
	if (reeve_tcp_readable(h->tcp) == 0) {
		const int error = handle_take_error(h);

		if (error)
			return error;
		if (h->is_shut_read)
			return 0;
	}
	return reeve_tcp_read(h->tcp, bytes, length);
}

static bool read_stream(struct call *c, struct handle *h, const struct pieces *p, int64_t flags,
			uint8_t *bytes, int64_t *ret)
{
	const int64_t done = read_once(h, flags, bytes, p->length - c->progress);

	if (flags & MSG_TRUNC)
		script_refuse(c->run->fault, c->event->place, "%s(): MSG_TRUNC is for datagrams",
			      c->spec->name);
	check_names(c);
	if (done > 0 && c->progress == 0)
		check_read(c, h, p, bytes, (uint64_t)done);
	else if (done > 0 && !flow_is_content(h->read_at, bytes, (size_t)done))
		script_fault(c->run->fault, c->event->place, "%s(): other bytes than were sent",
			     c->spec->name);
	if (done > 0 && !(flags & MSG_PEEK))
		h->read_at += (uint32_t)done;
	c->progress += done > 0 ? (uint64_t)done : 0;
	*ret = c->progress ? (int64_t)c->progress : done;
	if (h->is_nonblocking || flags & MSG_DONTWAIT)
		return true;
	if (done == -EAGAIN)
		return false;
	return done <= 0 || !(flags & MSG_WAITALL) || c->progress == p->length;
}

static bool try_read(struct call *c, int64_t *ret)
{
	struct handle *const h = call_socket(c, ret);
	struct pieces p;

	if (!h)
		return true;

	const int64_t flags = flags_of(c, IN_FLAGS);

	gather(c, &p);
	if (c->run->fault->is_set)
		return true;
	if (p.is_nowhere) {
		*ret = -EFAULT;
		return true;
	}

	uint8_t *const bytes = malloc(p.length + 1);

	check(bytes);

	const bool is_done = h->kind == HANDLE_DATAGRAM
				     ? datagram_read(c, h, bytes, p.length, flags, ret)
				     : read_stream(c, h, &p, flags, bytes, ret);

	free(bytes);
	if (is_done && h->kind == HANDLE_STREAM && call_argument(c, 1)->kind == VALUE_STRUCT)
		message_check(c, h);
	return is_done;
}

const struct call_kind call_data_kinds[] = {
	{ "read", 3, 3, try_read },
	{ "readv", 3, 3, try_read },
	{ "recv", 4, 4, try_read },
	{ "recvfrom", 6, 6, try_read },
	{ "recvmsg", 3, 3, try_read },
	{ "write", 3, 3, try_write },
	{ "writev", 3, 3, try_write },
	{ "send", 4, 4, try_write },
	{ "sendto", 6, 6, try_write },
	{ "sendmsg", 3, 3, try_write },
	{ 0 },
};
