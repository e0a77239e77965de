import type { Knex } from 'knex';

/** Sign-in through the browser, devices that know how old they are, signing all of them out, and keys that are taken back. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- A code lives for a minute; its row stays for a day, so that a second use is noticed. family_id: the tokens made from it.
    CREATE TABLE authorization_codes (
      code_hash TEXT PRIMARY KEY,
      user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
      client_id TEXT NOT NULL,
      redirect_uri TEXT NOT NULL,
      code_challenge TEXT NOT NULL,
      device_label TEXT,
      used_at TIMESTAMPTZ,
      family_id UUID,
      expires_at TIMESTAMPTZ NOT NULL,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
    );
    CREATE INDEX idx_authorization_codes_user ON authorization_codes(user_id);

    -- When the device signed in; the first tokens of a family are forgotten long before its last.
    ALTER TABLE refresh_tokens ADD COLUMN signed_in_at TIMESTAMPTZ NOT NULL DEFAULT NOW();
    UPDATE refresh_tokens SET signed_in_at = family.began FROM (
      SELECT family_id, min(created_at) AS began FROM refresh_tokens GROUP BY family_id
    ) AS family WHERE family.family_id = refresh_tokens.family_id;

    -- When all of a person's devices were signed out: boxes refuse access tokens that were issued before.
    ALTER TABLE users ADD COLUMN devices_signed_out_at TIMESTAMPTZ;

    -- A key that may have leaked is not published any more, whatever it has signed.
    ALTER TABLE signing_keys ADD COLUMN withdrawn_at TIMESTAMPTZ;
  `);
}
