/*
 * TCP options as bytes, in the order in which a script has them.
 */
#pragma once

#include "script.h"

/* Bytes written, at most 40; -1 when they are more, or no multiple of four. */
int options_emit(const struct script_options *o, uint8_t ret[40]);

/* Whether the kind is one that a script has as bytes. */
bool option_has_bytes(uint8_t kind);

/* False when they run over their end. */
bool options_parse(const uint8_t *bytes, size_t length, struct script_options *ret);
