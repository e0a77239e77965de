import type { Knex } from 'knex';

/** What is being done to a box that is ready. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- The box stays 'ready'. operation: what was asked for last and has not ended well; without operation_failure it is going on.
    -- operation_number: never used twice for one box, so that its machine is wiped once for each time that somebody asked.
    ALTER TABLE user_vps
      ADD COLUMN operation TEXT CHECK (operation IN ('restart', 'rebuild', 'password')),
      ADD COLUMN operation_number INTEGER NOT NULL DEFAULT 0,
      ADD COLUMN operation_failure TEXT;
    CREATE INDEX idx_user_vps_operation ON user_vps(id) WHERE operation IS NOT NULL;
  `);
}
