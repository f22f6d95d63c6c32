/*
 * What stands in %{ }%: "assert" and an expression, as many as there are, about what the stack says
 * of the connection under test. It looks like Python and is not: whole numbers, the names of
 * Linux's struct tcp_info that we know, comparisons (also chained), and, or, not, | ^ & << >>, + - * / // %,
 * - ~, parentheses, True, False; "print" is read and says nothing. Division rounds down.
 */
#pragma once

#include "reeve/tcp.h"
#include "script.h"

/* Whether it can be read, before anything runs. */
void assertion_check(struct script *s, const struct script_event *e, struct script_fault *fault);

/* A fault when one of them does not hold: which, and what the names in it stand for. */
void assertion_run(struct script *s, const struct script_event *e, const struct reeve_tcp *tcp,
		   struct script_fault *fault);
