import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isSocketPath } from '../socket-file.ts';

export interface FilesChild {
  socket: string;
  /** Settles once it listens; rejects when it ends before. */
  listening: Promise<void>;
  /** Lets it write down what it knows, and end. */
  close(): Promise<void>;
}

/**
 * Where no systemd does it (a machine that is a process): `conductor files` as a child, which ends with us. `command` is what runs the
 * conductor.
 */
export function startFiles(command: readonly string[], home: string, stateDir: string): FilesChild {
  mkdirSync(stateDir, { recursive: true });
  const inState = join(stateDir, `files-${process.pid}.sock`);
  const folder = isSocketPath(inState) ? undefined : mkdtempSync(join(tmpdir(), 'spoq-files-'));
  const socket = folder === undefined ? inState : join(folder, 'files.sock');
  const [program = '', ...entry] = command;
  const flags = ['files', '--home', resolve(home), '--socket', socket, '--attached'];
  const child = spawn(program, [...entry, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((done) => {
    child.once('close', () => {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      done();
    });
  });
  const listening = new Promise<void>((done, fail) => {
    // Its only line says that it listens.
    child.stdout.once('data', () => done());
    child.once('error', fail).once('exit', (code, signal) => {
      fail(new Error(`conductor files ended (${signal ?? code})`));
    });
  });
  listening.catch(() => undefined); // It is awaited when all else is ready.
  child.stdin.on('error', () => undefined); // It has ended already.
  return {
    socket,
    listening,
    close() {
      child.stdin.end();
      return ended;
    },
  };
}
