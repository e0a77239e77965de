import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { formatSummary, summarize } from './statistics.ts';
import { makeTree } from './sync-tree.ts';

/** Milliseconds from the start of `spoq ask` to the first byte that the box sees, and to the whole question. */
export interface AskStart {
  files: number;
  first_byte: number[];
  question: number[];
}

/** To the first byte. */
const FIRST_BYTE_LIMIT_MS = 100;
const SIZE = { files: 20_000, bytes: 298_000_000 };

export interface AskStartOptions {
  dir: string;
  spoq: readonly string[];
  /** Where programs are found. */
  searchPath: string;
  rounds: number;
}

/** Asks in a git repository of 20,000 files; the box is a server that only looks at the clock. */
export async function measureAskStarts({ dir, spoq, searchPath, rounds }: AskStartOptions): Promise<AskStart> {
  const tree = path.join(dir, 'tree');
  if (!existsSync(tree)) makeTree(tree, SIZE);
  const git = (...args: string[]): void => void execFileSync('git', ['-C', tree, ...args], { stdio: 'ignore' });
  git('init', '-q');
  git('add', '-A');
  const seen = { began: 0, firstByte: 0, question: 0 };
  let heard = Promise.withResolvers<void>();
  const server = createServer((req, res) => {
    if (req.method === 'GET') return void res.end('{}');
    req.resume().on('end', () => {
      seen.question = performance.now();
      heard.resolve();
    });
  });
  server.on('connection', (socket) => {
    socket.once('data', () => {
      if (seen.firstByte < seen.began) seen.firstByte = performance.now();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const home = path.join(dir, 'home');
  mkdirSync(home, { recursive: true });
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'Z');
  const credentials = {
    vps_hostname: `http://alice.spoq.localhost:${port}`,
    access_token: 'token',
    refresh_token: 'refresh',
    expires_at: inAnHour,
    user_id: randomUUID(),
    username: 'alice',
  };
  writeFileSync(path.join(home, 'credentials'), JSON.stringify(credentials), { mode: 0o600 });
  const times: AskStart = { files: SIZE.files, first_byte: [], question: [] };
  const env = { PATH: searchPath, HOME: home, SPOQ_HOME: home, SPOQ_VPS_MARKER: path.join(home, 'none') };
  try {
    for (let round = -2; round < rounds; round++) {
      heard = Promise.withResolvers();
      const began = (seen.began = performance.now());
      const [program = '', ...args] = spoq;
      const child = spawn(program, [...args, 'ask', 'what does this do?'], { cwd: tree, env, stdio: 'ignore' });
      const ended = once(child, 'close').then(() => Promise.reject(new Error('spoq ask has ended without a question')));
      await Promise.race([heard.promise, ended]);
      child.kill('SIGKILL'); // Nobody answers it.
      await ended.catch(() => undefined);
      if (round < 0) continue;
      times.first_byte.push(seen.firstByte - began);
      times.question.push(seen.question - began);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return times;
}

/** The section of docs/performance.md. */
export function renderAskStart({ files, first_byte: first, question }: AskStart): string {
  return `## \`spoq ask\` in a large repository

From the start of the process to what the box sees, in a git repository of ${files} files.

| | ms |
|---|---|
| the first byte | **${formatSummary(summarize(first))}** |
| all of the question, with the files that go along | ${formatSummary(summarize(question))} |

Wanted: the first byte within ${FIRST_BYTE_LIMIT_MS} ms.
`;
}

/** What doesn't hold. */
export function listAskStartFailures({ first_byte: first }: AskStart): string[] {
  const { median } = summarize(first);
  return median <= FIRST_BYTE_LIMIT_MS
    ? []
    : [`spoq ask: ${median.toFixed(0)} ms to the first byte, at most ${FIRST_BYTE_LIMIT_MS} are wanted`];
}
