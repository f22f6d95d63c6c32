/*
 * Cutting late: from what TCP hands out (up to 64 KiB, checksum to be filled in) to what a link can
 * take (frames of its MTU, complete). RFC 9293, 3.7.2 and virtio 1.2, 5.1.6 for the facts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/packet.h"

/* Whether a link with these offloads cannot take the frame as it is. */
bool segment_is_needed(const struct reeve_packet *frame, uint32_t offloads);

/*
 * Takes the frame and puts into `out` what a link with these offloads can take, in order: the
 * frame itself if nothing is to be done. What has been filled in here counts as verified. False
 * when the pool ran out or the frame is not what its offload facts say; it is freed then, and what
 * was already put out stays.
 */
bool segment_for_link(struct reeve_packet *frame_take, uint32_t offloads, struct packet_queue *out);
