/* The network process's log: standard error, one line an entry, with the time. */
#pragma once

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
