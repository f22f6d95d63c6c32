/* Owns the form of netlink messages (RFC 3549, 2.3; netlink(7)). */
#include "guest/netlink_reply.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGE_MOST 2048 /* of ours, with all attributes; and an error with what it repeats */

void netlink_flush(struct netlink_reply *r)
{
	if (r->used)
		(void)send(r->end, r->bytes, r->used, MSG_DONTWAIT | MSG_NOSIGNAL);
	r->used = 0;
}

void *netlink_start(struct netlink_reply *r, uint16_t type, uint16_t flags, uint32_t size)
{
	if (r->used + MESSAGE_MOST > NETLINK_REPLY_MAX)
		netlink_flush(r);
	r->open = (struct nlmsghdr *)(void *)(r->bytes + r->used);
	memset(r->open, 0, NLMSG_SPACE(size));
	*r->open = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(size),
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = r->request->nlmsg_seq,
		.nlmsg_pid = r->pid,
	};
	return NLMSG_DATA(r->open);
}

void netlink_attribute(struct netlink_reply *r, uint16_t type, const void *value, size_t size)
{
	struct rtattr *a =
		(struct rtattr *)(void *)((uint8_t *)r->open + NLMSG_ALIGN(r->open->nlmsg_len));

	memset(a, 0, RTA_SPACE(size));
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(size);
	memcpy(RTA_DATA(a), value, size);
	r->open->nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->open->nlmsg_len) + RTA_LENGTH(size));
}

void netlink_attribute_u32(struct netlink_reply *r, uint16_t type, uint32_t value)
{
	netlink_attribute(r, type, &value, sizeof(value));
}

void netlink_finish(struct netlink_reply *r)
{
	r->open->nlmsg_len = NLMSG_ALIGN(r->open->nlmsg_len);
	r->used += r->open->nlmsg_len;
}

void netlink_error(struct netlink_reply *r, int error)
{
	const uint32_t length = r->request->nlmsg_len;
	const bool repeats = error && !r->is_capped && length <= MESSAGE_MOST / 2;
	const uint32_t size = repeats ? length : (uint32_t)sizeof(struct nlmsghdr);
	struct nlmsgerr *e = netlink_start(r, NLMSG_ERROR, repeats ? 0 : NLM_F_CAPPED,
					   (uint32_t)sizeof(e->error) + size);

	e->error = error;
	memcpy(&e->msg, r->request, size);
	netlink_finish(r);
	netlink_flush(r);
}

void netlink_done(struct netlink_reply *r)
{
	int *value = netlink_start(r, NLMSG_DONE, NLM_F_MULTI, sizeof(*value));

	*value = 0;
	netlink_finish(r);
	netlink_flush(r);
}

bool netlink_is_dump(const struct netlink_reply *r)
{
	return r->request->nlmsg_flags & NLM_F_DUMP;
}

const void *netlink_request(const struct netlink_reply *r, size_t size)
{
	return r->request->nlmsg_len >= NLMSG_LENGTH(size)
		       ? (const uint8_t *)r->request + NLMSG_HDRLEN
		       : NULL;
}

static const struct rtattr *find(const struct netlink_reply *r, size_t fixed, uint16_t type)
{
	const struct nlmsghdr *h = r->request;
	size_t at = NLMSG_LENGTH(NLMSG_ALIGN(fixed));

	while (at + sizeof(struct rtattr) <= h->nlmsg_len) {
		const struct rtattr *a =
			(const struct rtattr *)(const void *)((const uint8_t *)h + at);

		if (a->rta_len < sizeof(*a) || a->rta_len > h->nlmsg_len - at)
			return NULL;
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
		at += RTA_ALIGN(a->rta_len);
	}
	return NULL;
}

const void *netlink_find(const struct netlink_reply *r, size_t fixed, uint16_t type, size_t size)
{
	const struct rtattr *a = find(r, fixed, type);

	return a && RTA_PAYLOAD(a) >= size ? (const uint8_t *)a + RTA_LENGTH(0) : NULL;
}

bool netlink_find_text(const struct netlink_reply *r, size_t fixed, uint16_t type, char *ret,
		       size_t size)
{
	const struct rtattr *a = find(r, fixed, type);

	if (!a)
		return false;
	memset(ret, 0, size);
	memcpy(ret, (const uint8_t *)a + RTA_LENGTH(0),
	       RTA_PAYLOAD(a) < size ? RTA_PAYLOAD(a) : size - 1);
	return true;
}
