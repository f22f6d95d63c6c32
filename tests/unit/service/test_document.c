/* YAML as a tree, with places; what is refused, and where. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "service/document.h"

#include "cmocka_all.h"

static const struct node *read_text(const char *text, struct arena *a, struct fault *fault)
{
	arena_init(a);
	return document_read(text, strlen(text), a, fault);
}

static const struct node *member(const struct node *map, const char *key)
{
	const struct node *n = map->first;

	while (n && strcmp(n->key, key) != 0)
		n = n->next;
	assert_non_null(n);
	return n;
}

static void assert_place(struct place p, unsigned line, unsigned column)
{
	assert_int_equal(p.line, line);
	assert_int_equal(p.column, column);
}

static void test_tree(void **state)
{
	struct arena a;
	struct fault fault;
	const struct node *root =
		read_text("a: 1\nb: [x, 'y z', {c: \"d\\te\"}]\nä: {}\n", &a, &fault);

	(void)state;
	assert_non_null(root);
	assert_int_equal(root->kind, NODE_MAP);
	assert_int_equal(root->count, 3);
	const struct node *first = member(root, "a"), *list = member(root, "b");

	assert_string_equal(first->text, "1");
	assert_true(first->is_plain);
	assert_place(first->at_key, 1, 1);
	assert_place(first->place, 1, 4);
	assert_int_equal(list->kind, NODE_LIST);
	assert_int_equal(list->count, 3);
	assert_place(list->place, 2, 4);
	const struct node *quoted = list->first->next, *map = quoted->next;

	assert_string_equal(quoted->text, "y z");
	assert_false(quoted->is_plain);
	assert_place(quoted->place, 2, 8);
	assert_null(quoted->key);
	assert_string_equal(member(map, "c")->text, "d\te");
	assert_null(map->next);
	assert_int_equal(member(root, "ä")->count, 0);
	arena_deinit(&a);
}

static void test_nothing(void **state)
{
	static const char *const texts[] = { "", "\n", "# a comment\n", "---\n", "--- \n...\n" };

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		struct arena a;
		struct fault fault;
		const struct node *root = read_text(texts[i], &a, &fault);

		assert_non_null(root);
		assert_int_equal(root->kind, NODE_MAP);
		assert_null(root->first);
		arena_deinit(&a);
	}
}

static const struct {
	const char *text;
	unsigned line, column;
	const char *says;
} faults[] = {
	{ "a: b: c\n", 1, 5, "mapping values are not allowed in this context" },
	{ "a: 1\nb: 2\na: 3\n", 3, 1, "'a' is here a second time; the first is in line 1" },
	{ "a: &x 1\n", 1, 4, "anchors (&) are not used here" },
	{ "a: *x\n", 1, 4, "aliases (*) are not used here" },
	{ "a: !!str 1\n", 1, 4, "tags (!) are not used here" },
	{ "? [a]\n: 1\n", 1, 3, "a list cannot be a key" },
	{ "? {a: b}\n: 1\n", 1, 3, "a map cannot be a key" },
	{ "a: 1\n--- \nb: 2\n", 2, 1, "a second document begins here; there may be one" },
	{ "a: \"\\0\"\n", 1, 4, "a NUL character cannot be part of a value" },
	{ "a: \"x\n", 2, 1, "found unexpected end of stream" },
	{ "a: \xc3\xa4\xc3\xb6\nb:\n\t- b\n", 3, 1,
	  "a tab cannot be here; lines are indented by spaces" },
	{ "a:\n\t- b\n", 2, 1, "a tab cannot be here; lines are indented by spaces" },
	{ "a: x\xff\n", 1, 5, "invalid leading UTF-8 octet" },
	{ "ä: [x\xff]\n", 1, 6, "invalid leading UTF-8 octet" },
	{ "[[[[[[[[[[[[[[[[[[", 1, 17, "this is nested too deeply" },
	{ "%YAML 3.0\n--- a\n", 1, 1, "found incompatible YAML document" },
};

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(faults); i++) {
		struct arena a;
		struct fault fault;

		assert_null(read_text(faults[i].text, &a, &fault));
		assert_string_equal(fault.text, faults[i].says);
		assert_place(fault.place, faults[i].line, faults[i].column);
		arena_deinit(&a);
	}
}

/* Neither the text nor what it says may be large; a bomb of brackets ends at once. */
static void test_limits(void **state)
{
	const size_t length = DOCUMENT_TEXT_MOST + 1;
	char *text = malloc(length);
	struct arena a;
	struct fault fault;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', length);
	arena_init(&a);
	assert_null(document_read(text, length, &a, &fault));
	assert_string_equal(fault.text, "it is larger than 256 KiB");
	assert_non_null(document_read(text, length - 1, &a, &fault));
	arena_deinit(&a);
	memset(text, '[', length);
	arena_init(&a);
	assert_null(document_read(text, length - 1, &a, &fault));
	assert_string_equal(fault.text, "this is nested too deeply");
	arena_deinit(&a);
	for (size_t i = 0; i + 1 < length; i += 2) {
		text[i] = i ? ',' : '[';
		text[i + 1] = 'a';
	}
	arena_init(&a);
	assert_null(document_read(text, length - 1, &a, &fault));
	assert_string_equal(fault.text, "this is more than a file of services may hold");
	arena_deinit(&a);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
