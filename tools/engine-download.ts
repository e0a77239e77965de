import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { runCommand } from './run-command.ts';

export interface DownloadDeps {
  onProgress: (text: string) => void;
  signal?: AbortSignal;
  releaseUrl?: string;
}

export type Downloaded = { ok: true; binDir: string } | { ok: false; reason: string };

const RELEASES = 'https://get.pulumi.com/releases/sdk';
/** An open network answers in a fraction of this; a closed one shall not hold up the build that follows. */
const CONNECT_MS = 5000;
const DOWNLOAD_MS = 10 * 60_000;

/**
 * Fetches the makers' release for this platform into `scratch` and checks it against their published SHA-256. Never throws: a
 * network that does not allow it is one of the ordinary answers.
 */
export async function downloadEngine(scratch: string, version: string, deps: DownloadDeps): Promise<Downloaded> {
  const base = deps.releaseUrl ?? RELEASES;
  const archive = `pulumi-v${version}-${process.platform}-${process.arch}.tar.gz`;
  try {
    deps.onProgress('asking for the official release');
    const sums = await fetch(`${base}/pulumi-${version}-checksums.txt`, { signal: limit(CONNECT_MS, deps.signal) });
    if (!sums.ok) return { ok: false, reason: `no download (the release server answered ${sums.status})` };
    const wanted = parseChecksums(await sums.text()).get(archive);
    if (wanted === undefined) return { ok: false, reason: `no release for ${process.platform}-${process.arch}` };

    const file = path.join(scratch, archive);
    if ((await saveFile(`${base}/${archive}`, file, deps)) !== wanted)
      return { ok: false, reason: 'a download whose checksum is wrong' };
    const unpacked = await runCommand('tar', ['-xzf', file, '-C', scratch]);
    if (unpacked.code !== 0) return { ok: false, reason: 'a download that cannot be unpacked' };
    return { ok: true, binDir: path.join(scratch, 'pulumi') };
  } catch (error) {
    return { ok: false, reason: `no download (${describeNetworkError(error)})` };
  }
}

function limit(milliseconds: number, signal: AbortSignal | undefined): AbortSignal {
  const late = AbortSignal.timeout(milliseconds);
  return signal === undefined ? late : AbortSignal.any([late, signal]);
}

/** Lines of `<sha256>  <file>`. */
function parseChecksums(text: string): Map<string, string> {
  return new Map(
    text
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .map(([sum = '', name = '']) => [name, sum]),
  );
}

/** Saves a URL and answers the SHA-256 of what came. */
async function saveFile(url: string, file: string, deps: DownloadDeps): Promise<string> {
  const response = await fetch(url, { signal: limit(DOWNLOAD_MS, deps.signal) });
  if (!response.ok || response.body === null) throw new Error(`the release server answered ${response.status}`);
  const total = Number(response.headers.get('content-length') ?? 0);
  const hash = createHash('sha256');
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      deps.onProgress(`downloading ${Math.round(bytes / 1e6)} of ${Math.round(total / 1e6)} MB`);
      done(null, chunk);
    },
  });
  await pipeline(
    Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
    count,
    createWriteStream(file),
  );
  return hash.digest('hex');
}

function describeNetworkError(error: unknown): string {
  if (!(error instanceof Error)) return 'the network failed';
  if (error.name === 'TimeoutError') return 'the release server did not answer';
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}
