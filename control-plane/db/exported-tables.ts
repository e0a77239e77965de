/** What a person is given of one table. */
export interface ExportedTable {
  table: string;
  /** Its name in the archive. */
  file: string;
  /** What it holds, in words for whoever opens the archive. */
  about: string;
  /** Column by column: one that a migration adds is given to nobody before it stands here. */
  columns: readonly string[];
  /** Read with SQL, by its name in the archive. */
  computed?: Record<string, string>;
  /** Whose rows, as SQL of `:user`. */
  where: string;
  /** A unique order, the oldest first. Columns that are never null. */
  order: readonly string[];
}

const names = (text: string): string[] => text.trim().split(/\s+/);

const OF_USER = 'user_id = :user';
const OF_BOX = 'user_vps_id IN (SELECT id FROM user_vps WHERE user_id = :user)';
const OLDEST_FIRST = ['created_at', 'id'];

/** Who is told from where: an operator's address is the operator's. */
const OWN_ADDRESS = "CASE WHEN actor = 'device' OR actor = 'user:' || :user THEN ip END";

export const AUDIT_EXPORT: ExportedTable = {
  table: 'audit_log',
  file: 'activity.jsonl',
  about: 'What was done in your account, one line each; every line has the hash of the one before it in our whole log.',
  columns: names('id at actor user_id action detail previous_hash hash'),
  computed: { ip: OWN_ADDRESS },
  where: OF_USER,
  order: ['id'],
};

/** All that a person is given, in the order of the archive. A test compares it with the schema. */
export const EXPORTED_TABLES: readonly ExportedTable[] = [
  {
    table: 'users',
    file: 'account.json',
    about: 'Your account: what GitHub told us of you when you signed in.',
    columns: names(
      'id github_id username email avatar_url devices_signed_out_at deletion_asked_at deleted_at created_at updated_at',
    ),
    where: 'id = :user',
    order: OLDEST_FIRST,
  },
  {
    table: 'known_browsers',
    file: 'known-browsers.json',
    about: 'Browsers that you have signed in with, by which we tell a new one.',
    columns: names('user_id created_at last_used_at'),
    where: OF_USER,
    order: ['created_at', 'browser_hash'],
  },
  {
    table: 'sessions',
    file: 'browsers.json',
    about: 'Browsers in which you are signed in.',
    columns: names('id user_id ip user_agent created_at last_seen_at expires_at'),
    computed: { time_zone: "data->>'time_zone'" },
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  {
    table: 'refresh_tokens',
    file: 'devices.json',
    about: 'Computers with the spoq command, and each time they renewed their sign-in.',
    columns: names(
      'id user_id family_id device_label ip used_at last_used_at signed_in_at expires_at revoked_at created_at',
    ),
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  {
    table: 'device_grants',
    file: 'device-requests.json',
    about: 'Computers that asked to be signed in and that you answered.',
    columns: names('id user_id hostname ip user_agent status interval_seconds last_polled_at expires_at created_at'),
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  {
    table: 'authorization_codes',
    file: 'browser-sign-ins.json',
    about: 'Computers that you signed in through the browser during the last day.',
    columns: names('user_id client_id redirect_uri device_label used_at family_id expires_at created_at'),
    where: OF_USER,
    order: ['created_at', 'code_hash'],
  },
  {
    table: 'ssh_passwords',
    file: 'ssh-password.json',
    about: 'When you last chose an SSH password.',
    columns: names('user_id updated_at'),
    where: OF_USER,
    order: ['user_id'],
  },
  {
    table: 'user_vps',
    file: 'boxes.json',
    about: 'Your boxes, those of the past too, and what is being done to them.',
    columns: names(`
      id user_id provider provider_instance_id hostname ip_address region plan status ssh_username
      ssh_host_key_fingerprint failure release_version released_at operation operation_number operation_failure
      resize_number machine move suspended_at created_at ready_at terminated_at`),
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  {
    table: 'vps_events',
    file: 'box-events.json',
    about: 'How the set-up of your boxes and the operations on them came along.',
    columns: names('user_vps_id seq step state message part at'),
    where: OF_BOX,
    order: ['user_vps_id', 'seq'],
  },
  {
    table: 'boot_tokens',
    file: 'box-set-up.json',
    about: 'What a box has reported of its set-up, while one is going on.',
    columns: names('user_vps_id steps failure created_at expires_at'),
    where: OF_BOX,
    order: ['user_vps_id'],
  },
  {
    table: 'machines',
    file: 'machines.json',
    about: 'The machines at the vendors that your boxes had.',
    columns: names(`
      id user_vps_id provider name provider_instance_id region product status created_at released_at ends_at
      ended_at`),
    where: OF_BOX,
    order: OLDEST_FIRST,
  },
  {
    table: 'rollout_boxes',
    file: 'box-upgrades.json',
    about: 'When your boxes got a new release of our service, or why not.',
    columns: names('rollout_id user_vps_id wave position state reason started_at ended_at'),
    where: OF_BOX,
    order: ['rollout_id', 'user_vps_id'],
  },
  {
    table: 'subscriptions',
    file: 'subscription.json',
    about: 'Your subscription as it stands.',
    columns: names(`
      id user_id stripe_customer_id stripe_subscription_id status plan expires_at cancel_at grace_started_at
      suspends_at grace_ends_at checked_at created_at updated_at`),
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  {
    table: 'checkouts',
    file: 'checkouts.json',
    about: 'Payments that you began or made.',
    columns: names(`
      id user_id plan stripe_session_id stripe_customer_id stripe_subscription_id email status created_at paid_at
      bound_at claim_mailed_at`),
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  {
    table: 'settlements',
    file: 'settlements.json',
    about: 'Subscriptions that we ended at Stripe, and what was given back.',
    columns: names(`
      id user_id stripe_subscription_id checkout_id reason refund refund_since refunded_amount currency created_at
      done_at`),
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  {
    table: 'mails',
    file: 'mails.json',
    about: 'Mails that we wrote to you: when, where to and about what.',
    columns: names('id user_id key kind to_address subject created_at sent_at failure'),
    where: OF_USER,
    order: OLDEST_FIRST,
  },
  AUDIT_EXPORT,
];

const OPENS_SOMETHING = 'it would let in whoever finds the archive';
const SAYS_NOTHING_OF_A_PERSON = 'it says nothing of a person';

/** What nobody is given, and why: a whole table, or one column. */
export const NOT_EXPORTED: Readonly<Record<string, string>> = {
  'known_browsers.browser_hash': 'it is of a cookie, and means something to that browser alone',
  'sessions.id_hash': OPENS_SOMETHING,
  'sessions.data': `of sign-ins that are under way, ${OPENS_SOMETHING}; the time zone in it is exported`,
  'refresh_tokens.token_hash': OPENS_SOMETHING,
  'refresh_tokens.successor_sealed': OPENS_SOMETHING,
  'device_grants.device_code_hash': OPENS_SOMETHING,
  'device_grants.word_code': OPENS_SOMETHING,
  'authorization_codes.code_hash': OPENS_SOMETHING,
  'authorization_codes.code_challenge': OPENS_SOMETHING,
  'ssh_passwords.argon2_hash': OPENS_SOMETHING,
  'ssh_passwords.crypt_sealed': OPENS_SOMETHING,
  'user_vps.ssh_password_hash': OPENS_SOMETHING,
  'user_vps.ssh_password_crypt': OPENS_SOMETHING,
  'user_vps.jwt_secret': OPENS_SOMETHING,
  'user_vps.fence': 'it only keeps two workers from writing at once',
  'boot_tokens.token_hash': OPENS_SOMETHING,
  'boot_tokens.token_sealed': OPENS_SOMETHING,
  'checkouts.session_hash': OPENS_SOMETHING,
  'checkouts.claim_hash': OPENS_SOMETHING,
  'mails.text': 'it is emptied when the mail is sent, and may hold a link until then',
  'mails.html': 'it is emptied when the mail is sent, and may hold a link until then',
  stripe_events: "it has ids, kinds and times of Stripe's events, and not whom they are about",
  rollouts: SAYS_NOTHING_OF_A_PERSON,
  signing_keys: SAYS_NOTHING_OF_A_PERSON,
  rate_limits: 'it counts attempts of the last hour, and is forgotten then',
  migrations: SAYS_NOTHING_OF_A_PERSON,
  migrations_lock: SAYS_NOTHING_OF_A_PERSON,
};
