import type { BoxAccess } from '../box/connection.ts';
import type { CliDeps } from '../deps.ts';
import { formatBytes, formatCount } from '../terminal/format.ts';
import { describeNotice } from '../terminal/notice.ts';
import { startProgressBar } from '../terminal/progress-bar.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { startSpinner } from '../terminal/spinner.ts';
import type { Spinner } from '../terminal/spinner.ts';
import type { SyncedFolder } from './folders.ts';
import type { Phase, Synced } from './synced.ts';

export interface Reporter {
  phase(phase: Phase): Promise<void>;
  /** Something takes longer, and why. */
  wait(message: string): Promise<void>;
  say(message: string): Promise<void>;
  result(synced: Synced, folder: SyncedFolder): Promise<void>;
  stop(): Promise<void>;
}

const VERSIONS = { here: 'your version', box: "the box's version" } as const;
const WORDS = { send: 'Sending', fetch: 'Fetching' } as const;
/** Of each kind; the rest is counted. `--json` tells all. */
const SHOWN = 20;

/** Tells a person, or a program with `--json`, how a sync goes. */
export function createReporter(deps: CliDeps, options: { json: boolean; dryRun: boolean }, box: BoxAccess): Reporter {
  const bar = startProgressBar(deps);
  let spinner: Spinner | undefined;
  let lastType: string | undefined;
  /** What takes no part is named once, however often it is synced. */
  const told = new Set<string>();
  const event = (value: object): Promise<void> => deps.stdout.write(`${JSON.stringify(value)}\n`);
  const rest = async (): Promise<void> => {
    await spinner?.stop();
    spinner = undefined;
    await bar.stop();
  };
  const say = async (message: string): Promise<void> => {
    if (options.json) return deps.stderr.write(`${JSON.stringify({ type: 'waiting', message })}\n`);
    await rest();
    await deps.stderr.write(`${message}\n`);
  };
  return {
    say,
    wait: say,
    stop: rest,
    async phase(phase) {
      const isNew = lastType !== phase.type;
      lastType = phase.type;
      if (options.json)
        return isNew || phase.type === 'send' || phase.type === 'fetch'
          ? event({ type: 'progress', phase: phase.type, ...omitType(phase) })
          : undefined;
      if (phase.type === 'send' || phase.type === 'fetch') {
        await spinner?.stop();
        spinner = undefined;
        if (isNew && !bar.canDraw)
          await deps.stderr.write(
            `${WORDS[phase.type]} ${formatCount(phase.files, 'file')}, ${formatBytes(phase.bytes)}\n`,
          );
        return bar.update(WORDS[phase.type], phase.done, phase.bytes);
      }
      await rest();
      if (!deps.stderr.isTTY) return;
      if (phase.type === 'compare') spinner = startSpinner(deps, `Comparing with ${box.url.hostname}…`);
      if (phase.type === 'apply')
        spinner = startSpinner(
          deps,
          `Writing ${phase.where === 'here' ? 'here' : 'on the box'}: ${formatCount(phase.steps, 'change')}…`,
        );
    },
    async result(synced, folder) {
      await rest();
      if (options.json) {
        const { here, box: there, ...more } = synced;
        const paths = (steps: Synced['here']) =>
          steps.map(({ path, want }) => ({ path, change: want === null ? 'removed' : 'written' }));
        return event({
          type: options.dryRun ? 'would_sync' : 'synced',
          workspace: folder.name,
          folder: folder.path,
          here: paths(here),
          box: paths(there),
          ...more,
        });
      }
      if (box.notice !== undefined) await deps.stderr.write(`${describeNotice(box.notice)}\n`);
      const left_out = synced.left_out.filter(({ where, path }) => !told.has(`${where} ${path}`));
      for (const { where, path } of left_out) told.add(`${where} ${path}`);
      for (const line of describeDetails({ ...synced, left_out })) await deps.stderr.write(`${line}\n`);
      await deps.stdout.write(`${describeResult(synced, folder, box, options.dryRun)}\n`);
    },
  };
}

function omitType({ type: _type, ...rest }: Phase): object {
  return rest;
}

function describeDetails({ notes, refused, left_out }: Synced): string[] {
  const where = { here: 'here', box: 'on the box' } as const;
  const conflicts = notes.flatMap((note) =>
    note.type === 'conflict'
      ? [
          `Both changed ${sanitizeLine(note.path)}: ${VERSIONS[note.version_of]} is kept as ${sanitizeLine(note.kept_as)}`,
        ]
      : [],
  );
  const kept = notes.flatMap((note) =>
    note.type === 'kept'
      ? [`${sanitizeLine(note.path)} was deleted ${where[note.deleted_on]} and changed on the other side: it stays`]
      : [],
  );
  const twins = notes.flatMap((note) =>
    note.type === 'twin'
      ? [
          `${sanitizeLine(note.path)} stays where it is: it cannot be told from ${sanitizeLine(note.twin)} on the other side`,
        ]
      : [],
  );
  const skipped = refused.map(
    (one) => `${sanitizeLine(one.path)} was left as it is ${where[one.where]}: ${one.reason}`,
  );
  const out = left_out.map(
    (one) =>
      `Left out ${where[one.where]}: ${sanitizeLine(one.path)} (${one.reason})${one.withheld ? '; --allow takes it along' : ''}`,
  );
  return [conflicts, kept, twins, skipped, out].flatMap((lines) =>
    lines.length <= SHOWN ? lines : [...lines.slice(0, SHOWN), `… and ${lines.length - SHOWN} more; --json lists all`],
  );
}

function describeResult(synced: Synced, folder: SyncedFolder, box: BoxAccess, dryRun: boolean): string {
  const { here, box: there } = synced;
  const place = `workspace ${folder.name} on ${box.url.hostname}`;
  const counts = `${formatCount(there.length, 'change')} to the box, ${formatCount(here.length, 'change')} here`;
  if (dryRun) {
    const list = (steps: Synced['here'], arrow: string) =>
      steps.map(({ path, want }) => `  ${arrow} ${want === null ? 'delete ' : ''}${sanitizeLine(path)}\n`).join('');
    return `${list(there, '→')}${list(here, '←')}Would be: ${counts}, ${place}. Nothing was changed.`;
  }
  if (here.length + there.length === 0) return `In sync: ${place}.`;
  const bytes = [
    ...(synced.sent_bytes > 0 ? [`${formatBytes(synced.sent_bytes)} sent`] : []),
    ...(synced.fetched_bytes > 0 ? [`${formatBytes(synced.fetched_bytes)} fetched`] : []),
  ];
  return `${[counts, ...bytes].join(', ')}: ${place}.`;
}
