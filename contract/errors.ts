import { MODEL_ERRORS } from './model-errors.ts';
import { RUN_ERRORS } from './run-errors.ts';

/**
 * Every expected failure of Spoq, in one table: code → HTTP status, title, CLI exit code and next step.
 * Routes answer them as `application/problem+json` (RFC 9457), the CLI prints them, docs list them.
 */
export const ERRORS = {
  invalid_request: {
    status: 400,
    title: 'The request is not valid',
    exit: 64,
    next: 'Correct what is named and try again.',
  },
  not_signed_in: { status: 401, title: 'You are not signed in', exit: 4, next: 'Sign in and try again.' },
  token_missing: { status: 403, title: 'A token is required', exit: 4, next: 'Run `spoq init` to sign in.' },
  token_invalid: {
    status: 403,
    title: 'The token was not accepted',
    exit: 4,
    next: 'Run `spoq init` to sign in again.',
  },
  forbidden: { status: 403, title: 'This is not allowed', exit: 77, next: 'Use the account that owns this.' },
  cross_site: {
    status: 403,
    title: 'The request came from another site',
    exit: 77,
    next: 'Open Spoq itself and try again.',
  },
  not_found: { status: 404, title: 'There is nothing here', exit: 1, next: 'Check the address.' },
  method_not_allowed: { status: 405, title: 'This method is not allowed here', exit: 1, next: 'See /openapi.json.' },
  conflict: {
    status: 409,
    title: 'This conflicts with what is there',
    exit: 1,
    next: 'Reload and look at the present state.',
  },
  account_leaving: {
    status: 409,
    title: 'This account is being deleted',
    exit: 1,
    next: 'Wait for the mail that says it is done. Then you can sign up anew.',
  },
  no_subscription: {
    status: 402,
    title: 'There is no active subscription',
    exit: 1,
    next: 'Choose a plan and pay first.',
  },
  no_password: { status: 409, title: 'No SSH password has been chosen', exit: 1, next: 'Choose a password first.' },
  no_box: { status: 404, title: 'You have no box yet', exit: 1, next: 'Finish setting up on the web page.' },
  weak_password: { status: 422, title: 'The password is too weak', exit: 1, next: 'Choose one that meets every rule.' },
  body_too_large: { status: 413, title: 'The request is too large', exit: 1, next: 'Send less.' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported', exit: 1, next: 'Send JSON.' },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    exit: 69,
    next: 'Check your connection and send it again.',
  },
  headers_too_large: { status: 431, title: 'The headers are too large', exit: 1, next: 'Send fewer of them.' },
  too_many_requests: { status: 429, title: 'Too many requests', exit: 1, next: 'Wait as long as Retry-After says.' },
  signature_invalid: { status: 400, title: 'The signature does not match', exit: 1, next: 'Check the webhook secret.' },
  upstream_failed: { status: 502, title: 'A service that Spoq uses failed', exit: 69, next: 'Try again in a minute.' },
  upstream_refused: {
    status: 502,
    title: 'A service that Spoq uses refused the request',
    exit: 69,
    next: 'Contact support with the request id.',
  },
  not_ready: { status: 503, title: 'The service is not ready', exit: 69, next: 'Try again in a few seconds.' },
  box_restarting: {
    status: 503,
    title: 'The box is restarting',
    exit: 69,
    next: 'Ask again in a few seconds.',
  },
  box_suspended: {
    status: 402,
    title: 'The box is switched off',
    exit: 69,
    next: 'Pay on the web page; it is switched on again within a minute.',
  },
  stack_busy: {
    status: 409,
    title: 'The box is being changed already',
    exit: 1,
    next: 'Wait until the running operation ends.',
  },
  stack_missing: { status: 404, title: 'The box has no stack', exit: 1, next: 'Provision it first.' },
  audit_broken: {
    status: 500,
    title: 'The audit log is not what was written',
    exit: 1,
    next: 'Keep the database as it is, and compare it with a backup.',
  },
  engine_failed: {
    status: 500,
    title: 'The engine could not do what was asked',
    exit: 1,
    next: 'Look at the cause and run it again.',
  },
  model_overloaded: { status: 503, title: 'The model is overloaded', exit: 69, next: 'Try again in a moment.' },
  model_rate_limited: {
    status: 429,
    title: 'The model provider limits the rate',
    exit: 69,
    next: 'Wait a moment and ask again.',
  },
  model_refused: {
    status: 502,
    title: 'The model provider refused the request',
    exit: 69,
    next: 'Check the model key and name on the box.',
  },
  model_timeout: { status: 504, title: 'The model did not answer in time', exit: 69, next: 'Ask again.' },
  model_failed: { status: 502, title: 'The model provider failed', exit: 69, next: 'Ask again.' },
  answer_invalid: {
    status: 502,
    title: 'The answer does not fit the schema',
    exit: 1,
    next: 'Ask again, more exactly, or with a simpler schema. What was said is kept: see `spoq resume`.',
  },
  model_not_configured: {
    status: 503,
    title: 'No model is configured on the box',
    exit: 1,
    next: 'Give the box a model key: `spoq keys set anthropic`.',
  },
  ...MODEL_ERRORS,
  not_authenticated: { status: 401, title: 'This computer is not signed in', exit: 4, next: "Run 'spoq init' first." },
  box_unreachable: {
    status: 503,
    title: 'The box cannot be reached',
    exit: 69,
    next: 'Check your connection, then `spoq status`.',
  },
  control_plane_unreachable: {
    status: 503,
    title: 'Spoq cannot be reached',
    exit: 69,
    next: 'Check your connection and try again.',
  },
  storage_failed: {
    status: 507,
    title: 'The box cannot write to its disk',
    exit: 1,
    next: 'Make space on the box (`spoq status` shows its disk), then try again. What was said before is kept.',
  },
  conversation_busy: {
    status: 409,
    title: 'The conversation is at work',
    exit: 1,
    next: 'Follow it with `spoq attach`, or begin another one.',
  },
  conversation_unknown: {
    status: 404,
    title: 'There is no such conversation',
    exit: 1,
    next: 'See `spoq sessions`.',
  },
  ...RUN_ERRORS,
  turn_interrupted: {
    status: 503,
    title: 'The work was cut off',
    exit: 69,
    next: 'Everything up to here is kept. Go on with `spoq resume`.',
  },
  answer_incomplete: { status: 502, title: 'The answer is incomplete', exit: 69, next: 'Ask again.' },
  release_invalid: {
    status: 502,
    title: 'The release cannot be trusted',
    exit: 1,
    next: 'Nothing was changed. Try again later, and tell us if it stays so.',
  },
  file_unusable: {
    status: 500,
    title: 'A file on this computer cannot be used',
    exit: 74,
    next: 'Correct what is named and try again.',
  },
  sign_in_failed: {
    status: 400,
    title: 'The sign-in did not work',
    exit: 77,
    next: 'Start the sign-in again.',
  },
  sign_in_denied: {
    status: 403,
    title: 'The sign-in was denied',
    exit: 77,
    next: 'Run `spoq init` again and approve it.',
  },
  sign_in_expired: { status: 400, title: 'The code has expired', exit: 4, next: 'Run `spoq init` again.' },
  files_unavailable: {
    status: 503,
    title: 'The box cannot reach its files',
    exit: 69,
    next: 'Try again in a minute; `systemctl status conductor-files.socket` on the box says more.',
  },
  workspace_taken: {
    status: 409,
    title: 'That workspace belongs to another folder',
    exit: 1,
    next: 'Choose another name with --name.',
  },
  workspace_changed: {
    status: 409,
    title: 'The workspace has changed meanwhile',
    exit: 1,
    next: 'Nothing was lost. Run `spoq sync` again.',
  },
  box_full: {
    status: 507,
    title: 'The disk of the box is too full',
    exit: 1,
    next: 'Make room on the box, or name what need not go along in .spoqignore.',
  },
  sync_refused: {
    status: 422,
    title: 'This folder is not synced',
    exit: 1,
    next: 'Nothing was changed. Look at what is named.',
  },
  cancelled: { status: 499, title: 'Cancelled', exit: 130, next: 'Nothing was left half done.' },
  internal: {
    status: 500,
    title: 'Something broke on our side',
    exit: 1,
    next: 'Try again; tell us the request id if it stays.',
  },
} as const satisfies Record<string, { status: number; title: string; exit: number; next: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** One fault of an input: where it is (JSON pointer or field name) and what is wrong with it. */
export interface Fault {
  field: string;
  message: string;
}

export interface SpoqErrorOptions {
  /** What happened, in words for the person who meets it. Never holds a secret. */
  detail?: string;
  /** All faults of the input, at once. */
  faults?: Fault[];
  /** Seconds to wait before trying again; becomes `Retry-After`. */
  retryAfterSeconds?: number;
  /** Overrides the table's next step. */
  next?: string;
  cause?: unknown;
}

/** An expected failure. Anything else that is thrown is a bug and shows nothing of itself outside. */
export class SpoqError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly exit: number;
  readonly next: string;
  readonly detail: string | undefined;
  readonly faults: Fault[];
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, options: SpoqErrorOptions = {}) {
    const entry = ERRORS[code];
    super(options.detail ?? entry.title, { cause: options.cause });
    this.name = 'SpoqError';
    this.code = code;
    this.status = entry.status;
    this.title = entry.title;
    this.exit = entry.exit;
    this.next = options.next ?? entry.next;
    this.detail = options.detail;
    this.faults = options.faults ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
