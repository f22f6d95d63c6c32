/*
 * Packets and the pool they come from.
 *
 * A packet has one owner. It is a small head for the protocol headers and, behind it, slices of
 * reference-counted buffers for the payload, so that one buffer can stand in a sender's queue, in
 * packets under way and in a receiver's queue at once, and no byte is copied. References are not
 * atomic: all packets of a pool belong to the thread (the loop) that owns the pool.
 *
 * Offload facts travel with the packet, as in virtio-net (OASIS virtio 1.2, 5.1.6): inside one
 * machine nobody computes a checksum or cuts segments unless a link cannot take them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#pragma GCC visibility push(default)

struct reeve_pool;
struct reeve_packet;

struct reeve_pool_config {
	uint32_t max_packets;      /* packets alive at once */
	uint64_t max_buffer_bytes; /* bytes of all buffers alive at once */
};

struct reeve_pool_stats {
	uint32_t packets;      /* alive now */
	uint32_t buffers;      /* alive now */
	uint64_t buffer_bytes; /* alive now */
	uint64_t refused;      /* allocations that a limit or malloc refused */
};

/* NULL when memory is out. The pool must outlive all that uses it; freeing one from which packets
 * or buffers are still alive is a fault of the embedder, and checked. */
struct reeve_pool *reeve_pool_new(const struct reeve_pool_config *config);
struct reeve_pool *reeve_pool_free(struct reeve_pool *pool);
void reeve_pool_stats(const struct reeve_pool *pool, struct reeve_pool_stats *ret);

/* What a receiver may believe of a packet's transport checksum. */
enum reeve_checksum {
	REEVE_CHECKSUM_UNKNOWN = 0, /* as on the wire: verify it */
	REEVE_CHECKSUM_VERIFIED,    /* complete, and somebody trusted has verified it */
	REEVE_CHECKSUM_PARTIAL,     /* the field holds the pseudo-header's sum; to be filled in */
};

enum reeve_segmentation {
	REEVE_SEGMENTATION_NONE = 0,
	REEVE_SEGMENTATION_TCP4,
	REEVE_SEGMENTATION_TCP6,
};

/* Offsets are from the packet's first byte (of the frame, once it has a link header). */
struct reeve_offload {
	uint8_t checksum;         /* enum reeve_checksum */
	uint8_t segmentation;     /* enum reeve_segmentation */
	uint16_t segment_size;    /* payload bytes a segment, with segmentation */
	uint16_t checksum_start;  /* PARTIAL: where the sum begins */
	uint16_t checksum_offset; /* PARTIAL: the field, from checksum_start */
};

/* What a link can take. Bits of a link's and an interface's `offloads`. */
enum {
	REEVE_OFFLOAD_CHECKSUM = 1 << 0, /* PARTIAL checksums */
	REEVE_OFFLOAD_TCP4 = 1 << 1,     /* TCP over IPv4 to be cut, up to 64 KiB */
	REEVE_OFFLOAD_TCP6 = 1 << 2,
};

/* The longest frame: a 65,535-byte IP packet behind an Ethernet header. */
#define REEVE_FRAME_MAX (65535 + 14)

/*
 * A frame from the embedder's bytes, copied. NULL when the pool is at its limit or `length` is
 * over REEVE_FRAME_MAX. `offload` NULL means none.
 */
struct reeve_packet *reeve_packet_from_bytes(struct reeve_pool *pool, const void *bytes,
					     size_t length, const struct reeve_offload *offload);
size_t reeve_packet_length(const struct reeve_packet *p);
const struct reeve_offload *reeve_packet_offload(const struct reeve_packet *p);

/* Points `iov` at the packet's bytes, in order. Returns how many were used, or 0 if `count` is too
 * small; REEVE_PACKET_IOV always suffices. Valid until the packet changes or is freed. */
#define REEVE_PACKET_IOV 20
size_t reeve_packet_iov(const struct reeve_packet *p, struct iovec *iov, size_t count);
struct reeve_packet *reeve_packet_free(struct reeve_packet *p);

#pragma GCC visibility pop
