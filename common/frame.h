/* frame.h - one signed frame per flush: what crosses a unix socket between two daemons, sealed and opened. */
#pragma once

#include "cred.h"

/* Handshake: each side sends struct frame_hello's encoding in clear; then frames in both directions. A frame is
 *     length le32 | counter le64 | signature 64 | payload
 * and the signature covers a domain word, protocol version, both kinds and instances in direction sender->receiver,
 * both nonces, counter, length and payload, so that a frame is good once, here, now, in this direction. Counters
 * start at 1 and step by 1; a first, empty frame proves each side's key before anything is believed.
 *
 * Ed25519 via libsodium, over BLAKE2b-512 of those facts and the payload. Payload: messages back to back, see
 * channel.h. Hello: word 16 | kind u8 | instance u8 | zero le16 | nonce 32 | hash of the tables 32. */
#define FRAME_HELLO       84u /* bytes */
#define FRAME_HEADER      76u
#define FRAME_PAYLOAD_MAX (4u << 20)

struct frame_end { /* one direction's fixed facts */
        enum daemon_id kind;
        uint8_t instance;
        unsigned char nonce[32];
};

void frame_hello_put(const struct frame_end *us, struct buf *out); /* us->nonce is made here by the caller */
/* 0, or -1 with a constant reason: not our protocol, other schema ("peer speaks another version"), unknown kind. */
int frame_hello_get(struct slice bytes, struct frame_end *ret, const char **ret_why);

void frame_seal(const struct cred_ring *ring, const struct frame_end *from, const struct frame_end *to,
                uint64_t counter, struct slice payload, struct buf *out);
/* Bytes the frame at the start of `bytes` occupies; 0: need more; -1: announces more than FRAME_PAYLOAD_MAX. */
ptrdiff_t frame_size(struct slice bytes);
/* 0, or -1: wrong counter, wrong signature. `frame` is exactly one frame. */
int frame_open(const struct cred_ring *ring, const struct frame_end *from, const struct frame_end *to,
               uint64_t counter, struct slice frame, struct slice *ret_payload);
