import { existsSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Socket } from 'node:net';
import type { Workspace } from './workspaces.ts';

/** Saving one file is several events; builds are thousands. */
const QUIET_MS = 150;
const HEARTBEAT_MS = 15_000;

/** Server-sent events: `changed` when something in the workspace may have changed, comments as signs of life. Ends with the connection. */
export async function* watchWorkspace({ root }: Workspace, socket: Socket): AsyncGenerator<Uint8Array> {
  let changed = false;
  let wake: (() => void) | undefined;
  const stop = new AbortController();
  const note = (): void => {
    changed = true;
    wake?.();
  };
  socket.once('close', () => stop.abort());
  let watcher: FSWatcher | undefined;
  let id = 0;
  try {
    yield Buffer.from(': watching\n\n');
    while (!stop.signal.aborted) {
      // The folder may come, and go, and come again.
      if (watcher === undefined && existsSync(root)) {
        watcher = watch(root, { recursive: true }, note);
        watcher.on('error', () => {
          watcher?.close();
          watcher = undefined;
          note();
        });
      }
      if (!changed) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await Promise.race([promise, pause(HEARTBEAT_MS, stop.signal)]);
        wake = undefined;
      }
      if (stop.signal.aborted) return;
      if (!changed) {
        yield Buffer.from(': still here\n\n');
        continue;
      }
      await pause(QUIET_MS, stop.signal);
      changed = false;
      id += 1;
      yield Buffer.from(`id: ${id}\nevent: changed\ndata: {"type":"changed"}\n\n`);
    }
  } finally {
    watcher?.close();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return wait(ms, undefined, { signal }).catch(() => undefined);
}
