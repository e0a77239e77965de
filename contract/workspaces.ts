import { z } from 'zod';

/** Bounds of a workspace and of one request about it, kept by both sides. */
export const SYNC_LIMITS = {
  /** Files, links and folders of one workspace. */
  entries: 250_000,
  path_bytes: 4096,
  name_bytes: 255,
  /** One file; above it is left out and named. */
  file_bytes: 4 * 1024 ** 3,
  /** The unpacked contents of one request. */
  batch_bytes: 64 * 1024 ** 2,
  /** One piece of a file on the wire. */
  piece_bytes: 1024 ** 2,
  /** The description at the head of a request or an answer, unpacked. */
  head_bytes: 96 * 1024 ** 2,
  /** Disk that stays free on a box whatever is sent. */
  reserve_bytes: 512 * 1024 ** 2,
} as const;

/** The media type of descriptions and contents in one stream (sync/frames.ts). */
export const FRAMES_TYPE = 'application/vnd.spoq.frames';

/** Like a DNS label: it becomes a folder of the box. */
export const WorkspaceName = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'small letters, digits and hyphens, 63 at most');

const mode = z.number().int().min(0).max(0o777);
export const Hash = z.string().regex(/^[0-9a-f]{64}$/);
const path = z.string().min(1).max(SYNC_LIMITS.path_bytes);

/** What is at a path. `hash`: SHA-256 of the content. */
export const Entry = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('file'),
    mode,
    size: z.number().int().min(0).max(SYNC_LIMITS.file_bytes),
    hash: Hash,
  }),
  z.strictObject({ kind: z.literal('link'), target: z.string().min(1).max(SYNC_LIMITS.path_bytes) }),
  z.strictObject({ kind: z.literal('folder'), mode }),
]);
export type Entry = z.infer<typeof Entry>;

/** A path and what is there now; null: nothing any more. */
export const Change = z.tuple([path, Entry.nullable()]);
export type Change = z.infer<typeof Change>;

/** A path that takes no part, and why. */
export const LeftOut = z.strictObject({ path: z.string(), reason: z.string(), withheld: z.boolean() });
export type LeftOut = z.infer<typeof LeftOut>;

/** Makes a path what it shall be, if it still is what it was. */
export const Step = z.strictObject({
  path,
  want: Entry.nullable(),
  expect: Entry.nullable(),
  /** Whether both sides have the same there once it is done. */
  agree: z.boolean(),
});
export type Step = z.infer<typeof Step>;

/** A path that was left as it is, and why. */
export const Refusal = z.strictObject({ path: z.string(), reason: z.string() });
export type Refusal = z.infer<typeof Refusal>;

/** Whose folder a workspace is. */
export const FolderId = z.strictObject({
  id: z.uuid(),
  host: z.string().max(255),
  path: z.string().max(SYNC_LIMITS.path_bytes),
});
export type FolderId = z.infer<typeof FolderId>;

/** POST /api/workspaces/:name/scan: what has changed on the box since both sides were the same. */
export const ScanRequest = z.strictObject({
  folder: FolderId,
  /** The state that both sides agreed on last, as the laptop knows it. */
  base: z.uuid().nullable(),
  /** Paths that take part although they look secret. */
  allow: z.array(path).max(10_000),
});
export type ScanRequest = z.infer<typeof ScanRequest>;

export const ScanAnswer = z.object({
  /** False: the box doesn't know that state, and the changes are all that it has. */
  base_known: z.boolean(),
  changes: z.array(Change).max(SYNC_LIMITS.entries),
  left_out: z.array(LeftOut),
  /** Contents that arrived before and wait: hash to bytes. */
  staged: z.record(Hash, z.number().int()),
  free_bytes: z.number(),
  /** True: the folder on the box is gone, though the two agreed on something. */
  vanished: z.boolean(),
});
export type ScanAnswer = z.infer<typeof ScanAnswer>;

/** POST /api/workspaces/:name/contents, the head: what comes behind it, and from which byte on. */
const folder = z.uuid();
const contents = z
  .array(z.strictObject({ hash: Hash, size: z.number().int().min(0), offset: z.number().int().min(0) }))
  .max(20_000);
export const ContentsRequest = z.strictObject({ folder, contents });
export type ContentsRequest = z.infer<typeof ContentsRequest>;

/** The contents that did not have the hash they were sent under. */
export const ContentsAnswer = z.object({ rejected: z.array(Hash) });
export type ContentsAnswer = z.infer<typeof ContentsAnswer>;

/** POST /api/workspaces/:name/fetch: which contents, each from which byte on. */
export const FetchRequest = ContentsRequest;

/** POST /api/workspaces/:name/apply, the head; contents that fit may come behind it. */
export const ApplyRequest = z.strictObject({
  folder,
  base: z.uuid().nullable(),
  /** The name of the state that both sides have afterwards. */
  next_base: z.uuid(),
  /** True: more of the same sync follows at once. What is agreed on is written down by that, or when nothing comes. */
  more: z.boolean().optional(),
  steps: z.array(Step).max(SYNC_LIMITS.entries),
  /** What is the same on both sides besides what the steps make so. */
  agreed: z.array(Change).max(SYNC_LIMITS.entries),
  contents,
});
export type ApplyRequest = z.infer<typeof ApplyRequest>;

export const ApplyAnswer = z.object({ refused: z.array(Refusal) });
export type ApplyAnswer = z.infer<typeof ApplyAnswer>;

/** POST /api/workspaces/:name/snapshot */
export const SnapshotAnswer = z.object({ commit: z.string(), files: z.number().int() });
export type SnapshotAnswer = z.infer<typeof SnapshotAnswer>;

/** GET /api/workspaces */
export const WorkspaceList = z.object({
  workspaces: z.array(
    z.object({ name: z.string(), path: z.string(), folder: FolderId.nullable(), synced_at: z.string().nullable() }),
  ),
});
export type WorkspaceList = z.infer<typeof WorkspaceList>;
