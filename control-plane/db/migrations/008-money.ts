import type { Knex } from 'knex';

/** The life of a subscription after its first payment: grace, claims, and what we have promised Stripe to undo. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- A grace period begins when we learn that nothing is paid any more; its dates are written down then, and only move back.
    -- cancel_at: it is paid until then and ends by its owner's wish.
    ALTER TABLE subscriptions
      ADD COLUMN cancel_at TIMESTAMPTZ,
      ADD COLUMN grace_started_at TIMESTAMPTZ,
      ADD COLUMN suspends_at TIMESTAMPTZ,
      ADD COLUMN grace_ends_at TIMESTAMPTZ,
      ADD COLUMN checked_at TIMESTAMPTZ,
      ADD CONSTRAINT subscriptions_grace CHECK (
        (grace_started_at IS NULL) = (grace_ends_at IS NULL) AND (grace_started_at IS NULL) = (suspends_at IS NULL));
    CREATE INDEX idx_subscriptions_grace ON subscriptions(grace_ends_at) WHERE grace_ends_at IS NOT NULL;

    -- claim_hash: of the token in the mail that lets another browser claim what was paid in this one.
    ALTER TABLE checkouts DROP CONSTRAINT checkouts_status_check;
    ALTER TABLE checkouts
      ADD CONSTRAINT checkouts_status_check CHECK (status IN ('open', 'paid', 'bound', 'expired', 'returned')),
      ADD COLUMN claim_hash TEXT UNIQUE,
      ADD COLUMN claim_mailed_at TIMESTAMPTZ;
    CREATE INDEX idx_checkouts_paid ON checkouts(paid_at) WHERE status = 'paid';

    -- What is to be undone at Stripe: written down in the transaction that decides it, carried out by a job, as often as it takes.
    -- refund: everything that was paid since refund_since is given back; otherwise the subscription only ends.
    CREATE TABLE settlements (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      stripe_subscription_id TEXT NOT NULL,
      user_id UUID REFERENCES users(id) ON DELETE RESTRICT,
      checkout_id UUID REFERENCES checkouts(id) ON DELETE RESTRICT,
      reason TEXT NOT NULL CHECK (reason IN ('unclaimed', 'paid_twice', 'replaced', 'no_box', 'grace_over', 'disputed', 'deleted')),
      refund BOOLEAN NOT NULL,
      refund_since TIMESTAMPTZ,
      refunded_amount INTEGER NOT NULL DEFAULT 0,
      currency TEXT,
      created_at TIMESTAMPTZ NOT NULL,
      done_at TIMESTAMPTZ,
      UNIQUE (stripe_subscription_id, reason)
    );
    CREATE INDEX idx_settlements_open ON settlements(created_at) WHERE done_at IS NULL;

    -- A box whose machine is switched off because nobody pays. resize_number: the operation that brings it to another plan's size.
    ALTER TABLE user_vps ADD COLUMN suspended_at TIMESTAMPTZ, ADD COLUMN resize_number INTEGER;
    ALTER TABLE user_vps DROP CONSTRAINT user_vps_operation_check;
    ALTER TABLE user_vps ADD CONSTRAINT user_vps_operation_check
      CHECK (operation IN ('restart', 'rebuild', 'move', 'password', 'suspend', 'resume'));
  `);
}
