import { z } from 'zod';
import { Folder, RequestId } from './conversation.ts';
import { MODEL_NAME_CHARS } from './models.ts';

/** Bounds of a run and of what is asked about it. */
export const RUN_LIMITS = {
  body_bytes: 4 * 1024 * 1024,
  task_chars: 100_000,
  rules: 200,
  rule_chars: 500,
  arguments: 10_000,
  argument_chars: 128 * 1024,
  /** One piece of what is given to a program. */
  input_bytes: 256 * 1024,
  /** A file that is fetched to be applied. */
  file_bytes: 32 * 1024 * 1024,
} as const;

/** Like a DNS label: it is a folder of the box. */
export const RunWorkspace = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'small letters, digits and hyphens, 63 at most');
export const Commit = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, 'must be a commit');
const RuleText = z.string().min(1).max(RUN_LIMITS.rule_chars);
const Rules = z.array(RuleText).max(RUN_LIMITS.rules).default([]);

const PLACE = {
  request: RequestId.optional().describe('Chosen by who asks: sent again, it attaches to the turn that has begun'),
  conversation: z
    .uuid()
    .optional()
    .describe('To go on with, in its own copy of the workspace; a new one when left out'),
  folder: Folder.optional(),
  workspace: RunWorkspace,
  snapshot: Commit.optional().describe('Of the workspace; its present state when left out'),
  cwd: z.string().max(4096).optional().describe('Where in the workspace the person is'),
};

/** POST /api/run */
export const RunRequest = z.strictObject({
  ...PLACE,
  task: z.string().trim().min(1).max(RUN_LIMITS.task_chars),
  stdin: z.string().max(RUN_LIMITS.body_bytes).optional(),
  model: z
    .string()
    .trim()
    .min(1)
    .max(MODEL_NAME_CHARS)
    .optional()
    .describe('provider/model, a model alone or an alias; the default of the box when left out'),
  allow: Rules.describe('Rules of this run, as `shell(npm test)`'),
  deny: Rules,
});
export type RunRequest = z.input<typeof RunRequest>;

const Cells = z.int().min(1).max(5000);
const Terminal = z.strictObject({ columns: Cells, rows: Cells });
const Argument = z
  .string()
  .max(RUN_LIMITS.argument_chars)
  .refine((text) => !text.includes('\0'), 'holds NUL');

/** POST /api/exec */
export const ExecRequest = z.strictObject({
  ...PLACE,
  argv: z.array(Argument).min(1).max(RUN_LIMITS.arguments),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), Argument).optional(),
  tty: Terminal.optional(),
  stdin: z.boolean().default(false).describe('Whether input will be sent; else there is none'),
});
export type ExecRequest = z.input<typeof ExecRequest>;

/** POST /api/conversations/:id/continue */
export const ContinueRequest = z.strictObject({ request: RequestId.optional() });

/** POST /api/conversations/:id/approvals/:approval */
export const ApprovalAnswer = z.strictObject({
  decision: z.enum(['allow', 'always', 'deny']),
  by: z.string().max(100).optional().describe('Where it was decided, for the other devices'),
});
export type Decision = z.infer<typeof ApprovalAnswer>['decision'];
export const ApprovalDecided = z.object({ decision: z.enum(['allow', 'always', 'deny']) });

/** POST /api/conversations/:id/input: bytes for the program, its terminal's size, or a signal. */
export const InputRequest = z.union([
  z.strictObject({
    offset: z.int().min(0).describe('How many bytes were sent before these'),
    data: z.base64(),
    end: z.boolean().default(false),
  }),
  z.strictObject({ resize: Terminal }),
  z.strictObject({ signal: z.enum(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGKILL', 'SIGTSTP', 'SIGCONT']) }),
]);
export type InputRequest = z.input<typeof InputRequest>;
export const InputTaken = z.object({ received: z.int().describe('Bytes so far') });

const ObjectId = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/);

/** One file that differs from the snapshot. Contents are named as git names them. */
export const ChangedFile = z.object({
  path: z.string(),
  kind: z.enum(['added', 'changed', 'removed']),
  mode: z.int().describe('As git keeps it; 0 where it was removed'),
  base_mode: z.int().describe('0 where it was added'),
  object: ObjectId.nullable(),
  base_object: ObjectId.nullable(),
  added_lines: z.int().nullable().describe('null where it is not text'),
  removed_lines: z.int().nullable(),
});
export type ChangedFile = z.infer<typeof ChangedFile>;

/** GET /api/conversations/:id/changes */
export const ChangeList = z.object({
  workspace: z.string(),
  snapshot: z.string(),
  files: z.array(ChangedFile),
});
export type ChangeList = z.infer<typeof ChangeList>;

/** POST /api/conversations/:id/discard */
export const Discarded = z.object({ discarded: z.boolean() });
