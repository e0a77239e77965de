import type { Knex } from 'knex';

/** Boxes, their progress, and every machine ever asked of a vendor. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- No cascade from users: a row is the only record of a machine that is being billed.
    CREATE TABLE user_vps (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      user_id UUID NOT NULL REFERENCES users(id) ON DELETE RESTRICT,
      provider TEXT NOT NULL CHECK (provider IN ('contabo', 'hostinger')),
      provider_instance_id TEXT,
      hostname TEXT NOT NULL,
      ip_address INET,
      region TEXT NOT NULL,
      plan TEXT NOT NULL,
      status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'provisioning', 'ready', 'failed', 'terminated')),
      ssh_username TEXT NOT NULL DEFAULT 'spoq',
      ssh_password_hash TEXT NOT NULL,
      ssh_password_crypt TEXT NOT NULL,
      ssh_host_key_fingerprint TEXT,
      jwt_secret TEXT NOT NULL,
      failure TEXT,
      -- Every run of a job takes the next number; a write with an older one changes nothing.
      fence BIGINT NOT NULL DEFAULT 0,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      ready_at TIMESTAMPTZ,
      terminated_at TIMESTAMPTZ
    );
    CREATE UNIQUE INDEX idx_user_vps_live_user ON user_vps(user_id) WHERE status <> 'terminated';
    CREATE UNIQUE INDEX idx_user_vps_live_hostname ON user_vps(hostname) WHERE status <> 'terminated';
    CREATE INDEX idx_user_vps_status ON user_vps(status);

    CREATE TABLE vps_events (
      user_vps_id UUID NOT NULL REFERENCES user_vps(id) ON DELETE CASCADE,
      seq INTEGER NOT NULL,
      step TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('started', 'progress', 'done', 'failed')),
      message TEXT NOT NULL,
      at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      PRIMARY KEY (user_vps_id, seq)
    );

    -- intended: about to be asked of the vendor; made: the vendor has it; owned: a box runs on it; released: wiped, its renewal
    -- ended, still paid for until ends_at; ended: the vendor's list no longer has it.
    CREATE TABLE machines (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      user_vps_id UUID REFERENCES user_vps(id) ON DELETE RESTRICT,
      provider TEXT NOT NULL,
      name TEXT NOT NULL,
      provider_instance_id TEXT,
      region TEXT NOT NULL,
      product TEXT NOT NULL,
      status TEXT NOT NULL DEFAULT 'intended' CHECK (status IN ('intended', 'made', 'owned', 'released', 'ended')),
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      released_at TIMESTAMPTZ,
      ends_at TIMESTAMPTZ,
      ended_at TIMESTAMPTZ,
      UNIQUE (provider, provider_instance_id)
    );
    CREATE INDEX idx_machines_user_vps ON machines(user_vps_id);
  `);
}
