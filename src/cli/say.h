/*
 * What a command says on stderr: one line each, "reeve ports: what, where, and what to do".
 */
#pragma once

/* Whom the lines are from: "reeve", then "reeve ports". Called by main alone. */
void say_as(const char *command);

__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The line, and the exit status to return. */
__attribute__((format(printf, 2, 3))) int say_fail(int status, const char *format, ...);
