/*
 * The pseudo-header that the transports' checksums cover: RFC 9293, 3.1 and RFC 768 over IPv4,
 * RFC 8200, 8.1 over IPv6.
 */
#pragma once

#include <stdint.h>

#include "reeve/address.h"

/*
 * Its sum, unfolded, to start a checksum from (base/checksum.h). `length` is the transport header's
 * and the payload's. Both addresses are of one family.
 *
 * A received packet is right when checksum_fold() of this plus all its bytes is 0xffff. A packet
 * for which a link is to fill the checksum in (REEVE_CHECKSUM_PARTIAL) holds checksum_fold() of this,
 * not complemented, in its checksum field.
 */
uint64_t pseudo_sum(const struct reeve_address *source, const struct reeve_address *destination,
		    uint8_t protocol, uint32_t length);
