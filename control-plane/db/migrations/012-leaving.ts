import type { Knex } from 'knex';

/** People who leave, and the browsers that they are known by. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- deleted_at: the row is what the records of money and machines still refer to, and says nothing of the person any more.
    ALTER TABLE users ADD COLUMN deletion_asked_at TIMESTAMPTZ, ADD COLUMN deleted_at TIMESTAMPTZ;
    CREATE INDEX idx_users_leaving ON users(deletion_asked_at) WHERE deletion_asked_at IS NOT NULL AND deleted_at IS NULL;
    -- Null once its owner's account is deleted.
    ALTER TABLE user_vps ALTER COLUMN ssh_password_crypt DROP NOT NULL;

    -- Browsers that a person has signed in with; only the hash of the cookie is kept. Another one is told of by mail.
    CREATE TABLE known_browsers (
      user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
      browser_hash TEXT NOT NULL,
      created_at TIMESTAMPTZ NOT NULL,
      last_used_at TIMESTAMPTZ NOT NULL,
      PRIMARY KEY (user_id, browser_hash)
    );
  `);
}
