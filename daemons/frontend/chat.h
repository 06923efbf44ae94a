/* chat.h - inside chat*.c: one turn told as text/event-stream, in the frames of the UI contract. */
#pragma once

#include "json.h"
#include "turn.h"

/*
 * What the client has no room for waits in `out`, whole frames; deltas do not: the text is kept, and what was not told
 * of it becomes one delta when there is room again. Bounds: CHAT_TEXT_MAX bytes of text are told as they come (more of
 * it with the end), CHAT_OUT_MAX bytes wait for one client and CHAT_HELD_MAX for all; over these its stream ends, and
 * the same request finds the turn.
 */
#define CHAT_TEXT_MAX (128u << 10)
#define CHAT_OUT_MAX  (4u << 20)
#define CHAT_HELD_MAX (128u << 20)
#define CHAT_ROOM     (128u << 10) /* of the connection's queue */
#define CHAT_FULL_MAX 8192u        /* a longer text is not repeated in its deltas */
#define CHAT_SEEN_MAX 128u

struct chat {
        struct waiter waiter; /* first */
        struct frontend *f;
        struct channel *to; /* who was asked; NULL: it has answered */
        struct http_stream *http;
        char conversation[101], message[101]; /* ids, as far as they are known */
        struct buf text;                      /* of the answer, as far as it came */
        size_t told;                          /* bytes of it that are in frames */
        struct buf out;
        size_t held;          /* bytes of it, as counted */
        int64_t spoke, since; /* monotonic: the last frame; the queue is not empty since */
        uint64_t seen[CHAT_SEEN_MAX];
        unsigned n_seen;
        bool anew;     /* who ran it is gone: its next words are another answer's first */
        bool last;     /* the last frame is in `out` */
        bool stopping; /* what does not leave now never does */
        bool broken;   /* over a bound */
};

/* What the turn says of itself: {"conversationId":..,"messageId":..}. */
void chat_learn(struct chat *c, struct json about);

/* Frames. payload: a JSON object. */
void chat_frame(struct chat *c, const char *type, struct slice payload);
/* The answer goes on at byte `offset`, or (-1) behind what is known. */
void chat_text(struct chat *c, int64_t offset, struct slice text);
/* It is exactly this. */
void chat_whole(struct chat *c, struct slice text);
/* An event of the turn, unless the client has it. `again`: it may come more than once while the turn runs. */
void chat_event(struct chat *c, struct slice type, struct slice payload, bool again);
void chat_status(struct chat *c, const char *type, const char *message);

/* Gives the client what it takes. True: everything, and there is no more to come. */
bool chat_push(struct chat *c);
void chat_forget(struct chat *c); /* the memory of the above */
