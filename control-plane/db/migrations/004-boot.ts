import type { Knex } from 'knex';

/** What a box tells of its own set-up. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One for the set-up that is under way: gone when the box is ready or has failed. steps: step to its last state.
    CREATE TABLE boot_tokens (
      user_vps_id UUID PRIMARY KEY REFERENCES user_vps(id) ON DELETE CASCADE,
      token_hash TEXT UNIQUE NOT NULL,
      token_sealed TEXT NOT NULL,
      steps JSONB NOT NULL DEFAULT '{}',
      -- Why the set-up failed, in words for the customer.
      failure TEXT,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      expires_at TIMESTAMPTZ NOT NULL
    );

    -- A step of the box's own: {step, state}. Null for events that the control plane tells.
    ALTER TABLE vps_events ADD COLUMN part JSONB;
  `);
}
