import type { Knex } from 'knex';

/** Mails: written down with what they tell of, in one transaction, and sent by a job. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- key: what a mail is about, so that nobody is told the same thing twice. to_address is null where none is known.
    CREATE TABLE mails (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      key TEXT UNIQUE NOT NULL,
      kind TEXT NOT NULL,
      user_id UUID REFERENCES users(id) ON DELETE CASCADE,
      to_address TEXT,
      subject TEXT NOT NULL,
      text TEXT NOT NULL,
      html TEXT NOT NULL,
      created_at TIMESTAMPTZ NOT NULL,
      sent_at TIMESTAMPTZ,
      -- What the mail server answered when it refused it for good.
      failure TEXT
    );
    CREATE INDEX idx_mails_user ON mails(user_id);
    CREATE INDEX idx_mails_unsent ON mails(created_at) WHERE sent_at IS NULL AND failure IS NULL AND to_address IS NOT NULL;
  `);
}
