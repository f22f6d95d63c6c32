/* ioctl(2): requests about interfaces, and about what a stream has not yet sent. */
#include "guest/sys.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "guest/interface_request.h"
#include "guest/memory.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

static int write_count(const struct call *c, int32_t count)
{
	return memory_write(c->trapped.tid, c->trapped.arguments[2], &count, sizeof(count));
}

static void counted(struct supervisor *s, struct request *r, const struct guest_message *answer,
		    const uint8_t *data)
{
	struct call *c = r->call;

	(void)data;
	if (!c)
		return;
	const int32_t held = answer->error ? 0 : (int32_t)answer->value2;

	(void)call_answer(s, c, write_count(c, held + peer_unread(c->socket)));
}

/* SIOCOUTQ and SIOCOUTQNSD: what lies in both stages. */
static void count_unsent(struct supervisor *s, struct call *c, unsigned request)
{
	struct guest_message m = peer_message(c->socket, GUEST_GET, -1);

	if (c->socket->state == SOCKET_LISTENING) {
		(void)call_answer(s, c, -EINVAL);
		return;
	}
	if (!c->socket->is_known || c->socket->state != SOCKET_CONNECTED) {
		(void)call_answer(s, c, write_count(c, 0));
		return;
	}
	m.value = request == SIOCOUTQ ? GUEST_SETTING_UNSENT : GUEST_SETTING_NOT_YET_SENT;
	const int r = call_ask(s, c, &m, NULL, counted);

	if (r < 0)
		(void)call_answer(s, c, r);
}

static int family_of(const struct call *c)
{
	int family = AF_UNSPEC;
	socklen_t length = sizeof(family);

	if (c->socket)
		return c->socket->family;
	(void)getsockopt(c->fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
	return family;
}

void sys_ioctl(struct supervisor *s, struct call *c)
{
	const unsigned request = (unsigned)call_int(c, 1);
	uint64_t cookie = 0;

	c->fd = descriptor_get(&s->descriptors, c->trapped.tid, call_int(c, 0));
	/* Terminals and others have requests of these numbers too. */
	if (c->fd < 0 || descriptor_cookie(c->fd, &cookie) < 0) {
		call_continue(s, c);
		return;
	}
	c->socket = socket_by_cookie(&s->sockets, cookie);
	if (c->socket && c->socket->kind == SOCKET_TCP &&
	    (request == SIOCOUTQ || request == SIOCOUTQNSD)) {
		count_unsent(s, c, request);
		return;
	}
	const int r = request == SIOCOUTQ ? 1 : interface_request(s, c, family_of(c));

	if (r > 0)
		call_continue(s, c);
	else
		(void)call_answer(s, c, r);
}
