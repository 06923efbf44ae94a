-- 0003_keys.sql - API keys of service callers; the secret's hash is all we have of it.

CREATE TABLE lifeos.api_key (
        key_id          text COLLATE "C" PRIMARY KEY,
        account_id      text COLLATE "C" NOT NULL,
        scope           text NOT NULL CHECK (scope IN ('ingest', 'operator')),
        label           text,
        secret_hash     bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
        created_at      bigint NOT NULL,
        expires_at      bigint,
        revoked_at      bigint
);
CREATE INDEX api_key_by_account ON lifeos.api_key (account_id, created_at);
COMMENT ON COLUMN lifeos.api_key.account_id IS '* is the whole appliance';
