/* test_frame - a frame is good once: by this sender, for this receiver, on this connection, in this place. */
#include "unit.h"

#include <sodium.h>

#include "frame.h"

static struct cred_ring ring;
static struct frame_end a = { .kind = WRITER, .instance = 1 }, b = { .kind = FRONTEND, .instance = 2 };

static int setup(void **state) {
        (void)state;
        if (sodium_init() < 0)
                return -1;
        ring.sign = (struct secret){ sodium_malloc(64), 64 };
        (void)crypto_sign_keypair(ring.peer[WRITER].keys[0], ring.sign.p);
        ring.peer[WRITER].n_keys = 1;
        memcpy(ring.peer[WEBHOOK].keys[0], ring.peer[WRITER].keys[0], 32); /* even with the same key: another kind */
        ring.peer[WEBHOOK].n_keys = 1;
        randombytes_buf(a.nonce, 32);
        randombytes_buf(b.nonce, 32);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        secret_wipe(&ring.sign);
        return 0;
}

static struct buf sealed(uint64_t counter, const char *payload) {
        struct buf f;
        buf_init(&f, 1 << 16);
        frame_seal(&ring, &a, &b, counter, slice_of(payload), &f);
        assert_false(f.over);
        assert_int_equal(frame_size(buf_view(&f)), f.n);
        return f;
}

TEST(what_was_sealed_opens) {
        struct buf f = sealed(1, "a message");
        struct slice exactly = exact(buf_view(&f)), payload;
        assert_int_equal(frame_open(&ring, &a, &b, 1, exactly, &payload), 0);
        assert_slice(payload, "a message");
        exact_free(exactly);
        buf_free(&f);
}

TEST(an_empty_frame_opens) {
        struct buf f = sealed(1, "");
        struct slice payload;
        assert_int_equal(f.n, FRAME_HEADER);
        assert_int_equal(frame_open(&ring, &a, &b, 1, buf_view(&f), &payload), 0);
        assert_int_equal(payload.n, 0);
        buf_free(&f);
}

TEST(every_bit_counts) {
        struct buf f = sealed(7, "a message");
        struct slice payload;
        for (size_t i = 0; i < f.n * 8; i++) {
                f.p[i / 8] = (char)(f.p[i / 8] ^ 1 << i % 8);
                assert_int_equal(frame_open(&ring, &a, &b, 7, buf_view(&f), &payload), -1);
                f.p[i / 8] = (char)(f.p[i / 8] ^ 1 << i % 8);
        }
        assert_int_equal(frame_open(&ring, &a, &b, 7, buf_view(&f), &payload), 0);
        buf_free(&f);
}

TEST(it_opens_nowhere_else) {
        struct buf f = sealed(7, "a message");
        struct slice payload;
        struct frame_end other;
        assert_int_equal(frame_open(&ring, &a, &b, 8, buf_view(&f), &payload), -1);
        assert_int_equal(frame_open(&ring, &b, &a, 7, buf_view(&f), &payload), -1);
        for (unsigned i = 0; i < 6; i++) {
                struct frame_end from = a, to = b;
                switch (i) {
                case 0:
                        from.kind = WEBHOOK;
                        break;
                case 1:
                        from.instance = 2;
                        break;
                case 2:
                        from.nonce[31] ^= 1;
                        break;
                case 3:
                        to.kind = WEBHOOK;
                        break;
                case 4:
                        to.instance = 1;
                        break;
                default:
                        to.nonce[0] ^= 1;
                        break;
                }
                other = from;
                assert_int_equal(frame_open(&ring, &other, &to, 7, buf_view(&f), &payload), -1);
        }
        buf_free(&f);
}

TEST(during_rotation_either_key_is_good) {
        struct buf f = sealed(1, "a message");
        struct slice payload;
        struct cred_ring rotated = ring;
        memcpy(rotated.peer[WRITER].keys[1], ring.peer[WRITER].keys[0], 32);
        memset(rotated.peer[WRITER].keys[0], 9, 32);
        rotated.peer[WRITER].n_keys = 2;
        assert_int_equal(frame_open(&rotated, &a, &b, 1, buf_view(&f), &payload), 0);
        rotated.peer[WRITER].n_keys = 1;
        assert_int_equal(frame_open(&rotated, &a, &b, 1, buf_view(&f), &payload), -1);
        buf_free(&f);
}

TEST(cut_frames_ask_for_more) {
        struct buf f = sealed(1, "a message");
        for (uint32_t n = 0; n < f.n; n++) {
                struct slice cut = exact((struct slice){ f.p, n });
                assert_int_equal(frame_size(cut), 0);
                exact_free(cut);
        }
        buf_add(&f, "the next", 8);
        assert_int_equal(frame_size(buf_view(&f)), f.n - 8);
        buf_free(&f);
}

TEST(lengths_over_the_limit_are_refused_from_four_bytes) {
        char head[4];
        put_le32(head, FRAME_PAYLOAD_MAX);
        assert_int_equal(frame_size((struct slice){ head, 4 }), 0);
        put_le32(head, FRAME_PAYLOAD_MAX + 1);
        assert_int_equal(frame_size((struct slice){ head, 4 }), -1);
        put_le32(head, UINT32_MAX);
        assert_int_equal(frame_size((struct slice){ head, 4 }), -1);
}

TEST(a_hello_tells_who_and_only_that) {
        struct buf h;
        struct frame_end got;
        const char *why = NULL;
        buf_init(&h, 1000);
        frame_hello_put(&a, &h);
        assert_int_equal(h.n, FRAME_HELLO);
        assert_int_equal(frame_hello_get(buf_view(&h), &got, &why), 0);
        assert_int_equal(got.kind, a.kind);
        assert_int_equal(got.instance, a.instance);
        assert_memory_equal(got.nonce, a.nonce, 32);
        assert_int_equal(frame_hello_get((struct slice){ h.p, FRAME_HELLO - 1 }, &got, &why), -1);
        for (size_t i = 0; i < FRAME_HELLO; i++) {
                h.p[i] ^= 0x40;
                /* Kind becomes unknown, instance and nonce are the sender's own business, the rest must be ours. */
                bool free_choice = i == 17 || (i >= 20 && i < 52);
                assert_int_equal(frame_hello_get(buf_view(&h), &got, &why), free_choice ? 0 : -1);
                h.p[i] ^= 0x40;
        }
        buf_free(&h);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_sealed_opens),
                cmocka_unit_test(an_empty_frame_opens),
                cmocka_unit_test(every_bit_counts),
                cmocka_unit_test(it_opens_nowhere_else),
                cmocka_unit_test(during_rotation_either_key_is_good),
                cmocka_unit_test(cut_frames_ask_for_more),
                cmocka_unit_test(lengths_over_the_limit_are_refused_from_four_bytes),
                cmocka_unit_test(a_hello_tells_who_and_only_that),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
