import type { Knex } from 'knex';

/** Money: what Stripe says of a person's subscription, payments that are nobody's yet, and events already applied. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE subscriptions (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      user_id UUID NOT NULL UNIQUE REFERENCES users(id) ON DELETE RESTRICT,
      stripe_customer_id TEXT,
      stripe_subscription_id TEXT UNIQUE,
      status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'past_due', 'cancelled', 'expired')),
      plan TEXT NOT NULL DEFAULT 'basic',
      expires_at TIMESTAMPTZ,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
    );

    -- A checkout that was begun in a browser; paid before anybody signed in, bound to a user afterwards.
    CREATE TABLE checkouts (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      session_hash TEXT NOT NULL,
      plan TEXT NOT NULL,
      stripe_session_id TEXT UNIQUE,
      stripe_customer_id TEXT,
      stripe_subscription_id TEXT UNIQUE,
      email TEXT,
      status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'bound', 'expired')),
      user_id UUID REFERENCES users(id) ON DELETE RESTRICT,
      created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
      paid_at TIMESTAMPTZ,
      bound_at TIMESTAMPTZ
    );
    CREATE INDEX idx_checkouts_session ON checkouts(session_hash);

    CREATE TABLE stripe_events (
      id TEXT PRIMARY KEY,
      type TEXT NOT NULL,
      created_at TIMESTAMPTZ NOT NULL,
      applied_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
    );
  `);
}
