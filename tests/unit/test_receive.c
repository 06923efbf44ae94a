/* test_receive.c - a webhook is acknowledged when the writer has it, and never before; refusals never reach the writer. */
#include <sodium.h>

#include "webhook.h"

#include "fake_channel.h"
#include "jwt_vectors.h"
#include "log.h"

static struct webhook webhook;
static unsigned lines;

void log_line(enum log_level l, const struct log_fields *f, const char *fmt, ...) {
        (void)l;
        (void)f;
        (void)fmt;
        lines++;
}

static int64_t fixed_clock(void) {
        return VECTOR_NOW * 1000000;
}

static int setup(void **state) {
        const char *line = LIVEKIT_KEY " " LIVEKIT_SECRET;
        struct secret file = { .n = strlen(line) };
        char why[160];

        file.p = sodium_malloc(file.n);
        memcpy(file.p, line, file.n);
        text_clock = fixed_clock;
        return fake_setup(state) || livekit_keys_parse(file, &webhook.keys, why);
}

static int teardown(void **state) {
        livekit_keys_free(&webhook.keys);
        return fake_teardown(state);
}

static void post(const char *authorization, const char *body) {
        struct op_webhook_raw m = { 0 };

        OP_SET(webhook_raw, &m, content_type, SLICE("application/webhook+json"));
        if (*authorization)
                OP_SET(webhook_raw, &m, authorization, slice_of(authorization));
        if (*body)
                OP_SET(webhook_raw, &m, body, slice_of(body));
        OP_SET(webhook_raw, &m, received, VECTOR_NOW * 1000000 + 7);
        ask_with(receive_webhook, &webhook, OP_webhook_raw, &m);
}

TEST(a_verified_webhook_goes_to_the_writer_before_it_is_answered) {
        struct op_provider_event e = { 0 };

        post(LIVEKIT_WEBHOOK, LIVEKIT_BODY);
        assert_int_equal(writer.asked, 1);
        assert_int_equal(reply.count, 0);
        assert_int_equal(writer.op, OP_provider_event);
        assert_int_equal(op_decode(OP_provider_event, buf_view(&writer.bytes), &e), 0);
        assert_slice(e.provider_event_id, "EV_vector01");
        assert_slice(e.api_key, LIVEKIT_KEY);
        assert_int_equal(e.received, VECTOR_NOW * 1000000 + 7);
        assert_null(memmem(writer.bytes.p, writer.bytes.n, LIVEKIT_WEBHOOK, 36)); /* the token is not stored */
        writer_says(STATUS_OK, "", "{\"ok\":true,\"result\":\"applied\"}");
        assert_int_equal(reply.count, 1);
        assert_int_equal(reply.status, STATUS_OK);
        assert_string_equal(counted, "applied");
}

TEST(every_result_is_counted_by_its_name) {
        const char *results[] = { "duplicate", "parked", "ignored" };
        char body[64];

        for (size_t i = 0; i < COUNT(results); i++) {
                post(LIVEKIT_WEBHOOK, LIVEKIT_BODY);
                snprintf(body, sizeof body, "{\"ok\":true,\"result\":\"%s\"}", results[i]);
                writer_says(STATUS_OK, "", body);
                assert_int_equal(reply.status, STATUS_OK);
                assert_string_equal(counted, results[i]);
        }
}

TEST(what_was_not_stored_is_not_acknowledged) {
        const enum status bad[] = { STATUS_WRITER_UNAVAILABLE, STATUS_DATABASE_UNAVAILABLE, STATUS_BUSY,
                                    STATUS_INTERNAL };

        for (size_t i = 0; i < COUNT(bad); i++) {
                counted[0] = 0;
                post(LIVEKIT_WEBHOOK, LIVEKIT_BODY);
                writer_says(bad[i], "", "");
                assert_int_equal(reply.status, bad[i]);
                assert_true(status_row(reply.status)->http >= 500); /* LiveKit tries again on these alone */
                assert_string_equal(counted, "");                   /* nothing became of it yet */
        }
        writer.busy = true;
        post(LIVEKIT_WEBHOOK, LIVEKIT_BODY);
        assert_int_equal(reply.status, STATUS_BUSY);
}

TEST(what_is_refused_never_reaches_the_writer) {
        const struct {
                const char *authorization, *body;
                enum status status;
        } bad[] = {
                { "", LIVEKIT_BODY, STATUS_WEBHOOK_UNSIGNED },
                { LIVEKIT_WEBHOOK, LIVEKIT_BODY " ", STATUS_WEBHOOK_BODY_MISMATCH },
                { LIVEKIT_WEBHOOK, "", STATUS_WEBHOOK_BODY_MISMATCH },
                { "Bearer " LIVEKIT_WEBHOOK, LIVEKIT_BODY, STATUS_WEBHOOK_TOKEN_INVALID },
                { LIVEKIT_JOIN, LIVEKIT_BODY, STATUS_WEBHOOK_TOKEN_INVALID },
        };

        lines = 0;
        for (size_t i = 0; i < COUNT(bad); i++) {
                post(bad[i].authorization, bad[i].body);
                assert_int_equal(reply.status, bad[i].status);
                assert_int_equal(reply.count, i + 1);
                assert_string_equal(counted, "refused");
        }
        assert_int_equal(writer.asked, 0);
        assert_int_equal(lines, 1); /* a stranger cannot flood the journal */
}

TEST(a_signed_body_that_is_no_event_is_invalid) {
        const char *body = "{\"event\":";
        unsigned char hash[32];
        char base64[45] = { 0 }, claims[256];
        struct buf token;

        crypto_hash_sha256(hash, (const unsigned char *)body, strlen(body));
        text_base64(hash, sizeof hash, base64);
        snprintf(claims, sizeof claims, "{\"iss\":\"%s\",\"exp\":%lld,\"sha256\":\"%s\"}", LIVEKIT_KEY,
                 (long long)VECTOR_NOW + 300, base64);
        buf_init(&token, 4096);
        jwt_sign_hs256(slice_of(claims), LIVEKIT_SECRET, strlen(LIVEKIT_SECRET), &token);
        buf_char(&token, 0);
        post(token.p, body);
        buf_free(&token);
        assert_int_equal(reply.status, STATUS_WEBHOOK_INVALID);
        assert_int_equal(writer.asked, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_verified_webhook_goes_to_the_writer_before_it_is_answered, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(every_result_is_counted_by_its_name, setup, teardown),
                cmocka_unit_test_setup_teardown(what_was_not_stored_is_not_acknowledged, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_refused_never_reaches_the_writer, setup, teardown),
                cmocka_unit_test_setup_teardown(a_signed_body_that_is_no_event_is_invalid, setup, teardown),
        };

        return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
