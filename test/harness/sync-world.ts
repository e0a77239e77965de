import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { createTestDeps } from '../../cli/testing/create-test-deps.ts';
import type { TestDeps, TestDepsOptions } from '../../cli/testing/create-test-deps.ts';
import { runCli } from '../../cli/program.ts';
import { serveFiles } from '../../conductor/files/server.ts';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import { startConductor } from '../../conductor/testing/start-conductor.ts';
import type { TestConductor } from '../../conductor/testing/start-conductor.ts';
import { OWNER_ID, signToken } from '../../conductor/testing/tokens.ts';
import { closeServer, listenOnFreePort } from './listen.ts';

/** A laptop with a folder, a front door, a conductor and the program that keeps the files; each over real sockets. */
export interface SyncWorld {
  /** The folder here, and its workspace on the box. */
  laptop: string;
  box: string;
  /** Where the box keeps what it knows of the workspace, and where the laptop does. */
  boxState: string;
  spoqHome: string;
  conductor: TestConductor;
  /** `spoq` with these arguments, in the folder. */
  spoq(args: string[], options?: Partial<TestDepsOptions>): Promise<{ code: number; out: string; err: string }>;
  /** The same, with what it is run with: to stop it. */
  begin(args: string[], options?: Partial<TestDepsOptions>): { deps: TestDeps; ended: Promise<number> };
  /** After so many bytes from the laptop the line is cut, once. */
  cutAfter(bytes: number): void;
  /** Told of each request of the laptop, before it is carried on. */
  onRequest(listener: (path: string) => void): void;
  /** Bytes that have come from the laptop since the last call. */
  countBytes(): number;
  /** Ends the program that keeps the files, at once, and starts another. */
  restartFiles(): Promise<void>;
  close(): Promise<void>;
}

export interface SyncWorldOptions {
  /** The folder here, and so the workspace. */
  name?: string;
  /** The program that keeps the files is a process, and ends by SIGKILL. */
  asProcess?: boolean;
}

export async function openSyncWorld({ name = 'tides', asProcess = false }: SyncWorldOptions = {}): Promise<SyncWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-sync-'));
  const laptop = join(folder, name);
  const home = join(folder, 'home');
  const spoqHome = join(folder, 'spoq');
  for (const one of [laptop, home, spoqHome]) mkdirSync(one);
  const socket = join(folder, 'files.sock');
  const start = (): Promise<{ end(): Promise<void> }> =>
    asProcess ? startFilesProcess(home, socket) : startFilesHere(home, socket);
  let files = await start();
  const plane = await startControlPlane();
  const conductor = await startConductor({ plane, files: socket });
  const line: Line = { left: Number.POSITIVE_INFINITY, bytes: 0, hear: () => undefined };
  const door = createDoor(conductor, line);
  const { url } = await listenOnFreePort(door);
  const credentials = {
    vps_hostname: url,
    access_token: await signToken(plane.key),
    refresh_token: 'refresh',
    expires_at: new Date(Date.now() + 500_000).toISOString().replace(/\.\d+Z/, 'Z'),
    user_id: OWNER_ID,
    username: 'alice',
  };
  writeFileSync(join(spoqHome, 'credentials'), JSON.stringify(credentials));
  const begin: SyncWorld['begin'] = (args, options = {}) => {
    const env = { SPOQ_HOME: spoqHome, ...options.env };
    const deps = createTestDeps({ cwd: laptop, now: Date.now, ...options, env });
    return { deps, ended: runCli(deps, args) };
  };
  return {
    laptop,
    box: join(home, 'workspaces', name),
    boxState: join(home, '.local', 'state', 'spoq', 'workspaces', name),
    spoqHome,
    conductor,
    begin,
    async spoq(args, options) {
      const { deps, ended } = begin(args, options);
      return { code: await ended, out: deps.out(), err: deps.err() };
    },
    cutAfter(bytes) {
      line.left = bytes;
    },
    onRequest(listener) {
      line.hear = listener;
    },
    countBytes() {
      const { bytes } = line;
      line.bytes = 0;
      return bytes;
    },
    async restartFiles() {
      await files.end();
      rmSync(socket, { force: true });
      files = await start();
    },
    async close() {
      await closeServer(door);
      await conductor.close();
      await Promise.all([files.end(), plane.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startFilesHere(home: string, socket: string): Promise<{ end(): Promise<void> }> {
  const server = await serveFiles({ home, listen: { path: socket }, log: pino({ level: 'silent' }) });
  return { end: () => server.close() };
}

const FILES_MAIN = fileURLToPath(new URL('files-process.ts', import.meta.url));

/** Nothing is written down at its end. */
async function startFilesProcess(home: string, socket: string): Promise<{ end(): Promise<void> }> {
  const child = spawn(process.execPath, [FILES_MAIN, home, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  return {
    async end() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

interface Line {
  /** Until it is cut. */
  left: number;
  bytes: number;
  hear(path: string): void;
}

/** From a port of this machine to the conductor's remote socket, as Caddy does it. It can be cut. */
function createDoor(conductor: TestConductor, line: Line): Server {
  return createServer((from, to) => {
    const { method, url: path = '', headers } = from;
    line.hear(path);
    const onward = request(
      { socketPath: conductor.remote.socketPath, method, path, headers, agent: false },
      (answer) => {
        to.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.once('error', () => to.destroy()).pipe(to);
      },
    );
    onward.on('error', () => to.destroy());
    to.once('close', () => onward.destroy());
    from.on('data', (chunk: Buffer) => {
      line.bytes += chunk.length;
      line.left -= chunk.length;
      if (line.left > 0) return void onward.write(chunk);
      line.left = Number.POSITIVE_INFINITY;
      from.socket.destroy();
      onward.destroy();
    });
    from.once('end', () => onward.end());
  });
}

/** A tree as text: path to mode and content, so that two can be compared whole. */
export function readTree(root: string): Record<string, string> {
  const tree: Record<string, string> = {};
  if (!existsSync(root)) return tree;
  for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
    if (path.split('/').includes('.git')) continue;
    const stats = lstatSync(join(root, path));
    const mode = (stats.mode & 0o777).toString(8);
    if (stats.isSymbolicLink()) tree[path] = `link ${readlinkSync(join(root, path))}`;
    else if (stats.isDirectory()) tree[path] = `folder ${mode}`;
    else if (stats.isFile()) tree[path] = `${mode} ${readFileSync(join(root, path), 'latin1')}`;
    else tree[path] = 'special';
  }
  return tree;
}

/** Writes files, folders above them included. */
export function writeTree(root: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}
