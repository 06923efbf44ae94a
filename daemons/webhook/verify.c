/* verify.c - media type, token, key, signature, validity, body hash: in this order, the first failure decides. */
#include "verify.h"

#include <sodium.h>

static bool media_type_known(struct slice content_type) {
        const char *semicolon = content_type.n ? memchr(content_type.p, ';', content_type.n) : NULL;
        struct slice type = content_type;

        if (semicolon)
                type.n = (uint32_t)(semicolon - content_type.p);
        type = slice_trim(type);
        return slice_is_nocase(type, "application/webhook+json") || slice_is_nocase(type, "application/json");
}

static enum status token_status(enum jwt_result r, const char **ret_why) {
        switch (r) {
        case JWT_OK:
                return STATUS_OK;
        case JWT_EXPIRED:
                *ret_why = "the webhook's token has expired; check both clocks";
                return STATUS_WEBHOOK_EXPIRED;
        case JWT_NOT_YET:
                *ret_why = "the webhook's token is not valid yet; check both clocks";
                return STATUS_WEBHOOK_EXPIRED;
        case JWT_NO_EXP:
                *ret_why = "the webhook's token has no exp";
                return STATUS_WEBHOOK_EXPIRED;
        case JWT_MALFORMED:
        case JWT_NO_KEY: /* another algorithm than HS256 */
        case JWT_BAD_SIGNATURE:
                break;
        }
        return STATUS_WEBHOOK_TOKEN_INVALID;
}

/* The claim is the standard base64 of the hash; anything else it could be is a mismatch. */
static enum status check_body(struct json claims, struct slice body, unsigned char hash[static 32],
                              const char **ret_why) {
        char ours[text_base64_size(crypto_hash_sha256_BYTES)] = { 0 };
        struct slice claim;

        if (!json_str(json_get(claims, "sha256"), &claim)) {
                *ret_why = "the webhook's token has no sha256 claim; it is no webhook token";
                return STATUS_WEBHOOK_TOKEN_INVALID;
        }
        crypto_hash_sha256(hash, (const unsigned char *)body.p, body.n);
        if (!slice_eq_secret(claim, (struct slice){ ours, (uint32_t)text_base64(hash, 32, ours) }))
                return STATUS_WEBHOOK_BODY_MISMATCH;
        return STATUS_OK;
}

enum status webhook_verify(const struct livekit_keys *keys, const struct op_webhook_raw *raw, int64_t now,
                           int64_t leeway, struct arena *a, struct webhook_verified *ret, const char **ret_why) {
        const struct livekit_key *key;
        struct webhook_verified v;
        struct json claims;
        struct slice iss;
        enum status s;

        *ret_why = NULL;
        if (!media_type_known(raw->content_type)) {
                *ret_why = "send Content-Type: application/webhook+json";
                return STATUS_UNSUPPORTED_MEDIA_TYPE;
        }
        if (raw->authorization.n == 0)
                return STATUS_WEBHOOK_UNSIGNED;
        if (keys->n == 0)
                return STATUS_LIVEKIT_UNAVAILABLE;
        if (jwt_peek(raw->authorization, a, &claims) != JWT_OK || !json_str(json_get(claims, "iss"), &iss))
                return STATUS_WEBHOOK_TOKEN_INVALID;
        key = livekit_key_find(keys, iss);
        if (!key)
                return STATUS_WEBHOOK_KEY_UNKNOWN;
        s = token_status(jwt_verify(raw->authorization, &key->verify, 1, now, leeway, a, &claims), ret_why);
        if (s != STATUS_OK)
                return s;
        s = check_body(claims, raw->body, v.body_hash, ret_why);
        if (s != STATUS_OK)
                return s;
        v.api_key = key->name;
        *ret = v;
        return STATUS_OK;
}
