/*
 * The port space beside its model, operation by operation as the bytes say: the first chooses
 * among plans, the second says whether allocations fail.
 */
#include "../model/space.h"

#include "base/check.h"
#include "fuzz.h"

#define STEPS 300

/*                                 release, bind, settle, listen, connect,
 *                                 disconnect, inherit, TIME-WAIT, set reuse, open */
static const struct space_plan plans[] = {
	{ PORT_TCP, 2000, 2005, 16, 6, { 6, 10, 3, 4, 8, 2, 3, 3, 2, 6 } },
	{ PORT_UDP, 2000, 2005, 16, 6, { 6, 10, 3, 0, 10, 4, 0, 0, 2, 6 } },
	{ PORT_TCP, 65532, 65535, 24, 4, { 1, 2, 1, 1, 16, 1, 1, 8, 1, 4 } },
	{ PORT_UDP, 65532, 65535, 24, 4, { 1, 2, 1, 0, 16, 3, 0, 0, 1, 4 } },
	{ PORT_TCP, 3000, 3000, 10, 12, { 4, 10, 3, 2, 6, 3, 1, 2, 1, 6 } },
	{ PORT_TCP, 5000, 5099, 120, 12, { 0, 12, 4, 4, 20, 2, 4, 4, 1, 8 } },
	{ PORT_TCP, 65535, 65535, 40, 26, { 2, 12, 4, 8, 6, 2, 8, 4, 1, 8 } },
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const uint8_t seed[32];
	struct choice choice = { .bytes = cursor_over(bytes, length) };
	const uint8_t plan = cursor_u8(&choice.bytes);
	const uint8_t failing = cursor_u8(&choice.bytes);

	random_init(&choice.random, seed);
	struct space_model *const m = space_model_new(&plans[plan % array_length(plans)], &choice);

	for (int i = 0; i < STEPS && space_model_step(m, failing & 1); i++)
		continue;
	space_model_free(m);
	return 0;
}
