/* action_end.c - an action's one end: the document and the outcome are one transaction of the writer's. */
#include "action.h"
#include "jsonw.h"
#include "log.h"
#include "settings.h"
#include "stats.h"
#include "task.h"

#define RETRY_MIN_MS 100u
#define RETRY_MAX_MS 2000u

static void again(struct action *a, enum status s) {
        if (text_mono_micros() - a->done >= ACTION_PATIENCE_MS * INT64_C(1000)) {
                log_line(LOG_WARN,
                         &(struct log_fields){
                                 .op = "action_end", .status = status_row(s)->name, .session = a->ask.session_id },
                         "an action could not be ended; the sweep will");
                action_answer(a, s, (struct slice){ 0 }, (struct slice){ 0 });
                return;
        }
        a->wait_ms = a->wait_ms == 0 ? RETRY_MIN_MS : a->wait_ms < RETRY_MAX_MS ? a->wait_ms * 2 : RETRY_MAX_MS;
        action_wake(a, a->wait_ms);
}

static void on_ended(void *arg, const struct answer *answer) {
        struct action *a = arg;
        a->calling = false;
        if (openclaw_unheard(answer->status)) {
                again(a, answer->status);
                return;
        }
        if (answer->status == STATUS_INTERNAL && a->status == STATUS_OK) {
                a->status = STATUS_ACTION_EXECUTION_FAILED; /* what was made cannot be stored: it ends all the same */
                a->why = "its result could not be stored";
                action_end(a);
                return;
        }
        stat_add(STAT_ai_input_tokens, a->input_tokens);
        stat_add(STAT_ai_output_tokens, a->output_tokens);
        action_answer(a, answer->status, answer->detail, answer->body);
}

static void put_config(const struct action *a, struct buf *out) {
        struct jsonw w;
        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_key_cstr(&w, "agent", setting_text(SETTING_openclaw_agent));
        jsonw_key_cstr(&w, "instructions", task_version());
        jsonw_key_int(&w, "maxOutputTokens", a->max_tokens);
        jsonw_key_int(&w, "tries", a->tries);
        jsonw_end(&w, '}');
}

static void put_result(const struct action *a, struct op_action_end *m) {
        if (a->status != STATUS_OK) {
                OP_SET(action_end, m, outcome, SLICE("failed"));
                OP_SET(action_end, m, code, slice_of(status_row(a->status)->name));
                OP_SET(action_end, m, message, slice_of(a->why != NULL ? a->why : status_row(a->status)->text));
                return;
        }
        OP_SET(action_end, m, outcome, SLICE("completed"));
        OP_SET(action_end, m, title, buf_view(&a->title));
        if (a->markdown.n > 0)
                OP_SET(action_end, m, markdown, buf_view(&a->markdown));
        OP_SET(action_end, m, data, buf_view(&a->data));
}

void action_end(struct action *a) {
        struct op_action_end m = { 0 };
        struct buf config;
        OP_SET(action_end, &m, account_id, a->ask.account_id);
        OP_SET(action_end, &m, session_id, a->ask.session_id);
        OP_SET(action_end, &m, action_id, a->ask.action_id);
        OP_SET(action_end, &m, runner, slice_of(a->all->runner));
        put_result(a, &m);
        if (a->response_id[0] != '\0')
                OP_SET(action_end, &m, response_id, slice_of(a->response_id));
        if (a->model[0] != '\0')
                OP_SET(action_end, &m, model, slice_of(a->model));
        buf_init(&config, 4096);
        put_config(a, &config);
        OP_SET(action_end, &m, config, buf_view(&config));
        OP_SET(action_end, &m, input_tokens, a->input_tokens);
        OP_SET(action_end, &m, output_tokens, a->output_tokens);
        OP_SET(action_end, &m, duration_ms, (a->done - a->begun) / 1000);
        enum status s = channel_call(a->all->writer, OP_action_end, &m, ACTION_WRITER_MS, on_ended, a);
        a->calling = s == STATUS_OK;
        buf_free(&config);
        if (s != STATUS_OK)
                again(a, s);
}
