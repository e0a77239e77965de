import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { WorkError } from './workplace.ts';
import type { RunPlace } from './workplace.ts';

/** Made by systemd, for group `conductor`: each connection is served by cloud-init/launch-work.sh, as root. */
export const LAUNCHER_SOCKET = '/run/conductor-agents/work.sock';

/** As launch-work.sh reads them; it looks again, whatever is checked here. */
const ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const WORKSPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A conversation in lines with the one who makes and watches places. It runs as root: what it says is believed, within bounds. */
export interface LauncherLine {
  /** Undefined when there is no more. */
  next(): Promise<string | undefined>;
  /** Says that nothing more is wanted; what is still said can be heard. */
  hangUp(): void;
  close(): void;
}

export function describeOpen({ id, workspace, limits }: RunPlace): string {
  if (!WORKSPACE.test(workspace))
    throw new WorkError('not_found', `There is no workspace ${JSON.stringify(workspace)}.`);
  const { memory_bytes, tasks, cpu_percent, seconds, disk_bytes } = limits;
  const numbers = [memory_bytes, tasks, cpu_percent, seconds, disk_bytes];
  if (!numbers.every((number) => Number.isSafeInteger(number) && number > 0 && number < 1e15))
    throw new WorkError('failed', 'The limits of a run are whole numbers above 0.');
  return `open ${requireId(id)} ${workspace} ${numbers.join(' ')}`;
}

export function requireId(id: string): string {
  if (ID.test(id)) return id;
  throw new WorkError('failed', `${JSON.stringify(id)} can't be the name of a run.`);
}

/** Connects and says what is wanted. Throws WorkError `unavailable` where nobody makes places. */
export async function callLauncher(path: string, request: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: false });
  try {
    await once(socket, 'connect');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    const told = `Nothing can be run on this box: what confines runs does not answer at ${path} (${reason}).`;
    throw new WorkError('unavailable', told, { cause });
  }
  socket.write(`${request}\n`);
  return socket;
}

export function readLauncher(socket: Socket): LauncherLine {
  socket.on('error', () => undefined); // its end says as much
  const reader = createInterface({ input: socket });
  const lines = reader[Symbol.asyncIterator]();
  socket.once('close', () => reader.close());
  return {
    async next() {
      const { value, done } = await lines.next();
      return done === true ? undefined : String(value).slice(0, 500);
    },
    hangUp: () => void socket.end(),
    close: () => void socket.destroy(),
  };
}

/** Throws what a line `refused REASON TEXT` says. */
export function refuseBy(line: string | undefined): never {
  const [, reason, text] = /^refused (\w+) (.*)$/.exec(line ?? '') ?? [];
  const said = text ?? 'What confines runs did not answer as it should; its log says why: journalctl -t conductor-work';
  throw new WorkError(reason === 'disk' ? 'no_space' : reason === 'not_found' ? 'not_found' : 'unavailable', said);
}
