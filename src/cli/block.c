/*
 * The special-purpose address registries of IANA, as of 2025. Written as numbers, since a
 * block's first address is a number and its length counts that number's bits.
 */
#include "cli/block.h"

#include <stdint.h>

#include "base/check.h"
#include "cli/number.h"

/* Source, destination, forwardable, globally reachable, reserved by the protocol: T, F or - */
struct block4 {
	uint32_t first;
	uint8_t length;
	const char answers[6];
	const char *name, *reference;
};

struct block6 {
	uint64_t first; /* the upper half; no block but the loopback's kin has a lower half */
	uint64_t first_low;
	uint8_t length;
	const char answers[6];
	const char *name, *reference;
};

/* Narrower blocks before those they lie in. */
static const struct block4 blocks4[] = {
	{ 0x00000000, 32, "TFFFT", "This host on this network", "RFC 1122, 3.2.1.3" },
	{ 0x00000000, 8, "TFFFT", "This network", "RFC 791, 3.2" },
	{ 0x0a000000, 8, "TTTFF", "Private use", "RFC 1918" },
	{ 0x64400000, 10, "TTTFF", "Shared address space", "RFC 6598" },
	{ 0x7f000000, 8, "FFFFT", "Loopback", "RFC 1122, 3.2.1.3" },
	{ 0xa9fe0000, 16, "TTFFT", "Link local", "RFC 3927" },
	{ 0xac100000, 12, "TTTFF", "Private use", "RFC 1918" },
	{ 0xc0000008, 32, "TFFFF", "IPv4 dummy address", "RFC 7600" },
	{ 0xc0000009, 32, "TTTTF", "Port Control Protocol anycast", "RFC 7723" },
	{ 0xc000000a, 32, "TTTTF", "Traversal Using Relays around NAT anycast", "RFC 8155" },
	{ 0xc00000aa, 32, "FFFFT", "NAT64/DNS64 discovery", "RFC 8880, RFC 7050, 2.2" },
	{ 0xc00000ab, 32, "FFFFT", "NAT64/DNS64 discovery", "RFC 8880, RFC 7050, 2.2" },
	{ 0xc0000000, 29, "TTTFF", "IPv4 service continuity prefix", "RFC 7335" },
	{ 0xc0000000, 24, "FFFFF", "IETF protocol assignments", "RFC 6890, 2.1" },
	{ 0xc0000200, 24, "FFFFF", "Documentation (TEST-NET-1)", "RFC 5737" },
	{ 0xc01fc400, 24, "TTTTF", "AS112-v4", "RFC 7535" },
	{ 0xc034c100, 24, "TTTTF", "Automatic multicast tunneling", "RFC 7450" },
	{ 0xc0586302, 32, "TTTFF", "6a44 relay anycast address", "RFC 6751" },
	{ 0xc0586300, 24, "-----", "Deprecated (6to4 relay anycast)", "RFC 7526" },
	{ 0xc0a80000, 16, "TTTFF", "Private use", "RFC 1918" },
	{ 0xc0af3000, 24, "TTTTF", "Direct delegation AS112 service", "RFC 7534" },
	{ 0xc6120000, 15, "TTTFF", "Benchmarking", "RFC 2544" },
	{ 0xc6336400, 24, "FFFFF", "Documentation (TEST-NET-2)", "RFC 5737" },
	{ 0xcb007100, 24, "FFFFF", "Documentation (TEST-NET-3)", "RFC 5737" },
	{ 0xe0000000, 24, "FTFFT", "Multicast, local network control", "RFC 5771, 4" },
	{ 0xef000000, 8, "FTTFF", "Multicast, administratively scoped", "RFC 2365" },
	{ 0xe0000000, 4, "FTTTF", "Multicast", "RFC 5771" },
	{ 0xffffffff, 32, "FTFFT", "Limited broadcast", "RFC 8190, RFC 919, 7" },
	{ 0xf0000000, 4, "FFFFT", "Reserved", "RFC 1112, 4" },
};

static const struct block6 blocks6[] = {
	{ 0, 1, 128, "FFFFT", "Loopback", "RFC 4291" },
	{ 0, 0, 128, "TFFFT", "Unspecified", "RFC 4291" },
	{ 0x0064ff9b00000000, 0, 96, "TTTTF", "IPv4-IPv6 translation", "RFC 6052" },
	{ 0x0064ff9b00010000, 0, 48, "TTTFF", "IPv4-IPv6 translation, local use", "RFC 8215" },
	{ 0x0100000000000000, 0, 64, "TTTFF", "Discard only", "RFC 6666" },
	{ 0x0100000000000001, 0, 64, "TFFFF", "Dummy IPv6 prefix", "RFC 9780" },
	{ 0x2001000100000000, 1, 128, "TTTTF", "Port Control Protocol anycast", "RFC 7723" },
	{ 0x2001000100000000, 2, 128, "TTTTF", "Traversal Using Relays around NAT anycast",
	  "RFC 8155" },
	{ 0x2001000100000000, 3, 128, "TTTTF", "DNS-SD service registration anycast", "RFC 9665" },
	{ 0x2001000000000000, 0, 32, "TTT-F", "Teredo", "RFC 4380, RFC 8190" },
	{ 0x2001000200000000, 0, 48, "TTTFF", "Benchmarking", "RFC 5180" },
	{ 0x2001000300000000, 0, 32, "TTTTF", "Automatic multicast tunneling", "RFC 7450" },
	{ 0x2001000401120000, 0, 48, "TTTTF", "AS112-v6", "RFC 7535" },
	{ 0x2001001000000000, 0, 28, "-----", "Deprecated (previously ORCHID)", "RFC 4843" },
	{ 0x2001002000000000, 0, 28, "TTTTF", "ORCHIDv2", "RFC 7343" },
	{ 0x2001003000000000, 0, 28, "TTTTF", "Drone remote ID entity tags", "RFC 9374" },
	{ 0x2001000000000000, 0, 23, "FFFFF", "IETF protocol assignments", "RFC 2928" },
	{ 0x20010db800000000, 0, 32, "FFFFF", "Documentation", "RFC 3849" },
	{ 0x2002000000000000, 0, 16, "TTT-F", "6to4", "RFC 3056" },
	{ 0x2620004f80000000, 0, 48, "TTTTF", "Direct delegation AS112 service", "RFC 7534" },
	{ 0x3fff000000000000, 0, 20, "FFFFF", "Documentation", "RFC 9637" },
	{ 0x5f00000000000000, 0, 16, "TTTFF", "Segment routing (SRv6) SIDs", "RFC 9602" },
	{ 0xfc00000000000000, 0, 7, "TTTFF", "Unique local", "RFC 4193, RFC 8190" },
	{ 0xfe80000000000000, 0, 10, "TTFFT", "Link-local unicast", "RFC 4291" },
	{ 0xff00000000000000, 0, 8, "FTTTF", "Multicast", "RFC 4291, 2.7" },
};

static enum block_answer answer(char letter)
{
	return letter == 'T' ? BLOCK_YES : letter == 'F' ? BLOCK_NO : BLOCK_UNSAID;
}

static struct block make_block(unsigned __int128 first, enum reeve_family family, uint8_t length,
			       const char *answers)
{
	return (struct block){
		.prefix = { .address = number_to_address(first, family), .length = length },
		.source = answer(answers[0]),
		.destination = answer(answers[1]),
		.forwardable = answer(answers[2]),
		.global = answer(answers[3]),
		.reserved = answer(answers[4]),
	};
}

static struct block block4_at(size_t i)
{
	const struct block4 *b = &blocks4[i];
	struct block block = make_block(b->first, REEVE_IPV4, b->length, b->answers);

	block.name = b->name;
	block.reference = b->reference;
	return block;
}

static struct block block6_at(size_t i)
{
	const struct block6 *b = &blocks6[i];
	const unsigned __int128 first = (unsigned __int128)b->first << 64 | b->first_low;
	struct block block = make_block(first, REEVE_IPV6, b->length, b->answers);

	block.name = b->name;
	block.reference = b->reference;
	return block;
}

bool block_of(const struct reeve_address *a, size_t index, struct block *ret)
{
	const bool ipv4 = reeve_address_is_ipv4(a);
	const size_t count = ipv4 ? array_length(blocks4) : array_length(blocks6);

	for (size_t i = 0; i < count; i++) {
		const struct block b = ipv4 ? block4_at(i) : block6_at(i);

		if (reeve_prefix_contains(&b.prefix, a) && index-- == 0) {
			*ret = b;
			return true;
		}
	}
	return false;
}
