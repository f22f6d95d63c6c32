/* Ethernet headers. */
#include "cmocka_all.h"

#include <string.h>

#include "seed.h"
#include "wire/ether.h"

static void test_known_bytes(void **state)
{
	static const uint8_t bytes[ETHER_HEADER] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x07, 0x08, 0x06,
	};
	struct cursor c = cursor_over(bytes, sizeof(bytes));
	struct ether_header h;

	(void)state;
	assert_true(ether_parse(&c, &h));
	assert_memory_equal(h.destination, ether_broadcast, 6);
	assert_int_equal(h.source[5], 7);
	assert_int_equal(h.type, ETHER_ARP);
	assert_int_equal(cursor_left(&c), 0);
	assert_true(ether_is_group(h.destination));
	assert_false(ether_is_group(h.source));
}

static void test_emit_undoes_parse(void **state)
{
	struct random r = seeded(1);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t bytes[ETHER_HEADER], again[ETHER_HEADER];
		struct ether_header h;

		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)random_u32(&r);
		struct cursor c = cursor_over(bytes, sizeof(bytes));

		assert_true(ether_parse(&c, &h));
		ether_emit(&h, again);
		assert_memory_equal(again, bytes, sizeof(bytes));
	}
}

static void test_truncated(void **state)
{
	static const uint8_t bytes[ETHER_HEADER] = { 0 };

	(void)state;
	for (size_t length = 0; length < ETHER_HEADER; length++) {
		struct cursor c = cursor_over(bytes, length);
		struct ether_header h;
		struct ether_header before;

		memset(&h, 0xa5, sizeof(h));
		before = h;
		assert_false(ether_parse(&c, &h));
		assert_memory_equal(&h, &before, sizeof(h));
	}
}

/* RFC 1112, 6.4: the low 23 bits, so that 32 groups share an address. */
static void test_multicast(void **state)
{
	static const uint8_t expected[] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb };
	uint8_t mac[ETHER_ADDRESS];

	(void)state;
	ether_from_multicast(0xe00000fb, mac);
	assert_memory_equal(mac, expected, 6);
	ether_from_multicast(0xef8000fb, mac);
	assert_memory_equal(mac, expected, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes),
		cmocka_unit_test(test_emit_undoes_parse),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_multicast),
	};

	return cmocka_run_group_tests_name("ether", tests, NULL, NULL);
}
