/* log.h - one line for people, and fields for machines, to journald (or stderr where there is none). */
#pragma once

#include "text.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_NOTE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

/* The journal's socket must be connected before the sandbox closes: log_open() does. */
void log_open(const char *program);
void log_set_level(enum log_level max);

/* Indexed fields; all optional, never secrets, never payloads. Values longer than 256 bytes are cut. */
struct log_fields {
        const char *op, *status, *peer;
        struct slice actor, session, request_id, trace_id;
};
void log_line(enum log_level l, const struct log_fields *f, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_ERROR, NULL, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, NULL, __VA_ARGS__)
#define log_note(...)  log_line(LOG_NOTE, NULL, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, NULL, __VA_ARGS__)

/* Our own broken invariant or environment, never a peer's doing: says so and exits 1; systemd restarts us. */
_Noreturn void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
