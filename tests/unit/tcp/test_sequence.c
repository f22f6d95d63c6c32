/* Sequence numbers around 2^32. Hazard 19. */
#include "cmocka_all.h"

#include "stack/tcp/sequence.h"

static void test_order(void **state)
{
	static const uint32_t starts[] = { 0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	(void)state;
	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		const struct tcp_seq s = { starts[i] };
		const struct tcp_seq after = seq_add(s, 1), far = seq_add(s, 0x7fffffff);

		assert_true(seq_before(s, after) && seq_before(s, far));
		assert_true(seq_after(after, s) && seq_after(far, s));
		assert_false(seq_before(s, s) || seq_after(s, s));
		assert_true(seq_until(s, s) && seq_until(s, far) && !seq_until(after, s));
		assert_true(seq_within(after, s, far) && !seq_within(s, after, far));
		assert_int_equal(seq_distance(s, far), 0x7fffffff);
		assert_true(seq_equal(seq_max(s, far), far) && seq_equal(seq_min(s, far), s));
		assert_true(seq_equal(seq_sub(far, 0x7fffffff), s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
