import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { release } from 'node:os';
import { promisify } from 'node:util';
import type { BoxStatus } from '../contract/conductor.ts';

const run = promisify(execFile);

/** What is installed on this machine. */
export type FindVersions = () => Promise<Omit<NonNullable<BoxStatus['versions']>, 'conductor'>>;

const SPOQ = '/usr/local/bin/spoq';
const OS_RELEASE = '/etc/os-release';
const ANSWER_MS = 3_000;

/** Asks `spoq` itself, again when its file is another one. */
export function createFindVersions(spoq = SPOQ, osRelease = OS_RELEASE): FindVersions {
  let known: { file: string; version: Promise<string | null> } | undefined;
  return async () => {
    const [file, system] = await Promise.all([identify(spoq), readName(osRelease)]);
    if (file !== null && known?.file !== file) known = { file, version: askVersion(spoq) };
    return { spoq: file === null ? null : ((await known?.version) ?? null), system, kernel: release() };
  };
}

function identify(path: string): Promise<string | null> {
  return stat(path).then(
    ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
    () => null,
  );
}

function askVersion(path: string): Promise<string | null> {
  return run(path, ['--version'], { env: {}, timeout: ANSWER_MS }).then(
    ({ stdout }) => stdout.trim().slice(0, 64),
    () => null,
  );
}

/** `PRETTY_NAME` of os-release(5). */
async function readName(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(text)?.[1] ?? null;
}
