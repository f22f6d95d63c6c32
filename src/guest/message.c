/* Owns the reading and writing of msghdrs. */
#include "guest/message.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "guest/names.h"
#include "guest/supervisor.h"

int message_read_plain(const struct call *c, struct message *ret)
{
	struct message m = { .flags = call_int(c, 3), .name_length_at = c->trapped.arguments[5] };

	m.memory.vectors = malloc(sizeof(struct iovec));
	if (!m.memory.vectors)
		return -ENOBUFS;
	m.memory.total = c->trapped.arguments[2] > INT32_MAX ? INT32_MAX : c->trapped.arguments[2];
	m.memory.vectors[0] =
		(struct iovec){ (void *)(uintptr_t)c->trapped.arguments[1], m.memory.total };
	m.memory.header = (struct msghdr){
		.msg_name = (void *)(uintptr_t)c->trapped.arguments[4],
		.msg_namelen = (socklen_t)c->trapped.arguments[5],
		.msg_iovlen = 1,
	};
	*ret = m;
	return 0;
}

int message_read_header(const struct call *c, uint64_t header, int flags, struct message *ret)
{
	struct message m = { .flags = flags, .header = header };
	const int r = memory_read_message(c->trapped.tid, header, &m.memory);

	if (r == 0)
		*ret = m;
	return r;
}

void message_deinit(struct message *m)
{
	memory_message_deinit(&m->memory);
}

static int write_field(const struct call *c, uint64_t header, size_t offset, const void *value,
		       size_t size)
{
	return memory_write(c->trapped.tid, header + offset, value, size);
}

/* As put_cmsg() does: what does not fit is cut, its header says so, and so do the flags. */
static int write_control(const struct call *c, const struct msghdr *h,
			 const struct message_result *result, size_t *ret_used, int *ret_flags)
{
	const size_t room = h->msg_control ? h->msg_controllen : 0;
	const uint8_t *bytes = result->control;
	size_t from = 0, to = 0;

	while (from < result->control_length) {
		struct cmsghdr header;

		memcpy(&header, bytes + from, sizeof(header));
		const size_t space = CMSG_ALIGN(header.cmsg_len);
		size_t length = header.cmsg_len;

		if (room - to < sizeof(header)) {
			*ret_flags |= MSG_CTRUNC;
			break;
		}
		if (room - to < length) {
			*ret_flags |= MSG_CTRUNC;
			length = room - to;
		}
		header.cmsg_len = length;
		const uint64_t at = (uint64_t)(uintptr_t)h->msg_control + to;
		int r = memory_write(c->trapped.tid, at, &header, sizeof(header));

		if (r == 0)
			r = memory_write(c->trapped.tid, at + sizeof(header),
					 bytes + from + sizeof(header), length - sizeof(header));
		if (r < 0)
			return r;
		from += space;
		to += space < room - to ? space : room - to;
	}
	*ret_used = to;
	return 0;
}

int message_write_result(const struct call *c, const struct message *m,
			 const struct message_result *result)
{
	const struct msghdr *h = &m->memory.header;
	int flags = result->flags;

	if (!m->header)
		return !h->msg_name ? 0
				    : name_write_bytes(c, (uint64_t)(uintptr_t)h->msg_name,
						       m->name_length_at, result->name,
						       result->name_length);
	int r = 0;

	if (h->msg_name) {
		const socklen_t room = h->msg_namelen;

		r = memory_write(c->trapped.tid, (uint64_t)(uintptr_t)h->msg_name, result->name,
				 result->name_length < room ? result->name_length : room);
		if (r == 0)
			r = write_field(c, m->header, offsetof(struct msghdr, msg_namelen),
					&result->name_length, sizeof(result->name_length));
	}
	size_t control = 0;

	if (r == 0)
		r = write_control(c, h, result, &control, &flags);
	if (r == 0)
		r = write_field(c, m->header, offsetof(struct msghdr, msg_controllen), &control,
				sizeof(control));
	return r < 0 ? r
		     : write_field(c, m->header, offsetof(struct msghdr, msg_flags), &flags,
				   sizeof(flags));
}
