/* The network process's log: standard error, one line an entry, with the time. */
#pragma once

/* What is longer is begun anew. */
#define LOG_BYTES_MOST (1 << 20)

/* Standard error is a file of the log's own from here on, and kept to that length. */
void log_own(void);

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
