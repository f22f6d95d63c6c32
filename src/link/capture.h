/*
 * Capture round any link: every frame that passes, in either direction, is also written as pcapng
 * (draft-ietf-opsawg-pcapng) into a bounded buffer, from which its owner reads. Capture sees what
 * passes as it passes: a 64 KiB packet stays one, its checksum is filled in for the copy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "link/link.h"

struct capture; /* one reader's stream: may be attached to several links at once */

struct capture_config {
	size_t buffer_bytes;  /* frames that do not fit are counted, and reported in the stream */
	uint32_t snap_length; /* bytes of each frame that are kept; 0: all */
};

/* Begins with a section header. `wall_ns` is the Unix time at `now`. NULL: no memory, or a buffer
 * too small for that. */
struct capture *capture_new(const struct capture_config *config, struct reeve_time now,
			    int64_t wall_ns);
struct capture *capture_free(struct capture *c); /* detached from all links before */

/* What waits to be written out, in one piece: 0 bytes when nothing does. Consume what was. */
size_t capture_peek(const struct capture *c, const void **ret);
void capture_consume(struct capture *c, size_t bytes);

/* A link that captures; passes everything through while no capture is attached. Owns `inner` from
 * here on. NULL: no memory (inner is then still the caller's). All are detached before it is
 * freed. */
struct link *capture_link_new(struct link *inner, const char *name);
bool capture_attach(struct link *capture_link, struct capture *c); /* false: 8 are attached */
/* With a last word on how many frames there were and how many did not fit. */
void capture_detach(struct link *capture_link, struct capture *c, struct reeve_time now);
