import type { Knex } from 'knex';

/** Which release each box has, and how a new one gets to all of them. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- The release that a box was last seen to run well; null for boxes that were made before this was noted.
    ALTER TABLE user_vps ADD COLUMN release_version TEXT, ADD COLUMN released_at TIMESTAMPTZ;

    CREATE TABLE rollouts (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      version TEXT NOT NULL,
      max_failures INTEGER NOT NULL CHECK (max_failures > 0),
      state TEXT NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped', 'failed', 'done')),
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      ended_at TIMESTAMPTZ
    );
    CREATE UNIQUE INDEX idx_rollouts_running ON rollouts((true)) WHERE state = 'running';

    -- waiting: not begun; running: a job has it; done: runs the new release; failed: has taken it back by itself;
    -- passed_over: was not touched, for a reason that says nothing of the release.
    CREATE TABLE rollout_boxes (
      rollout_id UUID NOT NULL REFERENCES rollouts(id) ON DELETE CASCADE,
      user_vps_id UUID NOT NULL REFERENCES user_vps(id) ON DELETE CASCADE,
      wave INTEGER NOT NULL,
      position INTEGER NOT NULL,
      state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed', 'passed_over')),
      reason TEXT,
      started_at TIMESTAMPTZ,
      ended_at TIMESTAMPTZ,
      PRIMARY KEY (rollout_id, user_vps_id)
    );
    CREATE UNIQUE INDEX idx_rollout_boxes_running ON rollout_boxes(user_vps_id) WHERE state = 'running';
  `);
}
