/* auth_token.c - a JSON Web Token becomes an identity: who signed it, for whom, until when, and as what. */
#include "auth.h"
#include "settings.h"

#define REMEMBER INT64_C(60000000) /* microseconds a verified token is believed without looking again */

bool auth_name(struct slice s) {
        for (uint32_t i = 0; i < s.n; i++)
                if (s.p[i] <= ' ' || s.p[i] > '~')
                        return false;
        return s.n >= 1 && s.n <= 128;
}

static bool person_role(struct slice role) {
        static const char *const roles[] = { "owner", "admin", "member", "viewer" };
        for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
                if (slice_is(role, roles[i]))
                        return true;
        return false;
}

/* RFC 7519 4.1.3: one string, or an array that names us. */
static bool audience_fits(struct json aud, const char *us) {
        struct slice s, key;
        struct json v;
        uint32_t it = 0;
        if (json_type(aud) == JSON_STRING)
                return json_str(aud, &s) && slice_is(s, us);
        while (json_type(aud) == JSON_ARRAY && json_next(aud, &it, &key, &v))
                if (json_str(v, &s) && slice_is(s, us))
                        return true;
        return false;
}

/* The claim's text, or `otherwise` if there is no such claim; false if it is something else than a string. */
static bool claim(struct json claims, const char *name, struct slice otherwise, struct slice *ret) {
        struct json v = json_get(claims, name);
        if (json_type(v) == JSON_NONE) {
                *ret = otherwise;
                return true;
        }
        return json_str(v, ret);
}

static bool identity(const struct auth_state *s, const struct auth_issuer *is, struct json claims,
                     struct auth_entry *ret) {
        struct slice sub, account, role;
        if (!audience_fits(json_get(claims, "aud"), is->audience) || !json_str(json_get(claims, "sub"), &sub))
                return false;
        /* Our issuer's word for an account may be missing: it is the user's own. A provider's may not: its users may be
         * free to choose a name, and one of them would choose a tenant's. */
        if (!claim(claims, is->account_claim, is == &s->ours ? sub : (struct slice){ 0 }, &account) ||
            !claim(claims, is->role_claim, slice_of(is->role), &role))
                return false;
        /* "*" is the whole appliance: only service keys may be that. */
        if (!auth_name(sub) || !auth_name(account) || slice_is(account, "*") || !person_role(role))
                return false;
        *ret = (struct auth_entry){ .status = STATUS_OK };
        return slice_copy(sub, ret->id, sizeof(ret->id)) && slice_copy(account, ret->account, sizeof(ret->account)) &&
               slice_copy(role, ret->role, sizeof(ret->role));
}

enum status auth_token(const struct auth_state *s, struct slice token, int64_t now, struct arena *a,
                       struct auth_entry *ret, int64_t *ret_until) {
        struct json claims;
        struct slice iss;
        int64_t exp = 0;
        if (jwt_peek(token, a, &claims) != JWT_OK || !json_str(json_get(claims, "iss"), &iss))
                return STATUS_AUTH_INVALID;
        const struct auth_issuer *is = slice_is(iss, s->ours.iss) ? &s->ours : &s->idp;
        if (is->n_keys == 0 || !slice_is(iss, is->iss))
                return STATUS_AUTH_INVALID;
        switch (jwt_verify(token, is->keys, is->n_keys, now / 1000000, setting_int(SETTING_jwt_leeway_seconds), a,
                           &claims)) {
        case JWT_OK:
                break;
        case JWT_EXPIRED:
                return STATUS_AUTH_EXPIRED;
        case JWT_MALFORMED:
        case JWT_NO_KEY:
        case JWT_BAD_SIGNATURE:
        case JWT_NOT_YET:
        case JWT_NO_EXP:
                return STATUS_AUTH_INVALID;
        }
        if (!json_int(json_get(claims, "exp"), &exp) || !identity(s, is, claims, ret))
                return STATUS_AUTH_INVALID;
        int64_t leeway = setting_int(SETTING_jwt_leeway_seconds), latest = now + REMEMBER;
        /* While verification would still let the token in, so that who comes back is not sent away again. */
        ret->ends = exp < MICROS_MAX / 1000000 - leeway ? (exp + leeway) * 1000000 : MICROS_MAX;
        *ret_until = exp < latest / 1000000 ? exp * 1000000 : latest;
        return STATUS_OK;
}
