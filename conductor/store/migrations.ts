/**
 * The tables of the box's own database, in the order in which they came. They only ever grow: after a release that was taken back, the
 * older conductor works on with what the newer one has added.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    folder_key TEXT,
    folder_name TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX conversations_by_time ON conversations (updated_at DESC);

  -- request: chosen by the client, so that asking twice is asking once. input: what a turn needs to be continued, as JSON.
  CREATE TABLE turns (
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    request TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    model TEXT,
    input TEXT,
    first_event INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_micros INTEGER,
    PRIMARY KEY (conversation, number)
  ) STRICT;
  CREATE INDEX turns_by_state ON turns (state);

  CREATE TABLE events (
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (conversation, number)
  ) STRICT, WITHOUT ROWID;

  -- What the model is told and has said, one message of the AI SDK each, as JSON.
  CREATE TABLE messages (
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (conversation, position)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Every call of a model: what was set aside for it before it began (reserved), then what it has cost (settled), or what was set aside where
  -- nobody has said (kept). In micro-dollars. It outlives its conversation.
  CREATE TABLE spend (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    conversation TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    micros INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX spend_by_time ON spend (at);
  CREATE INDEX spend_at_work ON spend (id) WHERE state = 'reserved';

  -- The sums, which a call must not wait for: by day since 1970 (UTC), and by conversation. What is written above changes them with it.
  CREATE TABLE spend_days (day INTEGER PRIMARY KEY, spent INTEGER NOT NULL, reserved INTEGER NOT NULL) STRICT;
  CREATE TABLE spend_conversations (conversation TEXT PRIMARY KEY, spent INTEGER NOT NULL, reserved INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER spend_begun AFTER INSERT ON spend BEGIN
    INSERT INTO spend_days VALUES (NEW.at / 86400000, iif(NEW.state = 'reserved', 0, NEW.micros), iif(NEW.state = 'reserved', NEW.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
    INSERT INTO spend_conversations VALUES (NEW.conversation, iif(NEW.state = 'reserved', 0, NEW.micros), iif(NEW.state = 'reserved', NEW.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
  END;
  CREATE TRIGGER spend_changed AFTER UPDATE OF at, state, micros ON spend BEGIN
    INSERT INTO spend_days VALUES (OLD.at / 86400000, -iif(OLD.state = 'reserved', 0, OLD.micros), -iif(OLD.state = 'reserved', OLD.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
    INSERT INTO spend_conversations VALUES (OLD.conversation, -iif(OLD.state = 'reserved', 0, OLD.micros), -iif(OLD.state = 'reserved', OLD.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
    INSERT INTO spend_days VALUES (NEW.at / 86400000, iif(NEW.state = 'reserved', 0, NEW.micros), iif(NEW.state = 'reserved', NEW.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
    INSERT INTO spend_conversations VALUES (NEW.conversation, iif(NEW.state = 'reserved', 0, NEW.micros), iif(NEW.state = 'reserved', NEW.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
  END;
  CREATE TRIGGER spend_gone AFTER DELETE ON spend BEGIN
    INSERT INTO spend_days VALUES (OLD.at / 86400000, -iif(OLD.state = 'reserved', 0, OLD.micros), -iif(OLD.state = 'reserved', OLD.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
    INSERT INTO spend_conversations VALUES (OLD.conversation, -iif(OLD.state = 'reserved', 0, OLD.micros), -iif(OLD.state = 'reserved', OLD.micros, 0))
      ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved;
  END;

  -- Limits that were changed: day, month, conversation. NULL is no limit.
  CREATE TABLE budgets (name TEXT PRIMARY KEY, micros INTEGER) STRICT, WITHOUT ROWID;
  `,
  `
  -- Where the tools of a conversation work: a copy of a workspace, as it was at a snapshot.
  CREATE TABLE workplaces (
    conversation TEXT PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    workspace TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    files INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  -- id: not to be guessed, and never told to what runs in a workplace. decision: null while it is waited for.
  CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,
    call TEXT NOT NULL,
    rule TEXT NOT NULL,
    decision TEXT
  ) STRICT;
  CREATE INDEX approvals_by_call ON approvals (conversation, call);

  -- What was answered with "always".
  CREATE TABLE allowed (
    workspace TEXT NOT NULL,
    rule TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workspace, rule)
  ) STRICT, WITHOUT ROWID;
  `,
];
