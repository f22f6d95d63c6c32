/* ARP packets. */
#include "cmocka_all.h"

#include <string.h>

#include "seed.h"
#include "wire/arp.h"

static const uint8_t request[ARP_PACKET] = {
	0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,             /* Ethernet, IPv4, request */
	0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0xc0, 0x00, 0x02, 0x01, /* 192.0.2.1 */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x02, 0x02, /* 192.0.2.2 */
};

static bool parse(const uint8_t *bytes, size_t length, struct arp_packet *ret)
{
	struct cursor c = cursor_over(bytes, length);

	return arp_parse(&c, ret);
}

static void test_known_bytes(void **state)
{
	struct arp_packet a;

	(void)state;
	assert_true(parse(request, sizeof(request), &a));
	assert_int_equal(a.operation, ARP_REQUEST);
	assert_int_equal(a.sender_mac[5], 1);
	assert_int_equal(a.sender, 0xc0000201);
	assert_int_equal(a.target, 0xc0000202);
}

static void test_emit_undoes_parse(void **state)
{
	struct random r = seeded(2);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t bytes[ARP_PACKET], again[ARP_PACKET];
		struct arp_packet a;

		memcpy(bytes, request, sizeof(bytes));
		bytes[7] = (uint8_t)(1 + random_below(&r, 2));
		for (unsigned k = 8; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)random_u32(&r);
		assert_true(parse(bytes, sizeof(bytes), &a));
		arp_emit(&a, again);
		assert_memory_equal(again, bytes, sizeof(bytes));
	}
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t length = 0; length < sizeof(request); length++) {
		struct arp_packet a;
		struct arp_packet before;

		memset(&a, 0xa5, sizeof(a));
		before = a;
		assert_false(parse(request, length, &a));
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

/* Another kind of link or network, other lengths, another operation. */
static void test_other_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < 8; i++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t bytes[ARP_PACKET];
			struct arp_packet a;
			const bool good = value == request[i] || (i == 7 && value == ARP_REPLY);

			memcpy(bytes, request, sizeof(bytes));
			bytes[i] = (uint8_t)value;
			assert_int_equal(parse(bytes, sizeof(bytes), &a), good);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes),
		cmocka_unit_test(test_emit_undoes_parse),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_other_kinds),
	};

	return cmocka_run_group_tests_name("arp", tests, NULL, NULL);
}
