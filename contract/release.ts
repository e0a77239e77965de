import { z } from 'zod';

/** `0.1.0`, `1.0.0-rc.1` (https://semver.org, without build metadata): what may stand in a path. */
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;
const version = z.string().max(64).regex(VERSION, 'is not a version');

export const ReleasedFile = z.object({
  name: z.string().regex(/^[a-z][a-z0-9.-]{0,80}$/),
  program: z.enum(['spoq', 'conductor']),
  os: z.enum(['linux', 'darwin', 'windows']),
  arch: z.enum(['amd64', 'arm64']),
  size: z.number().int().positive().describe('Bytes'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ReleasedFile = z.infer<typeof ReleasedFile>;

/** `manifest.json` of a release, signed as `manifest.json.minisig`. */
export const ReleaseManifest = z.object({
  version,
  built_at: z.iso.datetime().describe('SOURCE_DATE_EPOCH, or else the time of the commit'),
  files: z.array(ReleasedFile),
});
export type ReleaseManifest = z.infer<typeof ReleaseManifest>;

/** True for what may stand as a version in the path of a release. */
export function isVersion(text: string): boolean {
  return version.safeParse(text).success;
}

/** Negative when `a` comes before `b`, 0 when they are equal, positive otherwise; the precedence of SemVer 2.0.0 §11. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return compareParts(left.core, right.core) || comparePreviews(left.preview, right.preview);
}

function split(text: string): { core: string[]; preview: string[] } {
  const dash = text.indexOf('-');
  if (dash === -1) return { core: text.split('.'), preview: [] };
  return { core: text.slice(0, dash).split('.'), preview: text.slice(dash + 1).split('.') };
}

/** A version without a preview comes after all of its previews. */
function comparePreviews(a: string[], b: string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  return compareParts(a, b);
}

function compareParts(a: string[], b: string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const numbers = [left, right].map((part) => /^\d+$/.test(part));
    if (numbers[0] === true && numbers[1] === true) {
      if (Number(left) !== Number(right)) return Number(left) - Number(right);
    } else if (numbers[0] !== numbers[1]) return numbers[0] === true ? -1 : 1;
    else if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
