/* multi.h - libcurl's transfers on our loop: sockets and timer are libev's, no thread, no waiting. */
#pragma once

#include <curl/curl.h>
#include <ev.h>
#include <stdbool.h>

struct multi;

/* A transfer ended: arg is its CURLOPT_PRIVATE. Called outside libcurl: handles may be added and removed. */
typedef void multi_done_fn(void *arg, CURLcode result);

struct multi *multi_new(struct ev_loop *loop, multi_done_fn *done); /* die() without memory */
void multi_free(struct multi *m);                                   /* NULL-safe; every handle was removed */
bool multi_add(struct multi *m, CURL *easy);
/* Closes its connection if it was not over. Not from inside libcurl's callbacks. */
void multi_remove(struct multi *m, CURL *easy);
