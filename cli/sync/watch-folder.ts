import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { createParser } from 'eventsource-parser';
import { SpoqError } from '../../contract/errors.ts';
import { callBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import type { CliDeps } from '../deps.ts';
import { isGitFolder } from '../../sync/names.ts';
import type { SyncedFolder } from './folders.ts';
import type { Reporter } from './report.ts';
import type { Synced } from './synced.ts';

/** An editor saves in several steps. */
const QUIET_MS = 200;
/** Whatever the watchers missed is found by then. */
const RESCAN_MS = 30_000;
const RETRY_MS = 5000;

/** Syncs whenever something changes here or on the box, until the person stops it. */
export async function watchFolder(
  deps: CliDeps,
  box: BoxAccess,
  folder: SyncedFolder,
  sync: () => Promise<Synced>,
  reporter: Reporter,
): Promise<void> {
  let changed = false;
  let wake = (): void => undefined;
  const note = (): void => {
    changed = true;
    wake();
  };
  deps.signal.addEventListener('abort', () => wake(), { once: true });
  const local = watchHere(folder.path, note);
  void hearBox(deps, box, folder.name, note);
  await reporter.say(`Watching ${folder.path} and the box; Ctrl-C ends it.`);
  try {
    for (;;) {
      if (!changed && !deps.signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const timer = setTimeout(resolve, RESCAN_MS);
        await promise;
        clearTimeout(timer);
      }
      await deps.sleep(QUIET_MS, deps.signal).catch(() => undefined);
      // Nothing is drawn meanwhile: the terminal's ^C has a line of its own.
      if (deps.signal.aborted && deps.stderr.isTTY) await deps.stderr.write('\n');
      deps.signal.throwIfAborted();
      changed = false;
      const synced = await sync();
      if (synced.here.length + synced.box.length + synced.refused.length > 0) await reporter.result(synced, folder);
      else await reporter.stop();
    }
  } finally {
    local?.close();
  }
}

/** Nothing where this system can't watch: then the rescan finds what changed. */
function watchHere(path: string, note: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { recursive: true }, (_event, name) => {
      if (name === null || !isGitFolder(String(name).split(/[\\/]/)[0] ?? '')) note();
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

/** Hears of changes on the box, and comes back when the line was lost. */
async function hearBox(deps: CliDeps, box: BoxAccess, name: string, note: () => void): Promise<void> {
  const request = { method: 'GET', path: `/api/workspaces/${name}/changes`, accept: 'text/event-stream' } as const;
  while (!deps.signal.aborted) {
    try {
      const response = await callBox(deps, box, request, async () => undefined);
      const decoder = new TextDecoder();
      const parser = createParser({ onEvent: ({ event }) => (event === 'changed' ? note() : undefined) });
      note(); // Whatever happened while nobody listened.
      for await (const chunk of response.chunks()) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      if (error instanceof SpoqError && error.code === 'cancelled') return;
      // The line is cut or the box restarts: the rescan of every half minute says so, if it stays.
    }
    await deps.sleep(RETRY_MS, deps.signal).catch(() => undefined);
  }
}
