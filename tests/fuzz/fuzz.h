/*
 * What a fuzzer is: one function over bytes of a stranger's. libFuzzer calls it with what it makes
 * up (make fuzz), replay.c with a corpus and with random bytes (make test). What must hold is
 * checked by check(), which traps.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* libFuzzer chose the name. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
