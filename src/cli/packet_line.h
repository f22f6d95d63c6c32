/* One line of text for a frame: who to whom, what, how much. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PACKET_LINE 192

/* "192.0.2.1.51000 > 192.0.2.2.80: tcp 120" and the like; never fails, whatever the bytes are.
 * `original` is the frame's length on its link. Returns `line`. */
char *packet_line(const uint8_t *frame, size_t length, size_t original, char line[PACKET_LINE]);
