import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { PublicKey } from '../contract/minisign.ts';
import type { ReleaseManifest, ReleasedFile } from '../contract/release.ts';
import { withLock } from './lock.ts';
import { loadReleaseKey } from './release-key.ts';
import { runCommand } from './run-command.ts';
import { findBuildTime, sealRelease } from './seal-release.ts';
import { ToolError } from './terminal.ts';

/** Platforms that Spoq is released for, as bun names them. */
export const TARGETS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'windows-x64'] as const;
export type Target = (typeof TARGETS)[number];

export interface ReleaseDeps {
  root: string;
  env: NodeJS.ProcessEnv;
  onProgress: (text: string) => void;
  signal?: AbortSignal;
}

export interface Release {
  files: BuiltFile[];
  manifest: ReleaseManifest;
}

export interface BuiltFile {
  name: string;
  /** False if it was there already, made of the same sources. */
  built: boolean;
}

const PROGRAMS = {
  spoq: { entry: 'cli/main.ts', sources: ['cli', 'sync', 'contract'] },
  conductor: { entry: 'conductor/main.ts', sources: ['conductor', 'sync', 'contract'] },
} as const;
type Program = keyof typeof PROGRAMS;
/** The folders that programs are compiled from. */
export const SOURCE_FOLDERS = [...new Set(Object.values(PROGRAMS).flatMap(({ sources }) => sources))];
const ARCHITECTURES: Record<string, ReleasedFile['arch']> = { x64: 'amd64', arm64: 'arm64' };
/** Splitting leaves what a command does not need unread: `spoq --version` starts in half the time. */
export const COMPILE_FLAGS = ['build', '--compile', '--minify', '--bytecode', '--format=esm', '--splitting'];
/**
 * CommonJS packages read these, and bun would write the folder of this clone in their place: other bytes in every clone, and a path
 * that no reader of an executable has.
 */
const PATHLESS = ['--define', '__dirname="/spoq"', '--define', '__filename="/spoq/main.js"'];

/** The target of this machine. Throws a ToolError where there is none. */
export function hostTarget(): Target {
  const host = `${process.platform}-${process.arch}`;
  const target = TARGETS.find((name) => name === host);
  if (target === undefined)
    throw new ToolError(`Spoq's executables are not made for ${host}. They are for ${TARGETS.join(', ')}.`);
  return target;
}

/** `spoq-linux-amd64`, `conductor-linux-arm64`, `spoq-windows-amd64.exe`. */
export function releaseName(program: Program, target: Target): string {
  const [os = '', arch = ''] = target.split('-');
  return `${program}-${os}-${ARCHITECTURES[arch]}${os === 'windows' ? '.exe' : ''}`;
}

/** What there is for a target: the conductor is for boxes, which run Linux, and for this machine, where the sandbox's boxes run. */
function listPrograms(target: Target): Program[] {
  const isForBoxes = target.startsWith('linux') || target === `${process.platform}-${process.arch}`;
  return isForBoxes ? ['spoq', 'conductor'] : ['spoq'];
}

/**
 * Compiles `spoq` for these targets and the conductor for those that boxes have into `outDir`, with digests, manifest and their
 * signatures. A file whose sources have not changed is kept. Safe to run at the same time in several processes.
 */
export function buildRelease(outDir: string, targets: readonly Target[], deps: ReleaseDeps): Promise<Release> {
  const wait = (): void => deps.onProgress('another run compiles; waiting');
  return withLock(outDir, 'build', () => buildAll(outDir, targets, deps), wait);
}

async function buildAll(outDir: string, targets: readonly Target[], deps: ReleaseDeps): Promise<Release> {
  const key = loadReleaseKey(deps.env);
  const files: BuiltFile[] = [];
  for (const target of targets)
    for (const program of listPrograms(target))
      files.push(await buildOne(outDir, program, target, key.publicKey, deps));
  const present = TARGETS.flatMap((target) => listPrograms(target).map((program) => ({ program, target })))
    .filter(({ program, target }) => isFresh(outDir, program, target, hashSources(deps.root, program, key.publicKey)))
    .map(({ program, target }) => describeFile(program, target));
  const { version } = JSON.parse(readFileSync(path.join(deps.root, 'package.json'), 'utf8')) as { version: string };
  const builtAt = await findBuildTime(deps.root, deps.env);
  const manifest = await sealRelease(outDir, { version, builtAt, key, files: present });
  return { files, manifest };
}

function describeFile(program: Program, target: Target): Omit<ReleasedFile, 'size' | 'sha256'> {
  const [os, arch = ''] = target.split('-') as [ReleasedFile['os'], string];
  return { name: releaseName(program, target), program, os, arch: ARCHITECTURES[arch] ?? 'amd64' };
}

/** Whether the file is there and made of these sources: only such files are released together. */
function isFresh(outDir: string, program: Program, target: Target, hash: string): boolean {
  const name = releaseName(program, target);
  const stamp = stampOf(outDir, name);
  return existsSync(path.join(outDir, name)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
}

const stampOf = (outDir: string, name: string): string => path.join(outDir, `.${name}.sources`);

async function buildOne(
  outDir: string,
  program: Program,
  target: Target,
  key: PublicKey,
  deps: ReleaseDeps,
): Promise<BuiltFile> {
  const name = releaseName(program, target);
  const stamp = stampOf(outDir, name);
  const hash = hashSources(deps.root, program, key);
  if (isFresh(outDir, program, target, hash)) return { name, built: false };
  deps.onProgress(name);
  // The way from bun's working directory to the entry ends up inside: from here it is the same in every clone. (And bun leaves its
  // drafts in the working directory when it is stopped.)
  mkdirSync(path.join(deps.root, 'dist'), { recursive: true });
  const scratch = mkdtempSync(path.join(deps.root, 'dist', '.new-'));
  try {
    const draft = path.join(scratch, name);
    const entry = path.join(deps.root, PROGRAMS[program].entry);
    const flags = [...COMPILE_FLAGS, `--target=bun-${target}${target.endsWith('x64') ? '-baseline' : ''}`];
    const define = [...PATHLESS, '--define', `SPOQ_RELEASE_PUBLIC_KEY=${JSON.stringify(key.text)}`];
    const bun = path.join(deps.root, 'node_modules', '.bin', 'bun');
    const result = await runCommand(bun, [...flags, ...define, '--outfile', draft, entry], {
      cwd: scratch,
      env: deps.env,
      signal: deps.signal,
    });
    if (result.code !== 0 || !existsSync(draft)) {
      const words = `${result.stdout}${result.stderr}`.trim().split('\n').slice(-12).join('\n');
      throw new ToolError(`bun could not compile ${name}; what was in ${outDir} is kept. It said:\n${words}`);
    }
    rmSync(stamp, { force: true });
    moveFile(draft, path.join(outDir, name));
    writeFileSync(stamp, hash);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { name, built: true };
}

/** In one step at its end, also between file systems. */
function moveFile(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error;
    const draft = path.join(path.dirname(to), `.new-${path.basename(to)}`);
    copyFileSync(from, draft);
    renameSync(draft, to);
  }
}

/** Over every source that can end up inside, the packages' lock, the flags of the compiler and the key that is embedded. */
function hashSources(root: string, program: Program, key: PublicKey): string {
  const hash = createHash('sha256').update([...COMPILE_FLAGS, ...PATHLESS, key.text].join(' '));
  const files = PROGRAMS[program].sources.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => path.join(folder, file)),
  );
  const sources = files.filter((file) => !file.endsWith('.test.ts') && statSync(path.join(root, file)).isFile());
  for (const file of [...sources.sort(), 'package.json', 'package-lock.json'])
    hash.update(`\0${file}\0`).update(readFileSync(path.join(root, file)));
  return hash.digest('hex');
}
