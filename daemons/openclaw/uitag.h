/* uitag.h - the model's text, told apart as it comes: what people see, and the tags that steer their screen. */
#pragma once

#include "buf.h"

/*
 *     [UI:SPEAKER_CHANGE speaker="mariana"]
 *     [UI:MODE_ACTIVATE mode="cv" context="{\"step\":1}"]     context: a JSON object; anything else is {}
 *     [UI:MODE_DEACTIVATE mode="cv"]
 *     [UI:DELIVERABLE_CV]{json}[/UI:DELIVERABLE_CV]           also _INTERVIEW, _OUTREACH; also closed by [/UI]
 *     [UI:CONFIRM_REQUIRED actionId="a" message="m" riskTier="r" timeout="30000"]
 *     [SPEAKER:mariana]                                       in any case, only before anything visible
 *
 * Attributes stand in any order, in double or single quotes; a backslash guards a quote or a backslash. A tag that makes
 * no sense (no JSON, no mode) is removed and nothing comes of it; one that does not end is removed as well. What looks
 * like a tag until it does not is text. Text loses the white space at its two ends, nothing else.
 *
 * The model is not trusted: over a bound the rest is left out, and `over` is set.
 */
#define UITAG_TEXT_MAX 65536u
#define UITAG_TAGS_MAX 32u
#define UITAG_JSON_MAX 131072u

enum uitag_kind { UITAG_SPEAKER, UITAG_MODE_ON, UITAG_MODE_OFF, UITAG_DELIVERABLE, UITAG_CONFIRM };

/* Slices are valid during tag() only. */
struct uitag {
        enum uitag_kind kind;
        struct slice name; /* the speaker, the mode; cv, interview or outreach */
        struct slice json; /* context of a mode, data of a deliverable: one JSON object */
        struct slice action_id, message, risk_tier;
        int64_t timeout; /* milliseconds; 0: not given */
};

struct uitag_events {
        void (*text)(void *arg, struct slice s); /* visible, in order; never half a tag */
        void (*tag)(void *arg, const struct uitag *tag);
};

struct uitag_parser {
        const struct uitag_events *ev;
        void *arg;
        int state;
        int name;        /* the row of the tag we are in */
        char quote;      /* the quote that is open in a tag's head, or 0 */
        bool equals;     /* the character before was = */
        bool guarded;    /* the character before was a backslash that counts */
        bool seen;       /* something visible was there */
        bool full;       /* no more text is taken */
        bool over;       /* a bound was met */
        struct buf held; /* what may be a tag; in a body, its text */
        struct buf gap;  /* white space that is visible only if something follows */
        struct buf out;  /* visible, not told yet */
        size_t text, json;
        unsigned tags;
};

void uitag_init(struct uitag_parser *p, const struct uitag_events *ev, void *arg);
void uitag_feed(struct uitag_parser *p, struct slice s);
void uitag_end(struct uitag_parser *p); /* nothing more comes */
void uitag_free(struct uitag_parser *p);
/* antonio, mariana, both or executor */
bool uitag_speaker(struct slice s);
