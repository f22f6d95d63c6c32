/*
 * Names of constants in a script, as Linux's headers have them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool symbol_value(const char *name, size_t length, int64_t *ret);

/* "ECONNRESET" to the number, 0 for an unknown name; and back, "errno 999" for an unknown number. */
int symbol_errno(const char *name, size_t length);
const char *symbol_errno_name(int error);
