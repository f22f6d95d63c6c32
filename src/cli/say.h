/*
 * What a command says on stderr: one line each, "reeve: what, where, and what to do". Whoever speaks
 * (a command, the front of a run, a manager's start) begins alike.
 */
#pragma once

__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The line, and the exit status to return. */
__attribute__((format(printf, 2, 3))) int say_fail(int status, const char *format, ...);
