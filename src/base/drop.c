/* Names and texts of the reasons why packets are dropped. */
#include "reeve/drop.h"

#include <stddef.h>

#include "base/check.h"

#define DROP_TEXT(constant, name, text) [REEVE_DROP_##constant] = (text),

static const char *const texts[REEVE_DROP_COUNT] = { REEVE_DROPS(DROP_TEXT) };

#define DROP_NAME(constant, name, text) [REEVE_DROP_##constant] = (name),

static const char *const names[REEVE_DROP_COUNT] = { REEVE_DROPS(DROP_NAME) };

const char *reeve_drop_text(enum reeve_drop reason)
{
	check(reason < REEVE_DROP_COUNT);
	return texts[reason];
}

const char *reeve_drop_name(enum reeve_drop reason)
{
	check(reason < REEVE_DROP_COUNT);
	return names[reason];
}
