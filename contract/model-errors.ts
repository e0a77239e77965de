/** A part of the table in errors.ts: choosing models, paying for them, and keys to them. */
export const MODEL_ERRORS = {
  model_unknown: {
    status: 422,
    title: 'There is no such model here',
    exit: 64,
    next: 'See `spoq models`.',
  },
  model_price_unknown: {
    status: 422,
    title: 'What this model costs is not known',
    exit: 1,
    next: 'Add its price to /etc/conductor/config.toml on the box, or ask another one: `spoq models`.',
  },
  budget_exceeded: {
    status: 402,
    title: 'The budget does not allow this call',
    exit: 1,
    next: 'What was said is kept. Raise the budget with `spoq budget set`, or wait until it opens again.',
  },
  key_refused: {
    status: 422,
    title: 'The provider does not accept this key',
    exit: 1,
    next: 'Check that it was copied whole and is of this provider. The key that was there is still used.',
  },
  key_not_checked: {
    status: 502,
    title: 'The key could not be checked',
    exit: 69,
    next: 'Try again, or set it without a check: `spoq keys set --no-check`. The key that was there is still used.',
  },
  key_not_kept: {
    status: 500,
    title: 'The key could not be kept',
    exit: 1,
    next: 'Look at `journalctl -u conductor-keys@*` on the box, and try again. The key that was there is still used.',
  },
  key_unknown: {
    status: 404,
    title: 'There is no such key',
    exit: 1,
    next: 'See `spoq keys list`.',
  },
} as const;
