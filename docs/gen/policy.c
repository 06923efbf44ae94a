/* policy.c - prints migrations/api/05_policy.sql from policy/actions.def and common/status.def. */
#include "policy.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>

#include "buf.h"
#include "status.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
        const char *type, *tier, *rule, *does, *kind;
        int seconds;
} types[] = {
#define ACTION(type, tier, rule, does, kind, tool, seconds, what) { type, #tier, #rule, #does, #kind, seconds },
#define ARGUMENT(type, name, kind, need, max, what)
#include "policy/actions.def"
};

static const struct {
        const char *type, *name, *kind, *need;
        int max;
} arguments[] = {
#define ACTION(type, tier, rule, does, kind, tool, seconds, what)
#define ARGUMENT(type, name, kind, need, max, what) { type, name, #kind, #need, max },
#include "policy/actions.def"
};

/* The table's word as clients and the database spell it: HIGH_RISK is 'high-risk'. */
static void word(struct buf *b, const char *spelled) {
        buf_char(b, '\'');
        for (const char *p = spelled; *p; p++)
                buf_char(b, *p == '_' ? '-' : (char)tolower((unsigned char)*p));
        buf_char(b, '\'');
}

static void type_rows(struct buf *b) {
        for (size_t i = 0; i < COUNT(types); i++) {
                buf_fmt(b, "%s\n                ('%s', ", i ? "," : "", types[i].type);
                word(b, types[i].tier);
                buf_str(b, ", ");
                word(b, types[i].rule);
                buf_str(b, ", ");
                word(b, types[i].does);
                buf_str(b, ", ");
                if (strcmp(types[i].kind, "none") == 0)
                        buf_str(b, "NULL");
                else
                        word(b, types[i].kind);
                buf_fmt(b, ", %d%s)", types[i].seconds, i ? "" : "::bigint");
        }
}

static void argument_rows(struct buf *b) {
        for (size_t i = 0; i < COUNT(arguments); i++) {
                buf_fmt(b, "%s\n                ('%s', '%s', ", i ? "," : "", arguments[i].type, arguments[i].name);
                word(b, arguments[i].kind);
                buf_fmt(b, ", %s, %d%s)", strcmp(arguments[i].need, "REQ") == 0 ? "true" : "false", arguments[i].max,
                        i ? "" : "::bigint");
        }
}

static void retryable(void) {
        bool first = true;

        printf("\n-- Would trying again help? As every answer says it.\n"
               "CREATE FUNCTION lib.retryable(code text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$\n"
               "        SELECT code = ANY ('{");
        for (int s = 0; s < STATUS_COUNT; s++) {
                if (status_row((enum status)s)->retry != RETRYABLE)
                        continue;
                printf("%s\n                %s", first ? "" : ",", status_row((enum status)s)->name);
                first = false;
        }
        printf("}'::text[])\n$$;\n");
}

void policy_sql(void) {
        struct buf a, b, both;
        unsigned char h[crypto_hash_sha256_BYTES];
        char hex[2 * sizeof h + 1];

        buf_init(&a, 1u << 20);
        buf_init(&b, 1u << 20);
        buf_init(&both, 2u << 20);
        type_rows(&a);
        argument_rows(&b);
        buf_slice(&both, buf_view(&a));
        buf_slice(&both, buf_view(&b));
        crypto_hash_sha256(h, (const unsigned char *)both.p, both.n);
        text_hex(h, sizeof h, hex);
        printf("-- 05_policy.sql - what the assistant and its users may have done, and who has to say yes.\n"
               "--\n-- Generated from policy/actions.def and common/status.def; do not edit.\n\n"
               "CREATE FUNCTION lib.action_types()\n"
               "RETURNS TABLE (action_type text, tier text, rule text, does text, kind text, seconds bigint)\n"
               "LANGUAGE sql IMMUTABLE AS $$\n        VALUES%.*s\n$$;\n\n",
               (int)a.n, a.p);
        printf("CREATE FUNCTION lib.action_arguments()\n"
               "RETURNS TABLE (action_type text, name text, kind text, required boolean, max bigint)\n"
               "LANGUAGE sql IMMUTABLE AS $$\n        VALUES%.*s\n$$;\n\n",
               (int)b.n, b.p);
        printf("-- Another policy has another name: what was confirmed under the old one is asked again.\n"
               "CREATE FUNCTION lib.policy_version() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'policy_%.16s' "
               "$$;\n",
               hex);
        retryable();
        buf_free(&a);
        buf_free(&b);
        buf_free(&both);
}
