/* IGMP's messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "wire/igmp.h"

static void finish(uint8_t *bytes, size_t length)
{
	store_be16(bytes + 2, 0);
	store_be16(bytes + 2, (uint16_t)~checksum_fold(checksum_add(0, bytes, length)));
}

static void test_type(void **state)
{
	uint8_t bytes[IGMP_V2_LENGTH], type = 99;

	(void)state;
	igmp_emit_v2(IGMP_V2_REPORT, 0xefffffff, bytes);
	for (size_t length = 0; length < sizeof(bytes); length++)
		assert_false(igmp_parse_type(bytes, length, &type));
	assert_int_equal(type, 99);
	assert_true(igmp_parse_type(bytes, sizeof(bytes), &type));
	assert_int_equal(type, IGMP_V2_REPORT);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 1;
		assert_false(igmp_parse_type(bytes, sizeof(bytes), &type));
		bytes[i] ^= 1;
	}
}

/* Which version speaks is told by the length, and in the two shorter ones by the code. */
static void test_query(void **state)
{
	static const struct {
		size_t length;
		uint8_t code, version;
		uint32_t ms;
	} rows[] = {
		{ 8, 0, 1, 10000 },      { 8, 1, 2, 100 },      { 8, 255, 2, 25500 },
		{ 12, 0, 3, 100 },       { 12, 127, 3, 12700 }, { 12, 128, 3, 12800 },
		{ 16, 255, 3, 3174400 },
	};
	uint8_t bytes[16] = { IGMP_QUERY };
	struct igmp_query q;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bytes[1] = rows[i].code;
		finish(bytes, rows[i].length);
		assert_true(igmp_parse_query(bytes, rows[i].length, &q));
		assert_int_equal(q.version, rows[i].version);
		assert_int_equal(q.max_response_ms, rows[i].ms);
		assert_int_equal(q.group, 0);
	}
	for (size_t length = 0; length < 12; length++)
		assert_int_equal(igmp_parse_query(bytes, length, &q), length == 8);
	store_be32(bytes + 4, 0xc0000201);
	assert_false(igmp_parse_query(bytes, 12, &q));
	store_be32(bytes + 4, 0xe00000fb);
	assert_true(igmp_parse_query(bytes, 12, &q));
	assert_int_equal(q.group, 0xe00000fb);
}

static void test_report(void **state)
{
	uint8_t bytes[IGMP_V3_LENGTH], type;

	(void)state;
	igmp_emit_v3(IGMP_CHANGE_TO_INCLUDE, 0xef010203, bytes);
	assert_true(igmp_parse_type(bytes, sizeof(bytes), &type));
	assert_int_equal(type, IGMP_V3_REPORT);
	assert_int_equal(load_be16(bytes + 6), 1);
	assert_int_equal(bytes[8], IGMP_CHANGE_TO_INCLUDE);
	assert_int_equal(load_be32(bytes + 12), 0xef010203);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests_name("igmp", tests, NULL, NULL);
}
