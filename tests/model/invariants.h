/*
 * What must hold of a host between any two calls, whatever its peers have sent: looked at from
 * inside after each step of a simulation or a fuzzer. check() traps if it does not.
 */
#pragma once

#include "reeve/host.h"

void invariants_check(const struct reeve_host *host);
