import type { Knex } from 'knex';

/** Boxes that go to another machine: elsewhere, at another vendor, or of another size. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE user_vps DROP CONSTRAINT user_vps_operation_check;
    ALTER TABLE user_vps ADD CONSTRAINT user_vps_operation_check CHECK (operation IN ('restart', 'rebuild', 'move', 'password'));

    -- machine: which of its machines the box runs on, the number of the move that brought it there; 0 is the first.
    -- move: where it is going and how far that is (see db/moves.ts); null when nothing of a move is left to do.
    ALTER TABLE user_vps ADD COLUMN machine INTEGER NOT NULL DEFAULT 0, ADD COLUMN move JSONB;
  `);
}
