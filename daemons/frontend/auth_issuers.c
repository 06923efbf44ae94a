/* auth_issuers.c - whose tokens are believed: our issuer's keys and, if configured, an identity provider's. */
#include <errno.h>
#include <stdio.h>

#include "auth.h"
#include "cred.h"
#include "log.h"
#include "settings.h"

#define ISSUER_BYTES 8192u
#define JWKS_BYTES   65536u

static struct slice word(struct slice *line) {
        *line = slice_trim(*line);
        uint32_t n = 0;
        while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
                n++;
        struct slice w = { line->p, n };
        *line = (struct slice){ line->p + n, line->n - n };
        return w;
}

static const char *issuer_line(struct slice line, struct auth_issuer *to) {
        unsigned char pub[32];
        char kid[65];
        struct slice id = word(&line), hex = word(&line);
        if (to->n_keys == AUTH_KEYS_MAX)
                return "too many keys";
        if (!slice_copy(id, kid, sizeof(kid)) || !text_unhex(hex, pub, sizeof(pub)) || word(&line).n > 0)
                return "a line is not \"<kid> <64 hex digits>\"";
        to->keys[to->n_keys] = jwt_key_ed25519(pub, kid);
        if (!to->keys[to->n_keys])
                return "a key was not accepted";
        to->n_keys++;
        return NULL;
}

int auth_issuer_keys(struct slice text, struct auth_issuer *to, char why[static 160]) {
        while (text.n > 0) {
                uint32_t n = 0;
                while (n < text.n && text.p[n] != '\n')
                        n++;
                struct slice line = slice_trim((struct slice){ text.p, n });
                n += n < text.n;
                text = (struct slice){ text.p + n, text.n - n };
                if (line.n == 0 || line.p[0] == '#')
                        continue;
                const char *wrong = issuer_line(line, to);
                if (wrong) {
                        snprintf(why, 160, "%s", wrong);
                        return -1;
                }
        }
        return 0;
}

/* False: there is no such credential. */
static bool credential(const char *name, size_t max, struct secret *ret) {
        int r = cred_read(name, max, ret);
        if (r < 0)
                die("credential %s: %s", name, strerror(errno));
        return r == 0;
}

static void load_ours(struct auth_issuer *ours) {
        struct secret text;
        char why[160];
        ours->iss = setting_text(SETTING_jwt_issuer);
        ours->audience = setting_text(SETTING_jwt_audience);
        ours->account_claim = "account";
        ours->role_claim = "role";
        ours->role = "owner";
        if (!credential("issuer-pub", ISSUER_BYTES, &text)) {
                log_warn("no credential issuer-pub: tokens of lifeosctl are not accepted");
                return;
        }
        if (auth_issuer_keys((struct slice){ (const char *)text.p, (uint32_t)text.n }, ours, why) < 0)
                die("credential issuer-pub: %s", why);
        secret_wipe(&text);
}

static void load_idp(struct auth_issuer *idp, const struct auth_issuer *ours) {
        struct secret text;
        char why[160];
        idp->iss = setting_text(SETTING_idp_issuer);
        idp->audience = setting_text(SETTING_idp_audience);
        idp->account_claim = setting_text(SETTING_idp_account_claim);
        idp->role_claim = setting_text(SETTING_idp_role_claim);
        idp->role = "member";
        if (idp->iss[0] == '\0')
                return;
        if (strcmp(idp->iss, ours->iss) == 0)
                die("idp_issuer and jwt_issuer must differ");
        if (idp->audience[0] == '\0')
                die("idp_issuer is set, so idp_audience must be");
        if (!credential("jwks", JWKS_BYTES, &text))
                die("idp_issuer is set, but there is no credential jwks");
        idp->n_keys = jwt_keys_from_jwks((struct slice){ (const char *)text.p, (uint32_t)text.n }, idp->keys,
                                         AUTH_KEYS_MAX, why);
        if (idp->n_keys < 0)
                die("credential jwks: %s", why);
        if (idp->n_keys == 0)
                log_warn("idp_issuer is set, but the credential jwks holds no key");
        secret_wipe(&text);
}

void auth_issuers_load(struct auth_state *s) {
        load_ours(&s->ours);
        load_idp(&s->idp, &s->ours);
}
