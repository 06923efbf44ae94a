/* proposal.c - tags and function calls, translated. */
#include "proposal.h"

#include "tools.h"

#define TYPE_MAX 64u

/* What a deliverable's card offers. */
static const struct offer {
        const char *of, *action, *label;
        bool confirm;
} offers[] = {
        { "cv", "cv.edit", "Edit", false },
        { "cv", "cv.export.pdf", "Save as PDF", false },
        { "cv", "cv.export.markdown", "Save as Markdown", false },
        { "cv", "cv.copy", "Copy", false },
        { "cv", "cv.copy.markdown", "Copy as Markdown", false },
        { "interview", "interview.practice", "Practise", false },
        { "interview", "interview.save", "Save", false },
        { "outreach", "outreach.edit", "Edit", false },
        { "outreach", "outreach.copy", "Copy", false },
        { "outreach", "outreach.requestSend", "Send", true },
};

static const char *deliverable_type(struct slice name) {
        return slice_is(name, "cv")          ? "deliverable.cv"
               : slice_is(name, "interview") ? "deliverable.interview"
                                             : "deliverable.outreach";
}

static void put_offers(struct jsonw *w, struct slice name) {
        jsonw_key(w, "actions");
        jsonw_array(w);
        for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
                if (!slice_is(name, offers[i].of))
                        continue;
                jsonw_object(w);
                jsonw_key_cstr(w, "label", offers[i].label);
                jsonw_key_cstr(w, "action", offers[i].action);
                if (offers[i].confirm) {
                        jsonw_key_bool(w, "requiresConfirm", true);
                        jsonw_key_cstr(w, "riskTier", "high-risk-external-send");
                }
                jsonw_end(w, '}');
        }
        jsonw_end(w, ']');
}

static const char *put_deliverable(struct jsonw *w, const struct uitag *tag) {
        const char *type = deliverable_type(tag->name);
        jsonw_key_cstr(w, "type", type + sizeof "deliverable." - 1);
        jsonw_key_raw(w, "data", tag->json);
        put_offers(w, tag->name);
        if (slice_is(tag->name, "outreach"))
                jsonw_key_bool(w, "requireConfirmation", true);
        return type;
}

static const char *put_confirm(struct jsonw *w, const struct uitag *tag) {
        jsonw_key_str(w, "actionId", tag->action_id);
        jsonw_key_str(w, "message", tag->message);
        jsonw_key_str(w, "riskTier", tag->risk_tier.n > 0 ? tag->risk_tier : SLICE("high-risk-external-send"));
        jsonw_key_int(w, "timeout", tag->timeout > 0 ? tag->timeout : 30000);
        return "confirm.required";
}

const char *proposal_event(const struct uitag *tag, struct buf *payload) {
        const char *type = "";
        struct jsonw w;
        jsonw_init(&w, payload);
        jsonw_object(&w);
        switch (tag->kind) {
        case UITAG_SPEAKER:
                type = "speaker.change";
                jsonw_key_str(&w, "speaker", tag->name);
                break;
        case UITAG_MODE_ON:
                type = "mode.activate";
                jsonw_key_str(&w, "mode", tag->name);
                jsonw_key_raw(&w, "context", tag->json);
                break;
        case UITAG_MODE_OFF:
                type = "mode.deactivate";
                jsonw_key_str(&w, "mode", tag->name);
                break;
        case UITAG_DELIVERABLE:
                type = put_deliverable(&w, tag);
                break;
        case UITAG_CONFIRM:
                type = put_confirm(&w, tag);
                break;
        }
        jsonw_end(&w, '}');
        return type;
}

static void put_ui_event(struct jsonw *w, const struct uitag *tag) {
        struct buf payload;
        buf_init(&payload, w->out->max);
        const char *type = proposal_event(tag, &payload);
        jsonw_key(w, "uiEvent");
        jsonw_object(w);
        jsonw_key_cstr(w, "type", type);
        jsonw_key_raw(w, "payload", buf_view(&payload));
        jsonw_end(w, '}');
        w->out->over |= payload.over;
        buf_free(&payload);
}

static void put_kind(struct jsonw *w, const struct uitag *tag) {
        switch (tag->kind) {
        case UITAG_SPEAKER:
                jsonw_key_cstr(w, "kind", "speaker");
                jsonw_key_str(w, "speaker", tag->name);
                break;
        case UITAG_MODE_ON:
        case UITAG_MODE_OFF:
                jsonw_key_cstr(w, "kind", "mode");
                jsonw_key_bool(w, "activate", tag->kind == UITAG_MODE_ON);
                jsonw_key_str(w, "mode", tag->name);
                break;
        case UITAG_DELIVERABLE:
                jsonw_key_cstr(w, "kind", "deliverable");
                jsonw_key_str(w, "deliverable", tag->name);
                jsonw_key_raw(w, "data", tag->json);
                break;
        case UITAG_CONFIRM:
                jsonw_key_cstr(w, "kind", "confirm");
                jsonw_key_str(w, "actionId", tag->action_id);
                jsonw_key_str(w, "message", tag->message);
                if (tag->risk_tier.n > 0)
                        jsonw_key_str(w, "riskTier", tag->risk_tier);
                if (tag->timeout > 0)
                        jsonw_key_int(w, "timeout", tag->timeout);
                break;
        }
}

void proposal_tag(const struct uitag *tag, struct buf *out) {
        struct jsonw w;
        jsonw_init(&w, out);
        jsonw_object(&w);
        put_kind(&w, tag);
        put_ui_event(&w, tag);
        jsonw_end(&w, '}');
}

/* A function we never offered keeps its name as the type: the writer refuses it, and says so in the stream. */
void proposal_call(const struct gateway_call *call, struct buf *out) {
        const struct tool *tool = tool_find(call->name);
        struct slice name = call->name.n <= TYPE_MAX ? call->name : SLICE("unknown");
        struct jsonw w;
        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "kind", "action");
        jsonw_key_str(&w, "actionType", tool != NULL ? slice_of(tool->type) : name);
        jsonw_key_raw(&w, "arguments", call->arguments);
        jsonw_key_str(&w, "summary", tool != NULL ? slice_of(tool->what) : name);
        jsonw_end(&w, '}');
}
