#include "rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "guest/parcel.h"
#include "network/control.h"
#include "network/guest.h"
#include "network/host.h"

static bool settle(void *user)
{
	return network_settle(user);
}

struct rig *rig_new(void)
{
	const struct reeve_address address = reeve_address_from_ipv4(NETWORK_GATEWAY);
	struct rig *rig = calloc(1, sizeof(*rig));
	struct network_host *gateway;

	assert_non_null(rig);
	assert_int_equal(network_init(&rig->network, "test", settle, &rig->network), 0);
	assert_int_equal(host_add(&rig->network, "gateway", &address, &gateway), HOST_OK);
	rig->network.control = control_server_new(&rig->network, -1);
	rig->network.guests = guest_server_new(&rig->network, -1);
	assert_non_null(rig->network.control);
	assert_non_null(rig->network.guests);
	rig_settle(rig);
	return rig;
}

void rig_free(struct rig *rig)
{
	struct network *n = &rig->network;

	n->guests = guest_server_free(n->guests);
	n->control = control_server_free(n->control);
	network_deinit(n);
	free(rig);
}

void rig_settle(struct rig *rig)
{
	for (unsigned quiet = 0; quiet < 3; quiet++)
		assert_int_equal(loop_turn(rig->network.loop, 0), 0);
}

int rig_control(struct rig *rig)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(control_adopt(rig->network.control, pair[1]), 0);
	return pair[0];
}

void rig_send(struct rig_session *s, struct guest_message *m, const void *data, size_t length,
	      int fd)
{
	char ancillary[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov[2] = { { m, sizeof(*m) }, { (void *)(uintptr_t)data, length } };
	struct msghdr header = { .msg_iov = iov, .msg_iovlen = length ? 2 : 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		header.msg_control = ancillary;
		header.msg_controllen = sizeof(ancillary);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	m->data_length = (uint32_t)length;
	assert_int_equal(sendmsg(s->fd, &header, MSG_NOSIGNAL), (long)(sizeof(*m) + length));
}

static void receive_datagram(struct rig_session *s)
{
	char ancillary[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { s->datagram, sizeof(s->datagram) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do {
		header.msg_control = ancillary;
		header.msg_controllen = sizeof(ancillary);
		n = recvmsg(s->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(loop_turn(s->rig->network.loop, -1), 0);
		}
	} while (n < 0);
	rig_drop_descriptor(s);
	const struct cmsghdr *c = CMSG_FIRSTHDR(&header);

	if (c)
		memcpy(&s->received_fd, CMSG_DATA(c), sizeof(int));
	s->at = 0;
	s->length = (size_t)n;
}

void rig_drop_descriptor(struct rig_session *s)
{
	if (s->received_fd >= 0)
		close(s->received_fd);
	s->received_fd = -1;
}

struct guest_message rig_receive(struct rig_session *s, void *data, size_t size)
{
	struct guest_message m = { 0 };

	if (s->at == s->length)
		receive_datagram(s);
	const size_t taken = parcel_next(s->datagram + s->at, s->length - s->at, &m);

	assert_true(taken > 0);
	assert_in_range(m.data_length, 0, size);
	if (m.data_length)
		memcpy(data, s->datagram + s->at + sizeof(m), m.data_length);
	s->at += taken;
	return m;
}

struct guest_message rig_call(struct rig_session *s, struct guest_message m)
{
	struct guest_message answer;
	uint8_t data[4096];

	m.request = ++s->request;
	rig_send(s, &m, NULL, 0, -1);
	answer = rig_receive(s, data, sizeof(data));
	assert_int_equal(answer.type, GUEST_ANSWER);
	assert_int_equal(answer.request, m.request);
	return answer;
}

static void join(struct rig *rig, struct rig_session *s, const char *host, bool is_direct)
{
	struct guest_message m = { .type = GUEST_HELLO };
	struct guest_hello h = { .version = GUEST_PROTOCOL_VERSION,
				 .uid = geteuid(),
				 .supervisor_pid = is_direct ? RIG_DIRECT_SUPERVISOR : 0,
				 .is_direct = is_direct };
	int pair[2];

	*s = (struct rig_session){ .rig = rig, .received_fd = -1 };
	strncpy(h.host, host, sizeof(h.host) - 1);
	strcpy(h.command, "test");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(guest_adopt(rig->network.guests, pair[1]), 0);
	s->fd = pair[0];
	rig_send(s, &m, &h, sizeof(h), -1);
	m = rig_receive(s, &s->welcome, sizeof(s->welcome));
	assert_int_equal(m.type, GUEST_WELCOME);
}

void rig_join(struct rig *rig, struct rig_session *s, const char *host)
{
	join(rig, s, host, false);
}

void rig_join_direct(struct rig *rig, struct rig_session *s, const char *host)
{
	join(rig, s, host, true);
}

long rig_read(struct rig *rig, int fd, void *bytes, size_t size)
{
	ssize_t n;

	while ((n = recv(fd, bytes, size, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
		assert_int_equal(loop_turn(rig->network.loop, -1), 0);
	return n < 0 ? -errno : n;
}

int rig_write(struct rig *rig, int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		const ssize_t n = send(fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			assert_int_equal(loop_turn(rig->network.loop, -1), 0);
			continue;
		}
		if (n < 0)
			return 0;
		at += n;
		length -= (size_t)n;
	}
	return 1;
}
