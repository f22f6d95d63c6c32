/*
 * Settings of a Linux kernel, as what they mean for the host under test.
 */
#pragma once

#include "run.h"

/* Sets what libreeve has, notes what it has not and makes no difference that a packet shows, and
 * refuses what it would have to do otherwise than it does. */
void sysctl_set(struct run *r, struct script_place place, const char *name, const char *value);
