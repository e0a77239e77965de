import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { ASK_LIMITS } from '../../contract/conductor.ts';
import type { ImageType } from '../../contract/conductor.ts';
import { formatBytes } from '../terminal/format.ts';
import { estimateTokens } from './candidate.ts';
import type { Candidate, LeftOut } from './candidate.ts';
import { lookAt } from '../../sync/look.ts';
import type { IgnoreRules } from '../../sync/rules/ignore-rules.ts';
import { findSecretFileKind } from '../../sync/rules/secret-files.ts';
import { redactText } from '../../sync/rules/secret-text.ts';
import type { Withheld } from '../../sync/rules/secret-text.ts';

/** A file that is sent. */
export interface ContextFile {
  path: string;
  content: string;
  bytes: number;
  withheld: Withheld[];
}

/** An image that is sent. */
export interface ContextImage {
  path: string;
  media_type: ImageType;
  data: Buffer;
  bytes: number;
}

export interface ReadLimits {
  /** Files above are only sent when they are named. */
  maxFileBytes: number;
  /** Tokens that are left of the budget. */
  tokens: number;
  budgetTokens: number;
}

/** Git's own measure: a NUL among the first 8,000 bytes. */
const BINARY_PROBE_BYTES = 8000;
/** Anthropic's own figure for the largest size that it looks at. */
export const IMAGE_TOKENS = 1600;

/**
 * Reads one file, or says why it isn't sent. `undefined` for one that is gone. Symbolic links are followed only when they were
 * named and stay under `root`; what is opened is the real file, so that a link put there meanwhile isn't followed either.
 */
export async function readCandidate(
  candidate: Candidate,
  root: string,
  rules: IgnoreRules,
  limits: ReadLimits,
): Promise<ContextFile | ContextImage | LeftOut | undefined> {
  const stats = lstatIfThere(candidate.file);
  if (stats === undefined) return undefined;
  const leaveOut = (reason: string, withheld = false): LeftOut => ({
    path: candidate.path,
    bytes: stats.isFile() ? stats.size : null,
    reason,
    named: candidate.origin === 'named',
    withheld,
  });
  if (stats.isDirectory()) return leaveOut('a repository of its own');
  if (!candidate.allowed) {
    if (isInside(root, candidate.file) && rules.isIgnored(toSlashes(relative(root, candidate.file)))) {
      return leaveOut('ignored by .spoqignore');
    }
    const kind = findSecretFileKind(candidate.path);
    if (kind !== undefined) return leaveOut(`withheld: ${kind}`, true);
  }
  // Most of a large repository ends here, and is not even opened.
  if (candidate.origin !== 'named' && stats.isFile() && stats.size > limits.maxFileBytes)
    return leaveOut(`larger than ${formatBytes(limits.maxFileBytes)}`);
  if (candidate.origin !== 'named' && stats.size > 0 && isOverBudget(candidate, stats.size, limits))
    return leaveOut(describeBudget(limits));
  const real = await realpathIfThere(candidate.file);
  if (real === undefined) return leaveOut('a symbolic link to nothing');
  const linked = checkLink(candidate, root, real, stats);
  if (linked !== undefined) return leaveOut(linked.reason, linked.withheld);
  return readReal(candidate, real, limits, leaveOut);
}

function checkLink(
  candidate: Candidate,
  root: string,
  real: string,
  stats: Stats,
): { reason: string; withheld: boolean } | undefined {
  if (candidate.allowed) return undefined;
  const isLink = stats.isSymbolicLink() || real !== candidate.file;
  if (isLink && isInside(root, candidate.file) && !isInside(root, real)) {
    return { reason: 'a symbolic link that leads outside', withheld: false };
  }
  if (stats.isSymbolicLink() && candidate.origin !== 'named') return { reason: 'a symbolic link', withheld: false };
  const kind = findSecretFileKind(toSlashes(isInside(root, real) ? relative(root, real) : real));
  return kind === undefined ? undefined : { reason: `withheld: ${kind}`, withheld: true };
}

async function readReal(
  candidate: Candidate,
  real: string,
  limits: ReadLimits,
  leaveOut: (reason: string) => LeftOut,
): Promise<ContextFile | ContextImage | LeftOut> {
  try {
    await using file = await open(real, constants.O_RDONLY | noFollow());
    const stats = await file.stat();
    if (!stats.isFile()) return leaveOut('not a regular file');
    if (stats.size === 0) return leaveOut('empty');
    if (candidate.origin !== 'named' && stats.size > limits.maxFileBytes) {
      return leaveOut(`larger than ${formatBytes(limits.maxFileBytes)}`);
    }
    const type = candidate.origin === 'named' ? await readImageType(file) : undefined;
    if (type !== undefined) return await readImage(candidate, file, stats.size, type, limits, leaveOut);
    if (isOverBudget(candidate, stats.size, limits)) return leaveOut(describeBudget(limits));
    const text = decodeText(await file.readFile());
    if (text === undefined) return leaveOut('binary');
    const redacted = candidate.allowed ? { text, withheld: [] } : redactText(text);
    const bytes = Buffer.byteLength(redacted.text);
    if (isOverBudget(candidate, bytes, limits)) return leaveOut(describeBudget(limits));
    return { path: candidate.path, content: redacted.text, bytes, withheld: redacted.withheld };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return leaveOut(`cannot be read (${code})`);
  }
}

function isOverBudget({ path }: Candidate, bytes: number, { tokens }: ReadLimits): boolean {
  return estimateTokens(bytes) + estimateTokens(Buffer.byteLength(path)) > tokens;
}

function describeBudget({ budgetTokens }: ReadLimits): string {
  return `over the budget of ${budgetTokens.toLocaleString('en')} tokens`;
}

async function readImage(
  { path }: Candidate,
  file: FileHandle,
  bytes: number,
  media_type: ImageType,
  limits: ReadLimits,
  leaveOut: (reason: string) => LeftOut,
): Promise<ContextImage | LeftOut> {
  if (bytes > ASK_LIMITS.image_bytes) return leaveOut(`an image of more than ${formatBytes(ASK_LIMITS.image_bytes)}`);
  if (limits.tokens < IMAGE_TOKENS) return leaveOut('over the budget of tokens: an image takes about 1,600');
  return { path, media_type, data: await file.readFile(), bytes };
}

/** By its first bytes: names lie. Undefined for what is no image that models see. */
async function readImageType(file: FileHandle): Promise<ImageType | undefined> {
  const { buffer } = await file.read(Buffer.alloc(12), 0, 12, 0);
  const head = buffer.toString('latin1');
  if (head.startsWith('\u0089PNG\r\n\u001a\n')) return 'image/png';
  if (head.startsWith('\u00ff\u00d8\u00ff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(head)) return 'image/gif';
  return /^RIFF.{4}WEBP/s.test(head) ? 'image/webp' : undefined;
}

/** Opening a FIFO would wait for a writer without O_NONBLOCK. Windows knows neither. */
function noFollow(): number {
  return process.platform === 'win32' ? 0 : constants.O_NOFOLLOW | constants.O_NONBLOCK;
}

/** UTF-8 text without its byte order mark; `undefined` when it is something else. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (bytes.subarray(0, BINARY_PROBE_BYTES).includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** True for `root` itself and everything under it. */
export function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !/^[A-Za-z]:/.test(way));
}

/** A path as the box and ignore rules write it. */
export function toSlashes(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}

function lstatIfThere(path: string): Stats | undefined {
  try {
    return lookAt(path);
  } catch {
    // In a folder that can't be entered: there is nothing to send.
    return undefined;
  }
}

async function realpathIfThere(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}
