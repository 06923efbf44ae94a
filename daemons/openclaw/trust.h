/* trust.h - the credentials of the way out: our token for the gateway, and whose certificates it is believed by. */
#pragma once

#include "cred.h"

/* The header line with the token, NUL-terminated. False: the credential openclaw-token is missing or empty. die() if
 * it could not be a header. */
bool trust_bearer(struct secret *ret);
/* The credential openclaw-ca, or the system's certificates if it is empty: PEM. die() if there are none. */
void trust_ca(struct secret *ret);
/* The agent's name becomes part of a header and of a JSON string; die() if it cannot. */
void trust_agent(const char *agent);
