/*
 * A UDP socket's data. A datagram's bytes are those of a stream that begins with it.
 */
#pragma once

#include "call.h"
#include "reeve/udp.h"

/* Each as a call_kind's function. */
bool datagram_write(struct call *c, struct handle *h, const struct iovec *iov, int64_t *ret);
bool datagram_read(struct call *c, struct handle *h, uint8_t *bytes, size_t length, int64_t flags,
		   int64_t *ret);
