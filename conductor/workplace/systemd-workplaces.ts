import { setTimeout as wait } from 'node:timers/promises';
import type { Dial } from './egress.ts';
import { callLauncher, describeOpen, LAUNCHER_SOCKET, readLauncher, refuseBy, requireId } from './launcher.ts';
import type { LauncherLine } from './launcher.ts';
import { createRemoteWorkplace } from './remote-workplace.ts';
import type { WorkEnd, Workplaces } from './workplace.ts';

/** What the launcher needs to find out why a place ended, once its line is cut. */
const REASON_MS = 8_000;
/** What it needs to end whatever is left. */
const END_MS = 15_000;

export interface ConfinedWorkplaces extends Workplaces {
  /** How many are open. */
  readonly openCount: number;
  /** Removes every place whose run isn't known any more; answers their ids. */
  sweep(isKnown: (id: string) => boolean): Promise<string[]>;
}

/** Places of work that systemd confines, as boxes have them. Nothing is made where that can't be. */
export function createWorkplaces({
  dial,
  socket = LAUNCHER_SOCKET,
}: {
  dial: Dial;
  socket?: string;
}): ConfinedWorkplaces {
  const remove = async (id: string): Promise<void> => {
    const line = readLauncher(await callLauncher(socket, `remove ${requireId(id)}`));
    const said = await line.next();
    line.close();
    if (said !== 'done') refuseBy(said);
  };
  let openCount = 0;
  return {
    get openCount() {
      return openCount;
    },
    async open(run, progress, signal) {
      signal.throwIfAborted();
      progress('Making a place for the run');
      const watcher = readLauncher(await callLauncher(socket, describeOpen(run)));
      const said = await watcher.next();
      if (said !== 'ready') {
        watcher.close();
        refuseBy(said);
      }
      openCount += 1;
      const ended = readEnd(watcher);
      const close = async (): Promise<void> => {
        watcher.hangUp(); // which ends everything that is left in there
        // Its last word comes when nothing is left. (Not the end of the line: systemd may hold that open for longer.)
        await Promise.race([ended, wait(END_MS, undefined, { ref: false })]);
        watcher.close();
        openCount -= 1;
      };
      const stream = await callLauncher(socket, `join ${run.id}`).catch(async (error: unknown) => {
        await close();
        throw error;
      });
      const place = createRemoteWorkplace({
        input: stream,
        output: stream,
        dial,
        async end(wasAsked) {
          const told = wasAsked ? undefined : await Promise.race([ended, wait(REASON_MS, undefined, { ref: false })]);
          await close();
          return told;
        },
      });
      void ended.then(() => stream.destroy()); // nothing runs there any more
      try {
        await place.prepare(run.snapshot, progress, signal);
        return place;
      } catch (error) {
        await place.close();
        throw error;
      }
    },
    remove,
    async sweep(isKnown) {
      const line = readLauncher(await callLauncher(socket, 'list'));
      const ids: string[] = [];
      for (let said = await line.next(); said !== 'done'; said = await line.next()) {
        const [, id] = /^run (\S+)$/.exec(said ?? '') ?? [];
        if (id === undefined) refuseBy(said);
        if (!isKnown(id)) ids.push(id);
      }
      line.close();
      for (const id of ids) await remove(id);
      return ids;
    },
  };
}

const ENDS: Record<string, WorkEnd> = {
  time: { reason: 'time', detail: 'The run has used up its time and was ended.' },
  removed: { reason: 'asked', detail: 'The run was removed.' },
  memory: { reason: 'memory', detail: 'The run has used up its memory and was ended.' },
  disk: {
    reason: 'disk',
    detail:
      'The run was ended because it used more of the disk than it may, or because the disk of the box is almost full.',
  },
};

async function readEnd(watcher: LauncherLine): Promise<WorkEnd | undefined> {
  const [, reason = '', detail = ''] = /^ended (\w+) ?(.*)$/.exec((await watcher.next()) ?? '') ?? [];
  if (reason === '') return undefined;
  return ENDS[reason] ?? { reason: 'lost', detail: `The place of the run was lost: ${detail}.` };
}
