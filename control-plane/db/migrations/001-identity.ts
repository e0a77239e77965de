import type { Knex } from 'knex';

/** People, their sessions, devices and tokens, and what was done in their name. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE users (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      github_id TEXT UNIQUE NOT NULL,
      username TEXT NOT NULL,
      email TEXT,
      avatar_url TEXT,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
    );

    -- A browser, signed in or not yet; only the hash of its cookie is kept. data: OAuth state, PKCE verifier, return path.
    CREATE TABLE sessions (
      id_hash TEXT PRIMARY KEY,
      user_id UUID REFERENCES users(id) ON DELETE CASCADE,
      data JSONB NOT NULL DEFAULT '{}',
      ip TEXT,
      user_agent TEXT,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      last_seen_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      expires_at TIMESTAMPTZ NOT NULL
    );
    CREATE INDEX idx_sessions_user ON sessions(user_id);
    CREATE INDEX idx_sessions_expires ON sessions(expires_at);

    -- The password itself is nowhere. argon2_hash verifies; crypt_sealed is the $6$ hash for the box, encrypted.
    CREATE TABLE ssh_passwords (
      user_id UUID PRIMARY KEY REFERENCES users(id) ON DELETE CASCADE,
      argon2_hash TEXT NOT NULL,
      crypt_sealed TEXT NOT NULL,
      updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
    );

    CREATE TABLE device_grants (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      device_code_hash TEXT UNIQUE NOT NULL,
      word_code TEXT NOT NULL,
      hostname TEXT,
      ip TEXT,
      user_agent TEXT,
      user_id UUID REFERENCES users(id) ON DELETE CASCADE,
      status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'denied', 'used')),
      interval_seconds INTEGER NOT NULL DEFAULT 5,
      last_polled_at TIMESTAMPTZ,
      expires_at TIMESTAMPTZ NOT NULL,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
    );
    CREATE UNIQUE INDEX idx_device_grants_word_code ON device_grants(word_code) WHERE status = 'pending';

    -- A family is one device's chain of tokens; using a replaced one revokes the family.
    CREATE TABLE refresh_tokens (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
      family_id UUID NOT NULL,
      token_hash TEXT UNIQUE NOT NULL,
      device_label TEXT,
      ip TEXT,
      successor_sealed TEXT,
      used_at TIMESTAMPTZ,
      last_used_at TIMESTAMPTZ,
      expires_at TIMESTAMPTZ NOT NULL,
      revoked_at TIMESTAMPTZ,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
    );
    CREATE INDEX idx_refresh_tokens_family ON refresh_tokens(family_id);
    CREATE INDEX idx_refresh_tokens_user ON refresh_tokens(user_id);

    CREATE TABLE signing_keys (
      kid TEXT PRIMARY KEY,
      algorithm TEXT NOT NULL,
      public_jwk JSONB NOT NULL,
      private_jwk_sealed TEXT NOT NULL,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      retired_at TIMESTAMPTZ
    );

    -- Attempts by kind and caller, as rate-limiter-flexible counts them; expire is in milliseconds of Unix time.
    CREATE TABLE rate_limits (
      key VARCHAR(255) PRIMARY KEY,
      points INTEGER NOT NULL DEFAULT 0,
      expire BIGINT
    );
    CREATE INDEX idx_rate_limits_expire ON rate_limits(expire);

    CREATE TABLE audit_log (
      id BIGSERIAL PRIMARY KEY,
      at TIMESTAMPTZ NOT NULL,
      actor TEXT NOT NULL,
      user_id UUID,
      action TEXT NOT NULL,
      detail JSONB NOT NULL DEFAULT '{}',
      ip TEXT,
      previous_hash TEXT NOT NULL,
      hash TEXT NOT NULL
    );
    CREATE INDEX idx_audit_log_user ON audit_log(user_id);
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_log is append only'; END $$;
    CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
  `);
}
