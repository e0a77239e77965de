import { z } from 'zod';

/** Bounds of what either side believes. A path is at most Linux's PATH_MAX; a shell's text fits one argument of Linux (128 KiB). */
export const MAX_ARGUMENTS_BYTES = 200 * 1024;
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
export const MAX_DIFF_BYTES = 64 * 1024 * 1024;
export const MAX_FILE_BYTES = 32 * 1024 * 1024;
/** Connections at once to the outside, of one run. */
export const MAX_CONNECTIONS = 64;

const noNul = (text: string): boolean => !text.includes('\0');
const Text = z
  .string()
  .max(128 * 1024)
  .refine(noNul, 'holds NUL');
export const WorkPath = z.string().max(4096).refine(noNul, 'holds NUL');
const Cells = z.int().min(1).max(5000);
const Tty = z.strictObject({ columns: Cells, rows: Cells });
const Limit = z.int().min(1).max(10_000);

export const Snapshot = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);

/** What the conductor asks of a place. */
export const WorkRequest = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('prepare'), snapshot: Snapshot }),
  z.strictObject({
    op: z.literal('exec'),
    argv: z.array(Text).min(1).max(10_000),
    cwd: WorkPath.optional(),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), Text).optional(),
    tty: Tty.optional(),
    timeout_ms: z
      .int()
      .min(1)
      .max(2 ** 31 - 1)
      .optional(),
  }),
  z.strictObject({
    op: z.literal('read_file'),
    path: WorkPath,
    offset_lines: z.int().min(0).optional(),
    limit_lines: z.int().min(1).optional(),
  }),
  z.strictObject({ op: z.literal('read_bytes'), path: WorkPath, limit: z.int().min(0).max(MAX_FILE_BYTES) }),
  // The text comes as data.
  z.strictObject({ op: z.literal('write_file'), path: WorkPath }),
  // The edits come as data.
  z.strictObject({ op: z.literal('edit_file'), path: WorkPath }),
  z.strictObject({
    op: z.literal('list_files'),
    pattern: WorkPath.optional(),
    folder: WorkPath.optional(),
    limit: Limit,
  }),
  z.strictObject({
    op: z.literal('search'),
    pattern: WorkPath.min(1),
    folder: WorkPath.optional(),
    glob: WorkPath.optional(),
    limit: Limit,
  }),
  z.strictObject({ op: z.literal('changes') }),
  z.strictObject({ op: z.literal('read_object'), object: Snapshot, limit: z.int().min(0).max(MAX_FILE_BYTES) }),
  z.strictObject({ op: z.literal('diff') }),
]);
export type WorkRequest = z.infer<typeof WorkRequest>;
export type WorkRequestOf<Op extends WorkRequest['op']> = Extract<WorkRequest, { op: Op }>;

export const Edits = z
  .array(z.strictObject({ old: z.string().min(1), new: z.string(), all: z.boolean().optional() }))
  .min(1)
  .max(1000);

/** Beside the data of a program that runs. */
export const ExecMessage = z.union([
  z.strictObject({ resize: Tty }),
  z.strictObject({ kill: z.string().regex(/^SIG[A-Z0-9]{2,10}$/) }),
]);

// What comes back is written by whatever runs in there: every size is bounded, and nothing is taken for more than text.

const ERROR_CODES = [
  'not_found',
  'is_folder',
  'special',
  'binary',
  'too_large',
  'outside',
  'no_match',
  'ambiguous',
  'bad_pattern',
  'denied',
  'no_space',
  'failed',
] as const;
export const Failure = z.object({ code: z.enum(ERROR_CODES), message: z.string().max(4096) });
export const Outcome = z.object({ error: Failure.optional() });
export const ExecOutcome = z.object({
  error: Failure.optional(),
  code: z.int().min(0).max(255).nullable().optional(),
  signal: z.string().max(16).nullable().optional(),
  timed_out: z.boolean().optional(),
  out_of_memory: z.boolean().optional(),
});
export const Progress = z.object({ progress: z.string().max(200) });

const FoundPath = z.string().max(4096);
const Count = z.int().min(0);
export const ANSWERS = {
  read_file: z.object({ text: z.string(), total_lines: Count, bytes: Count }),
  write_file: z.object({ created: z.boolean() }),
  edit_file: z.object({ replaced: Count }),
  list_files: z.object({ paths: z.array(FoundPath).max(10_000), more: z.boolean() }),
  search: z.object({
    hits: z.array(z.object({ path: FoundPath, line: Count, text: z.string().max(2000) })).max(10_000),
    more: z.boolean(),
  }),
  changes: z
    .array(
      z.object({
        path: FoundPath,
        kind: z.enum(['added', 'changed', 'removed']),
        mode: Count,
        base_mode: Count,
        object: Snapshot.nullable(),
        base_object: Snapshot.nullable(),
        added_lines: Count.nullable(),
        removed_lines: Count.nullable(),
        bytes: Count,
      }),
    )
    .max(50_000),
} as const;

/** What something in a place wants of the conductor. */
export const ConnectRequest = z.strictObject({
  op: z.literal('connect'),
  // A name, or an address without brackets.
  host: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[A-Za-z0-9._:-]+$/),
  port: z.int().min(1).max(65_535),
});
/** The answer beside the data, once the connection stands. */
export const Connected = z.object({ connected: z.literal(true) });
/** Why a connection did not come to be, or how it ended. */
export const ConnectOutcome = z.object({
  busy: z.boolean().optional(),
  denied: z.string().max(500).optional(),
  failed: z.string().max(500).optional(),
});
