/*
 * Answers to rtnetlink requests: messages, one behind the other, that go out in datagrams as the
 * kernel makes them. What asks for what is in netlink.c.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_REPLY_MAX 16384

struct rtattr;
struct supervisor;

struct netlink_reply {
	struct supervisor *supervisor;
	const struct nlmsghdr *request;
	bool is_strict; /* NETLINK_GET_STRICT_CHK: a dump's header says what is wanted of it */
	bool is_capped; /* NETLINK_CAP_ACK: an error does not repeat the request */
	uint32_t pid, used;
	struct nlmsghdr *open; /* the message that is being written */
	int end;
	_Alignas(8) uint8_t bytes[NETLINK_REPLY_MAX];
};

void netlink_flush(struct netlink_reply *r);

/* Starts a message: its fixed part, zeroed, which the caller fills in. */
void *netlink_start(struct netlink_reply *r, uint16_t type, uint16_t flags, uint32_t size);
void netlink_attribute(struct netlink_reply *r, uint16_t type, const void *value, size_t size);
void netlink_attribute_u32(struct netlink_reply *r, uint16_t type, uint32_t value);
void netlink_finish(struct netlink_reply *r);

/* NLMSG_ERROR: a negative errno, or 0, which says that all went well. */
void netlink_error(struct netlink_reply *r, int error);
/* The end of a dump. */
void netlink_done(struct netlink_reply *r);

bool netlink_is_dump(const struct netlink_reply *r);

/* The fixed part of the request, NULL when it is shorter than that. */
const void *netlink_request(const struct netlink_reply *r, size_t size);
/* An attribute behind the fixed part, and its bytes if it has `size` of them at least; else NULL. */
const void *netlink_find(const struct netlink_reply *r, size_t fixed, uint16_t type, size_t size);
/* A text of at most `size` bytes with its NUL; false without it. */
bool netlink_find_text(const struct netlink_reply *r, size_t fixed, uint16_t type, char *ret,
		       size_t size);

/* Each answers a request of its type: whole, or with an error. */
void netlink_get_link(struct netlink_reply *r);
void netlink_get_address(struct netlink_reply *r, int family);
void netlink_get_route(struct netlink_reply *r, int family);
void netlink_get_rule(struct netlink_reply *r, int family);
