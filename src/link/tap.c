/*
 * Owns a kernel TAP device's descriptor: what one frame is for the kernel (a virtio_net_hdr, virtio
 * 1.2, 5.1.6, then bytes) and for us (a packet with offload facts).
 *
 * A read scatters into the head of a packet, a small buffer and a large one, which are kept from
 * one read to the next unless the frame has come to lie in them: so an acknowledgment costs no
 * buffer and 64 KiB cost two, without asking the kernel first how much there is.
 */
#include "link/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/packet.h"
#include "base/take.h"

#define HEAD_START 8 /* room for headers to be written in front */
#define SMALL      2048
#define LARGE      REEVE_FRAME_MAX

#define RECEIVE_TRIES 256 /* frames dropped in one call */

struct tap {
	struct link link;
	int fd;
	struct reeve_pool *pool;
	struct reeve_packet *packet; /* for the next read; NULL: used up */
	struct buffer *small, *large;
};

static struct tap *tap_of(struct link *l)
{
	return container_of(l, struct tap, link);
}

/* False for what no device should say; but whoever may write raw frames on its other side can say
 * it, as a checksum that is to be filled in beyond the frame's end. */
static bool offload_from_header(const struct virtio_net_hdr *h, size_t length,
				struct reeve_offload *ret)
{
	struct reeve_offload o = { 0 };

	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if ((size_t)h->csum_start + h->csum_offset + sizeof(uint16_t) > length)
			return false;
		o.checksum = REEVE_CHECKSUM_PARTIAL;
		o.checksum_start = h->csum_start;
		o.checksum_offset = h->csum_offset;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		o.checksum = REEVE_CHECKSUM_VERIFIED;
	}
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		o.segmentation = REEVE_SEGMENTATION_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		o.segmentation = REEVE_SEGMENTATION_TCP6;
		break;
	default:
		return false;
	}
	if (o.segmentation) {
		if (o.checksum != REEVE_CHECKSUM_PARTIAL)
			return false;
		o.segment_size = h->gso_size;
	}
	*ret = o;
	return true;
}

static void header_from_offload(const struct reeve_packet *p, struct virtio_net_hdr *ret)
{
	const struct reeve_offload *o = &p->offload;
	struct virtio_net_hdr h = { 0 };

	if (o->checksum == REEVE_CHECKSUM_PARTIAL) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = o->checksum_start;
		h.csum_offset = o->checksum_offset;
	} else if (o->checksum == REEVE_CHECKSUM_VERIFIED) {
		h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (o->segmentation && o->checksum_start + 13U <= p->length) {
		uint8_t data_offset;

		h.gso_type = o->segmentation == REEVE_SEGMENTATION_TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4
									: VIRTIO_NET_HDR_GSO_TCPV6;
		h.gso_size = o->segment_size;
		packet_copy(p, o->checksum_start + 12U, 1, &data_offset);
		h.hdr_len = (uint16_t)(o->checksum_start + (data_offset >> 4) * 4);
	}
	*ret = h;
}

static void tap_send(struct link *l, struct reeve_packet *p_take, struct reeve_time now)
{
	(void)now;
	struct virtio_net_hdr header;
	struct iovec iov[1 + REEVE_PACKET_IOV] = { { &header, sizeof(header) } };
	const size_t count = reeve_packet_iov(p_take, iov + 1, REEVE_PACKET_IOV);

	header_from_offload(p_take, &header);
	if (writev(tap_of(l)->fd, iov, (int)count + 1) >= 0) {
		l->stats.sent_packets++;
		l->stats.sent_bytes += p_take->length;
	} else {
		l->stats.dropped++;
	}
	reeve_packet_free(p_take);
}

/* What a read goes into. False at the pool's limit. */
static bool tap_prepare(struct tap *t)
{
	if (!t->packet) {
		t->packet = packet_new(t->pool);
		if (!t->packet)
			return false;
		t->packet->head_start = HEAD_START;
		t->packet->head_end = HEAD_START;
	}
	if (!t->small)
		t->small = buffer_new(t->pool, SMALL);
	if (!t->large)
		t->large = buffer_new(t->pool, LARGE);
	return t->small && t->large;
}

/* `length` bytes of it or as many as are left become the packet's. */
static void tap_use(struct reeve_packet *p, struct buffer **b, size_t length, size_t *left)
{
	const uint32_t n = (uint32_t)(*left < length ? *left : length);

	if (n == 0)
		return;
	check(packet_append(p, *b, 0, n));
	*b = buffer_unref(*b);
	*left -= n;
}

/* The packet of a read of `length` bytes. */
static struct reeve_packet *tap_collect(struct tap *t, size_t length)
{
	struct reeve_packet *p = take(t->packet);
	const size_t room = PACKET_HEAD - HEAD_START;
	const size_t head = length < room ? length : room;
	size_t left = length - head;

	p->head_end = (uint16_t)(HEAD_START + head);
	p->length = (uint32_t)head;
	tap_use(p, &t->small, SMALL, &left);
	tap_use(p, &t->large, LARGE, &left);
	return p;
}

/* With nowhere to put it, a frame is still taken from the kernel: or the descriptor would stay
 * readable, and its owner busy, until the pool has room again. */
static bool tap_discard(struct tap *t)
{
	uint8_t start[sizeof(struct virtio_net_hdr) + 64];

	if (read(t->fd, start, sizeof(start)) < 0)
		return false;
	t->link.stats.dropped++;
	return true;
}

/* Frames that make no sense are counted and passed over, within measure; a read that finds nothing
 * ends it. */
static struct reeve_packet *tap_receive(struct link *l, struct reeve_time now)
{
	(void)now;
	struct tap *t = tap_of(l);

	for (unsigned i = 0; i < RECEIVE_TRIES; i++) {
		if (!tap_prepare(t)) {
			if (tap_discard(t))
				continue;
			return NULL;
		}
		struct virtio_net_hdr header;
		struct iovec iov[] = {
			{ &header, sizeof(header) },
			{ t->packet->head + HEAD_START, PACKET_HEAD - HEAD_START },
			{ t->small->bytes, SMALL },
			{ t->large->bytes, LARGE },
		};
		const ssize_t n = readv(t->fd, iov, array_length(iov));

		if (n < 0)
			return NULL;
		if (n <= (ssize_t)sizeof(header)) {
			l->stats.dropped++;
			continue;
		}
		struct reeve_packet *p = tap_collect(t, (size_t)n - sizeof(header));

		if (offload_from_header(&header, p->length, &p->offload)) {
			l->stats.received_packets++;
			l->stats.received_bytes += p->length;
			return p;
		}
		l->stats.dropped++;
		reeve_packet_free(p);
	}
	return NULL;
}

static struct reeve_time tap_deadline(const struct link *l)
{
	(void)l;
	return REEVE_NEVER;
}

static void tap_free(struct link *l)
{
	struct tap *t = tap_of(l);

	reeve_packet_free(t->packet);
	buffer_unref(t->small);
	buffer_unref(t->large);
	close(t->fd);
	free(t);
}

static const struct link_ops tap_ops = {
	.name = "tap",
	.send = tap_send,
	.receive = tap_receive,
	.deadline = tap_deadline,
	.free = tap_free,
};

struct link *tap_new(const struct tap_config *config, struct reeve_pool *pool)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->link.ops = &tap_ops;
	t->link.mtu = config->mtu;
	t->link.offloads =
		config->offload ? REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_TCP6
				: 0;
	t->fd = config->fd;
	t->pool = pool;
	return &t->link;
}

int tap_fd(const struct link *tap)
{
	return container_of_const(tap, struct tap, link)->fd;
}

/* The MTU, and up. */
static int interface_set_up(struct ifreq *request, uint32_t mtu)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	request->ifr_mtu = (int)mtu;
	if (ioctl(fd, SIOCSIFMTU, request) < 0 || ioctl(fd, SIOCGIFFLAGS, request) < 0) {
		error = -errno;
	} else {
		request->ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, request) < 0)
			error = -errno;
	}
	close(fd);
	return error;
}

static int tap_configure(int fd, const char *name, uint32_t mtu, bool offload)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	const int header = sizeof(struct virtio_net_hdr);
	const unsigned long features = offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;

	if (strlen(name) >= sizeof(request.ifr_name))
		return -EINVAL;
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, features) < 0)
		return -errno;
	return interface_set_up(&request, mtu);
}

int tap_open(const char *name, uint32_t mtu, bool offload, int *ret_fd)
{
	const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	const int error = tap_configure(fd, name, mtu, offload);

	if (error) {
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}
