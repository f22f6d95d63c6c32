/*
 * Two TAP devices in two network namespaces of the kernel, joined here: the kernel's TCP on either
 * side judges what we make of its frames. Needs root.
 */
#include "link/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cmocka_all.h"
#include "../base/needs.h"
#include "base/packet.h"
#include "stack/segment.h"

#define TRANSFER (4 << 20)
#define PORT     5000

struct side {
	struct link *tap;
	int socket;
};

struct tally {
	uint32_t large, partial; /* frames over the MTU; with checksums left to do */
};

static void give_address(const char *device, const char *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	struct ifreq request = { 0 };
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, address, &name.sin_addr);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	memcpy(&request.ifr_addr, &name, sizeof(name));
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
	name.sin_addr.s_addr = htonl(0xffffff00);
	memcpy(&request.ifr_addr, &name, sizeof(name));
	assert_int_equal(ioctl(fd, SIOCSIFNETMASK, &request), 0);
	close(fd);
}

/* In a network namespace of its own, which the descriptors keep alive. */
static void side_init(struct side *s, const char *address, bool offload, struct reeve_pool *pool)
{
	struct tap_config config = { .mtu = 1500, .offload = offload };

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(tap_open("a-name-that-is-too-long", 1500, offload, &config.fd), -EINVAL);
	assert_int_equal(tap_open("t0", 1500, offload, &config.fd), 0);
	give_address("t0", address);
	s->tap = tap_new(&config, pool);
	assert_non_null(s->tap);
	assert_int_equal(tap_fd(s->tap), config.fd);
	s->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(s->socket >= 0);
}

static struct sockaddr_in name_of(const char *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	inet_pton(AF_INET, address, &name.sin_addr);
	return name;
}

static void move_frames(struct side *from, struct side *to, struct tally *tally)
{
	const struct reeve_time now = { 0 };
	struct packet_queue out;
	struct reeve_packet *p;

	packet_queue_init(&out);
	while ((p = link_receive(from->tap, now))) {
		tally->large += p->length > 1514;
		tally->partial += p->offload.checksum == REEVE_CHECKSUM_PARTIAL;
		assert_true(segment_for_link(p, to->tap->offloads, &out));
		while ((p = packet_queue_pop(&out))) {
			if (p->offload.checksum == REEVE_CHECKSUM_VERIFIED) /* let the kernel see */
				p->offload.checksum = REEVE_CHECKSUM_UNKNOWN;
			link_send(to->tap, p, now);
		}
	}
}

static uint8_t byte_at(uint32_t i)
{
	return (uint8_t)(i * 2654435761U >> 24);
}

static uint32_t write_some(int fd, uint32_t at)
{
	static uint8_t bytes[65536];
	uint32_t n = TRANSFER - at;

	if (n > sizeof(bytes))
		n = sizeof(bytes);
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = byte_at(at + i);
	const ssize_t written = n ? send(fd, bytes, n, MSG_NOSIGNAL) : 0;

	return written > 0 ? (uint32_t)written : 0;
}

static uint32_t read_some(int fd, uint32_t at)
{
	static uint8_t bytes[65536];
	const ssize_t n = read(fd, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(bytes[i], byte_at(at + (uint32_t)i));
	return n > 0 ? (uint32_t)n : 0;
}

static void transfer(bool client_offload, bool server_offload)
{
	struct reeve_pool *pool =
		reeve_pool_new(&(struct reeve_pool_config){ 10000, UINT64_C(64) << 20 });
	struct tally up = { 0 }, down = { 0 };
	struct side client, server;
	uint32_t written = 0, got = 0;
	int accepted = -1;

	side_init(&server, "192.0.2.2", server_offload, pool);
	struct sockaddr_in name = name_of("192.0.2.2");

	assert_int_equal(bind(server.socket, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(server.socket, 1), 0);
	side_init(&client, "192.0.2.1", client_offload, pool);
	assert_int_equal(connect(client.socket, (struct sockaddr *)&name, sizeof(name)), -1);
	while (got < TRANSFER) {
		struct pollfd fds[] = {
			{ .fd = tap_fd(client.tap), .events = POLLIN },
			{ .fd = tap_fd(server.tap), .events = POLLIN },
			{ .fd = accepted < 0 ? server.socket : accepted, .events = POLLIN },
			{ .fd = written < TRANSFER ? client.socket : -1, .events = POLLOUT },
		};

		assert_true(poll(fds, 4, 10000) > 0);
		move_frames(&client, &server, &up);
		move_frames(&server, &client, &down);
		if (accepted < 0)
			accepted = accept4(server.socket, NULL, NULL, SOCK_NONBLOCK);
		else
			got += read_some(accepted, got);
		if (fds[3].revents & POLLOUT)
			written += write_some(client.socket, written);
	}
	if (client_offload) {
		assert_true(up.large > 0 && up.partial > 0);
	} else {
		assert_int_equal(up.large, 0);
		assert_int_equal(up.partial, 0);
	}
	close(accepted);
	close(client.socket);
	close(server.socket);
	link_free(client.tap);
	link_free(server.tap);
	reeve_pool_free(pool); /* which checks that nothing is left */
}

static void need_root(void)
{
	if (geteuid() != 0 || access("/dev/net/tun", R_OK | W_OK) != 0 ||
	    unshare(CLONE_NEWNET) != 0)
		do_without("needs root and /dev/net/tun", true);
}

static void test_offload_both(void **state)
{
	(void)state;
	need_root();
	transfer(true, true);
}

static void test_offload_cut_here(void **state)
{
	(void)state;
	need_root();
	transfer(true, false);
}

static void test_no_offload(void **state)
{
	(void)state;
	need_root();
	transfer(false, true);
}

/* What no device should say, told by a socket in the device's place: headers that would have bytes
 * written where there are none, and frames that are too short. */
static void test_strange_headers(void **state)
{
	static const struct virtio_net_hdr strange[] = {
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 65535 },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 2 },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 65 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1448 },
	};
	const struct virtio_net_hdr good = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					     .csum_start = 34,
					     .csum_offset = 64 };
	struct reeve_pool *pool =
		reeve_pool_new(&(struct reeve_pool_config){ 10, UINT64_C(1) << 20 });
	uint8_t frame[sizeof(struct virtio_net_hdr) + 100] = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	struct link *tap = tap_new(&(struct tap_config){ .fd = fds[0], .mtu = 1500 }, pool);

	assert_non_null(tap);
	for (size_t i = 0; i < array_length(strange); i++) {
		memcpy(frame, &strange[i], sizeof(strange[i]));
		assert_int_equal(write(fds[1], frame, sizeof(frame)), sizeof(frame));
		assert_null(link_receive(tap, (struct reeve_time){ 0 }));
		assert_int_equal(tap->stats.dropped, i + 1);
	}
	assert_int_equal(write(fds[1], frame, sizeof(good)), sizeof(good));
	assert_null(link_receive(tap, (struct reeve_time){ 0 }));
	memcpy(frame, &good, sizeof(good));
	assert_int_equal(write(fds[1], frame, sizeof(frame)), sizeof(frame));
	struct reeve_packet *p = link_receive(tap, (struct reeve_time){ 0 });

	assert_non_null(p);
	assert_int_equal(reeve_packet_length(p), 100);
	assert_int_equal(reeve_packet_offload(p)->checksum_offset, 64);
	reeve_packet_free(p);
	close(fds[1]);
	link_free(tap);
	reeve_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strange_headers),
		cmocka_unit_test(test_offload_both),
		cmocka_unit_test(test_offload_cut_here),
		cmocka_unit_test(test_no_offload),
	};

	return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}
