import type { Knex } from 'knex';

/** What people see of their account: sessions by a name that opens nothing, and an audit log that can't be emptied. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- For the page of devices. Not the cookie's hash, which belongs on no page.
    ALTER TABLE sessions ADD COLUMN id UUID NOT NULL UNIQUE DEFAULT gen_random_uuid();

    CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
  `);
}
