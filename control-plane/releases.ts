import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpoqError } from '../contract/errors.ts';
import { parsePublicKey, verifySignature, type PublicKey } from '../contract/minisign.ts';
import { ReleaseManifest } from '../contract/release.ts';
import type { Config } from './config.ts';

/** Names of released files: what a URL may ask for and what a digest may be of. */
export const RELEASE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,80}$/;

/** Where releases are, and whose signature counts. */
export type ReleaseSource = Pick<Config, 'RELEASES_DIR' | 'RELEASES_PUBLIC_KEY'>;

/** A release whose signature was verified. */
export interface Release {
  version: string;
  key: PublicKey;
  /** SHA-256 by file name, in hex. */
  digests: Record<string, string>;
  /** SHA-256 of SHA256SUMS itself. */
  sumsDigest: string;
}

/**
 * The release in RELEASES_DIR; undefined when there is none yet. Its signatures must be of RELEASES_PUBLIC_KEY, or where that isn't
 * set (never in production) of the key that lies beside them.
 * @throws SpoqError `release_invalid` when they are not.
 */
export function loadRelease({ RELEASES_DIR, RELEASES_PUBLIC_KEY }: ReleaseSource): Release | undefined {
  if (!existsSync(join(RELEASES_DIR, 'SHA256SUMS'))) return undefined;
  const key = parsePublicKey(RELEASES_PUBLIC_KEY ?? readPaper(RELEASES_DIR, 'minisign.pub').toString('utf8'));
  const sums = readSigned(RELEASES_DIR, 'SHA256SUMS', key);
  const { version } = parseManifest(readSigned(RELEASES_DIR, 'manifest.json', key));
  const lines = sums.toString('utf8').matchAll(/^([0-9a-f]{64}) [ *](\S+)$/gm);
  return {
    version,
    key,
    digests: Object.fromEntries([...lines].map(([, digest = '', name = '']) => [name, digest])),
    sumsDigest: createHash('sha256').update(sums).digest('hex'),
  };
}

/** The digests that boxes are given: of what runs on Linux. None when nothing was released yet. Throws as `loadRelease` does. */
export function loadReleaseDigests(source: ReleaseSource): Record<string, string> {
  const digests = loadRelease(source)?.digests ?? {};
  return Object.fromEntries(Object.entries(digests).filter(([name]) => /^[a-z]+-linux-[a-z0-9]+$/.test(name)));
}

/** Where the files of a version lie. `final`: they never change. */
export interface VersionFolder {
  folder: string;
  final: boolean;
}

/**
 * The folder of a version: its own, or RELEASES_DIR itself where the release there is that version and still being worked on. Trusts
 * nothing that it finds: whoever downloads verifies.
 */
export function findVersion(folder: string, version: string): VersionFolder | undefined {
  const own = join(folder, version);
  const ownSums = readQuietly(join(own, 'SHA256SUMS'));
  const manifest = readQuietly(join(folder, 'manifest.json'))?.toString('utf8') ?? '';
  const isPresent = ReleaseManifest.safeParse(parseQuietly(manifest)).data?.version === version;
  if (isPresent && ownSums?.equals(readQuietly(join(folder, 'SHA256SUMS')) ?? Buffer.alloc(0)) !== true)
    return { folder, final: false };
  return ownSums === undefined ? undefined : { folder: own, final: true };
}

function readQuietly(file: string): Buffer | undefined {
  return existsSync(file) ? readFileSync(file) : undefined;
}

function parseQuietly(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readSigned(folder: string, name: string, key: PublicKey): Buffer {
  const content = readPaper(folder, name);
  verifySignature(name, content, readPaper(folder, `${name}.minisig`).toString('utf8'), key);
  return content;
}

function readPaper(folder: string, name: string): Buffer {
  try {
    return readFileSync(join(folder, name));
  } catch (cause) {
    throw new SpoqError('release_invalid', { detail: `The release has no ${name} that can be read.`, cause });
  }
}

function parseManifest(content: Buffer): ReleaseManifest {
  try {
    return ReleaseManifest.parse(JSON.parse(content.toString('utf8')));
  } catch (cause) {
    throw new SpoqError('release_invalid', { detail: 'manifest.json is signed, but is not a manifest.', cause });
  }
}
