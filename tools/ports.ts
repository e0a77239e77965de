import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { ToolError } from './terminal.ts';

const DEFAULT_PORT = 4000;

/** What listens where, as distances from SPOQ_PORT. */
export const PORT_OFFSETS = {
  control_plane: 0,
  page: 1,
  stripe: 2,
  github: 3,
  contabo: 4,
  hostinger: 5,
  cloudflare: 6,
  anthropic: 7,
  openai: 8,
  edge: 9,
  postgres: 10,
  worker: 11,
  mail: 12,
} as const;

/** Reads SPOQ_PORT. */
export function parsePort(value: string | undefined): number {
  const port = value === undefined || value === '' ? DEFAULT_PORT : Number(value);
  if (Number.isInteger(port) && port >= 1024 && port <= 65_535 - PORT_OFFSETS.mail) return port;
  throw new ToolError(
    `SPOQ_PORT is '${value}', which is no port that ${PORT_OFFSETS.mail} more fit behind. Take one from 1024 to 65000.`,
  );
}

/** Throws one sentence about every port of `ports` (name → number) that somebody else listens on. */
export async function checkPorts(ports: Record<string, number>, base: number): Promise<void> {
  const taken: string[] = [];
  for (const [name, port] of Object.entries(ports)) {
    if (!(await isFree(port))) taken.push(name);
  }
  const [first] = taken;
  const port = ports[first ?? ''];
  if (first === undefined || port === undefined) return;
  const owner = findListener(port);
  const others = taken.slice(1).map((name) => `${ports[name]} (${name.replaceAll('_', ' ')})`);
  const more = others.length === 0 ? '' : `, and so ${others.length === 1 ? 'is' : 'are'} ${others.join(', ')}`;
  const what = `Port ${port} (${first.replaceAll('_', ' ')}) is in use${owner === undefined ? '' : ` by ${owner}`}${more}`;
  const other = base + 1000 > 64_000 ? DEFAULT_PORT : base + 1000;
  throw new ToolError(
    `${what}. End that program, or set SPOQ_PORT=${other} to move all of Spoq's ports. Nothing was started.`,
  );
}

/** Below what systems give to connections by themselves (Linux from 32768, macOS and Windows from 49152). */
const CHOICE = { from: 15_000, to: 32_000, tries: 100 };

/**
 * A port of 127.0.0.1 that is free, for a program that is started in a moment. No connection gets it in between, and another
 * caller hardly ever.
 */
export function findFreePort(): Promise<number> {
  return findFreeBlock(1);
}

/** The first of so many that follow each other. */
export async function findFreeBlock(length: number): Promise<number> {
  for (let tries = 0; tries < CHOICE.tries; tries += 1) {
    const first = randomInt(CHOICE.from, CHOICE.to - length);
    const ports = Array.from({ length }, (_, at) => first + at);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
  throw new ToolError(`No port of 127.0.0.1 could be had between ${CHOICE.from} and ${CHOICE.to}.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** `node (pid 4711)`, as far as this user may know. */
function findListener(port: number): string | undefined {
  try {
    return process.platform === 'linux' ? findInProc(port) : findWithLsof(port);
  } catch {
    return undefined; // only there to help; the port and the next step are said anyway
  }
}

function findInProc(port: number): string | undefined {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1));
  const fields = rows
    .map((row) => row.trim().split(/\s+/))
    .find((row) => row[1]?.endsWith(wanted) === true && row[3] === '0A');
  if (fields === undefined) return undefined;
  const socket = `socket:[${fields[9]}]`;
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    if (openFiles(pid).includes(socket)) return `${nameOf(pid)} (pid ${pid})`;
  }
  return undefined;
}

function openFiles(pid: string): string[] {
  return readAll(() => readdirSync(`/proc/${pid}/fd`)).flatMap((fd) =>
    readAll(() => [readlinkSync(`/proc/${pid}/fd/${fd}`)]),
  );
}

/** What `read` finds; nothing of what is not ours to look at, or gone by now. */
function readAll(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** A program calls itself what it likes in `comm`; what it was started as is what a person knows it by. */
function nameOf(pid: string): string {
  return path.basename(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '') || 'a program';
}

function findWithLsof(port: number): string | undefined {
  const text = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { encoding: 'utf8' });
  const pid = /^p(\d+)/m.exec(text)?.[1];
  return pid === undefined ? undefined : `${/^c(.+)/m.exec(text)?.[1] ?? 'a program'} (pid ${pid})`;
}
