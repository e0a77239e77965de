import { createHash } from 'node:crypto';
import {
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
import { withLock } from './lock.ts';
import { runCommand } from './run-command.ts';
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

export interface BuiltFile {
  name: string;
  /** False if it was there already, made of the same sources. */
  built: boolean;
}

const PROGRAMS = {
  spoq: { entry: 'cli/main.ts', sources: ['cli', 'contract'] },
  conductor: { entry: 'conductor/main.ts', sources: ['conductor', 'contract'] },
} as const;
type Program = keyof typeof PROGRAMS;
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
/** Splitting leaves what a command does not need unread: `spoq --version` starts in half the time. */
export const COMPILE_FLAGS = ['build', '--compile', '--minify', '--bytecode', '--format=esm', '--splitting'];

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

/**
 * Compiles `spoq` for every target and the conductor for Linux and this machine (boxes of the sandbox run here) into `outDir`,
 * with SHA256SUMS. A file whose sources have not changed is kept. Safe to run at the same time in several processes.
 */
export function buildRelease(outDir: string, targets: readonly Target[], deps: ReleaseDeps): Promise<BuiltFile[]> {
  const wait = (): void => deps.onProgress('another run compiles; waiting');
  return withLock(outDir, 'build', () => buildAll(outDir, targets, deps), wait);
}

async function buildAll(outDir: string, targets: readonly Target[], deps: ReleaseDeps): Promise<BuiltFile[]> {
  const host = `${process.platform}-${process.arch}`;
  const built: BuiltFile[] = [];
  for (const target of targets) {
    for (const program of ['spoq', 'conductor'] as const) {
      if (program === 'conductor' && !target.startsWith('linux') && target !== host) continue;
      built.push(await buildOne(outDir, program, target, deps));
    }
  }
  writeSums(outDir);
  return built;
}

async function buildOne(outDir: string, program: Program, target: Target, deps: ReleaseDeps): Promise<BuiltFile> {
  const name = releaseName(program, target);
  const file = path.join(outDir, name);
  const stamp = path.join(outDir, `.${name}.sources`);
  const hash = hashSources(deps.root, PROGRAMS[program].sources);
  if (existsSync(file) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return { name, built: false };
  deps.onProgress(name);
  const scratch = mkdtempSync(path.join(outDir, '.new-')); // bun leaves its drafts in the working directory when it is stopped
  try {
    const draft = path.join(scratch, name);
    const entry = path.join(deps.root, PROGRAMS[program].entry);
    const bunTarget = `--target=bun-${target}${target.endsWith('x64') ? '-baseline' : ''}`;
    const bun = path.join(deps.root, 'node_modules', '.bin', 'bun');
    const result = await runCommand(bun, [...COMPILE_FLAGS, bunTarget, '--outfile', draft, entry], {
      cwd: scratch,
      env: deps.env,
      signal: deps.signal,
    });
    if (result.code !== 0 || !existsSync(draft)) {
      const words = `${result.stdout}${result.stderr}`.trim().split('\n').slice(-12).join('\n');
      throw new ToolError(`bun could not compile ${name}; what was in ${outDir} is kept. It said:\n${words}`);
    }
    rmSync(stamp, { force: true });
    renameSync(draft, file);
    writeFileSync(stamp, hash);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { name, built: true };
}

/** Over every source that can end up inside, the packages' lock and the flags of the compiler. */
function hashSources(root: string, folders: readonly string[]): string {
  const hash = createHash('sha256').update(COMPILE_FLAGS.join(' '));
  const files = folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => path.join(folder, file)),
  );
  const sources = files.filter((file) => !file.endsWith('.test.ts') && statSync(path.join(root, file)).isFile());
  for (const file of [...sources.sort(), 'package.json', 'package-lock.json'])
    hash.update(`\0${file}\0`).update(readFileSync(path.join(root, file)));
  return hash.digest('hex');
}

function writeSums(outDir: string): void {
  const names = readdirSync(outDir)
    .filter((name) => /^(spoq|conductor)-/.test(name) && !name.includes('.lock'))
    .sort();
  const lines = names.map(
    (name) =>
      `${createHash('sha256')
        .update(readFileSync(path.join(outDir, name)))
        .digest('hex')}  ${name}\n`,
  );
  mkdirSync(outDir, { recursive: true });
  const draft = path.join(outDir, `.SHA256SUMS-${process.pid}`);
  writeFileSync(draft, lines.join(''));
  renameSync(draft, path.join(outDir, 'SHA256SUMS'));
}
