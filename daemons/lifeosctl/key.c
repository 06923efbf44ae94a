/* key.c - lifeosctl key create, list, revoke: API keys; the database only ever sees their hash. */
#include <sodium.h>
#include <stdio.h>

#include "arena.h"
#include "ask.h"
#include "json.h"

#define ID_CHARS     16
#define SECRET_BYTES 32
#define SECRET_CHARS 43 /* base64url, unpadded */
#define DAY_MS       INT64_C(86400000)

/* The command id of one run: a repeat by the channel is the same command, another run is another one. */
static void new_command(char to[static 40]) {
        text_new_id("cmd", to);
}

static void new_key_id(char to[static ID_CHARS + 1]) {
        static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

        for (int i = 0; i < ID_CHARS; i++)
                to[i] = alphabet[randombytes_uniform(sizeof alphabet - 1)];
        to[ID_CHARS] = 0;
}

static void new_secret(char to[static SECRET_CHARS + 2]) {
        unsigned char bytes[SECRET_BYTES];

        randombytes_buf(bytes, sizeof bytes);
        to[text_base64url(bytes, sizeof bytes, to)] = 0;
        sodium_memzero(bytes, sizeof bytes);
}

/* m lacks only what is made here. */
static int create(const struct ctl *ctl, struct op_key_create m) {
        char id[ID_CHARS + 1], secret[text_base64_size(SECRET_BYTES) + 1], command[40];
        unsigned char hash[32];
        int r;

        new_command(command);
        new_key_id(id);
        new_secret(secret);
        crypto_generichash(hash, sizeof hash, (const unsigned char *)secret, strlen(secret), NULL, 0);
        OP_SET(key_create, &m, command_id, slice_of(command));
        OP_SET(key_create, &m, key_id, slice_of(id));
        OP_SET(key_create, &m, secret_hash, ((struct slice){ (const char *)hash, sizeof hash }));
        r = ask(ctl, WRITER, OP_key_create, &m, NULL);
        if (r == CTL_DONE) {
                printf("lok_%s_%s\n", id, secret);
                fputs("this is shown once; send it as  Authorization: Bearer <key>\n", stderr);
        }
        sodium_memzero(secret, sizeof secret);
        return r;
}

int run_key_create(const struct ctl *ctl, int argc, char **argv) {
        const char *scope = NULL, *account = "*", *label = NULL, *expires = NULL;
        const struct option_row rows[] = { { "--scope", &scope, NULL },
                                           { "--account", &account, NULL },
                                           { "--label", &label, NULL },
                                           { "--expires", &expires, NULL } };
        struct op_key_create m = { 0 };
        int64_t days = 0;
        int r = ctl_options(ctl, argc, argv, rows, 4, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        if (!scope || (strcmp(scope, "ingest") != 0 && strcmp(scope, "operator") != 0))
                return ctl_usage(ctl, "--scope is ingest or operator");
        if (expires && (!text_int(slice_of(expires), &days) || days < 1 || days > 36500))
                return ctl_usage(ctl, "--expires takes days, 1 to 36500");
        OP_SET(key_create, &m, account_id, slice_of(account));
        OP_SET(key_create, &m, scope, slice_of(scope));
        if (label && *label)
                OP_SET(key_create, &m, label, slice_of(label));
        if (expires)
                OP_SET(key_create, &m, expires_at_ms, text_now_micros() / 1000 + days * DAY_MS);
        return create(ctl, m);
}

/* createdAtMs=1795250933313 is printed as createdAt=2026-11-21T08:48:53.313Z. */
static void print_member(struct slice name, struct json v) {
        char time[28];
        struct slice s;
        int64_t ms;

        if (name.n > 4 && memcmp(name.p + name.n - 4, "AtMs", 4) == 0 && json_int(v, &ms) && ms >= 0 &&
            ms <= MILLIS_MAX) {
                name.n -= 2;
                s = (struct slice){ time, (uint32_t)text_time_put(ms * 1000, time) };
        } else if (!json_str(v, &s)) {
                s = json_raw(v);
        }
        printf("%.*s=%.*s", SLICE_FMT(name), SLICE_FMT(s));
}

/* One key a line, as name=value; what is null left out. */
static void print_key(struct json key) {
        struct slice name;
        struct json v;
        uint32_t it = 0;
        bool first = true;

        while (json_next(key, &it, &name, &v)) {
                if (json_type(v) == JSON_NULL)
                        continue;
                fputs(first ? "" : "  ", stdout);
                print_member(name, v);
                first = false;
        }
        putchar('\n');
}

static int print_keys(struct slice body) {
        struct arena a;
        struct json reply, key;
        struct slice none;
        const char *why;
        uint32_t it = 0;
        size_t at;
        int r = CTL_DONE;

        arena_init(&a, 64u << 20);
        if (json_parse(body, &a, &reply, &why, &at) != 0 || json_type(json_get(reply, "keys")) != JSON_ARRAY)
                r = ctl_fail("the writer's answer is no list of keys");
        else
                while (json_next(json_get(reply, "keys"), &it, &none, &key))
                        print_key(key);
        arena_free(&a);
        return r;
}

int run_key_list(const struct ctl *ctl, int argc, char **argv) {
        const char *account = NULL;
        bool json = false;
        const struct option_row rows[] = { { "--account", &account, NULL }, { "--json", NULL, &json } };
        struct op_key_list m = { 0 };
        struct buf body;
        int r = ctl_options(ctl, argc, argv, rows, 2, NULL, 0, NULL);

        if (r != CTL_DONE)
                return r;
        if (account)
                OP_SET(key_list, &m, account_id, slice_of(account));
        buf_init(&body, 16u << 20);
        r = ask(ctl, WRITER, OP_key_list, &m, &body);
        if (r == CTL_DONE && json)
                printf("%.*s\n", (int)body.n, body.p);
        else if (r == CTL_DONE)
                r = print_keys(buf_view(&body));
        buf_free(&body);
        return r;
}

int run_key_revoke(const struct ctl *ctl, int argc, char **argv) {
        const char *id = NULL;
        char command[40];
        struct op_key_revoke m = { 0 };
        int r = ctl_options(ctl, argc, argv, NULL, 0, &id, 1, NULL);

        if (r != CTL_DONE)
                return r;
        if (!id)
                return ctl_usage(ctl, "which key?");
        if (strncmp(id, "lok_", 4) == 0)
                return ctl_fail("ID is the part between the underscores; others see a key on a command line");
        new_command(command);
        OP_SET(key_revoke, &m, command_id, slice_of(command));
        OP_SET(key_revoke, &m, key_id, slice_of(id));
        r = ask(ctl, WRITER, OP_key_revoke, &m, NULL);
        if (r == CTL_DONE)
                fprintf(stderr, "revoked %s\n", id);
        return r;
}
