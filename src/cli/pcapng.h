/*
 * Reads a pcapng stream (draft-ietf-opsawg-pcapng) block by block as it comes, of the machine's own
 * byte order: what a capture of the network process is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_INTERFACES 4096 /* that keep their name; others are known by number */
#define PCAPNG_NAME       64

struct pcapng;

struct pcapng_block {
	const uint8_t *bytes; /* the whole block, until the next call */
	size_t length;
	bool is_packet; /* and only then: */
	const char *interface;
	int64_t time_ns; /* Unix time */
	const uint8_t *frame;
	size_t captured, original; /* bytes: here, and of the frame as it was */
};

struct pcapng *pcapng_new(void); /* NULL: no memory */
struct pcapng *pcapng_free(struct pcapng *p);

/* Room for more of the stream: at least 64 KiB; NULL: no memory. */
uint8_t *pcapng_room(struct pcapng *p, size_t *ret_size);
void pcapng_filled(struct pcapng *p, size_t length);

/* The next block: 1 and *ret; 0: more bytes are needed; -EBADMSG: this is not pcapng. */
int pcapng_next(struct pcapng *p, struct pcapng_block *ret);
