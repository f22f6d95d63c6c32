/* The small things: lists, cursors, byte order, time, release by scope, names of drops. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/list.h"
#include "base/take.h"
#include "reeve/drop.h"
#include "reeve/time.h"

#include "cmocka_all.h"
#include "seed.h"

struct item {
	int value;
	struct list node;
};

static void assert_items(const struct list *head, const char *expected)
{
	char text[16];
	size_t length = 0;

	list_for_each(node, (struct list *)(uintptr_t)head)
		text[length++] = (char)('a' + list_entry(node, struct item, node)->value);
	text[length] = '\0';
	assert_string_equal(text, expected);
}

static void test_list(void **state)
{
	struct list head;
	struct item item[4];

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_first(&head));
	assert_null(list_pop(&head));
	for (int i = 0; i < 4; i++) {
		item[i].value = i;
		list_init(&item[i].node);
		assert_false(list_is_linked(&item[i].node));
	}
	list_append(&head, &item[1].node);
	list_append(&head, &item[2].node);
	list_prepend(&head, &item[0].node);
	list_insert_before(&item[2].node, &item[3].node);
	assert_items(&head, "abdc");
	assert_true(list_is_linked(&item[3].node));
	list_remove(&item[3].node);
	list_remove(&item[3].node); /* harmless */
	assert_items(&head, "abc");
	list_for_each_safe(node, &head)
		if (list_entry(node, struct item, node)->value != 1)
			list_remove(node);
	assert_items(&head, "b");
	assert_ptr_equal(list_pop(&head), &item[1].node);
	assert_true(list_is_empty(&head));
}

static void test_cursor(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct cursor c = cursor_over(bytes, sizeof(bytes));
	uint8_t copy[4] = { 0xee, 0xee, 0xee, 0xee };

	(void)state;
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_be16(&c), 0x0203);
	assert_int_equal(cursor_be32(&c), 0x04050607);
	assert_int_equal(cursor_left(&c), 2);
	assert_true(cursor_ok(&c));
	/* Over the end: zeroes from then on, even for what would still fit. */
	cursor_copy(&c, copy, sizeof(copy));
	assert_false(cursor_ok(&c));
	assert_memory_equal(copy, "\0\0\0\0", 4);
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_bytes(&c, 0));

	c = cursor_over(bytes, 0);
	assert_non_null(cursor_bytes(&c, 0));
	assert_null(cursor_bytes(&c, SIZE_MAX));
	assert_false(cursor_ok(&c));
}

static void test_byte_order(void **state)
{
	uint8_t bytes[5] = { 0 };

	(void)state;
	store_be16(bytes + 1, 0xfedc);
	assert_memory_equal(bytes, "\0\xfe\xdc\0\0", 5);
	assert_int_equal(load_be16(bytes + 1), 0xfedc);
	store_be32(bytes + 1, 0xfedcba98);
	assert_memory_equal(bytes, "\0\xfe\xdc\xba\x98", 5);
	assert_int_equal(load_be32(bytes + 1), 0xfedcba98);
	assert_int_equal(load_le32(bytes + 1), 0x98badcfe);
}

static void test_time(void **state)
{
	const struct reeve_time t = { 5 };

	(void)state;
	assert_true(reeve_time_is_never(REEVE_NEVER));
	assert_true(reeve_time_is_never(reeve_time_add(REEVE_NEVER, 1)));
	assert_true(reeve_time_is_never(reeve_time_add(t, INT64_MAX)));
	assert_int_equal(reeve_time_add_ms(t, 2).ns, 2000005);
	assert_true(reeve_time_before(t, REEVE_NEVER));
	assert_false(reeve_time_before(t, t));
	assert_int_equal(reeve_time_min(REEVE_NEVER, t).ns, 5);
	assert_int_equal(reeve_time_since(t, (struct reeve_time){ 7 }), -2);
}

static void test_take(void **state)
{
	char byte;
	char *pointer = &byte;

	(void)state;
	assert_ptr_equal(take(pointer), &byte);
	assert_null(pointer);
	assert_null(take(pointer));
}

/* Every reason has a text and a name of its own, for people and for programs. */
static void test_drop_names(void **state)
{
	(void)state;
	for (int i = 0; i < REEVE_DROP_COUNT; i++) {
		const char *const name = reeve_drop_name((enum reeve_drop)i);

		assert_true(strlen(reeve_drop_text((enum reeve_drop)i)) > 5);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				 strlen(name));
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(name, reeve_drop_name((enum reeve_drop)j));
			assert_string_not_equal(reeve_drop_text((enum reeve_drop)i),
						reeve_drop_text((enum reeve_drop)j));
		}
	}
	assert_string_equal(reeve_drop_name(REEVE_DROP_TCP_NO_PORT), "tcp_no_port");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),       cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_byte_order), cmocka_unit_test(test_time),
		cmocka_unit_test(test_take),       cmocka_unit_test(test_drop_names),
	};

	return cmocka_run_group_tests_name("structures", tests, NULL, NULL);
}
