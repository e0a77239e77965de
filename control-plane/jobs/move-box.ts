import { SpoqError } from '../../contract/errors.ts';
import { openBootToken } from '../commands/open-boot-token.ts';
import { type Move, writeMove } from '../db/moves.ts';
import { toBoxColumns, type UserVpsRow } from '../db/user-vps.ts';
import type { BoxOutputs, EngineOptions } from '../engine/engine.ts';
import { intendMachine, ownMachine, releaseMachine, releaseMachines } from './machine-records.ts';
import { holdLease } from './progress.ts';
import type { Run } from './provision-job.ts';
import type { BootWatch } from './watch-boot.ts';
import type { WorkerDeps } from './worker-deps.ts';

export interface Moved {
  /** As its row is now. */
  box: UserVpsRow;
  outputs: BoxOutputs;
  /** Of the release on the new machine. */
  version: string | undefined;
}

/** What a failure leads to before the name leads to the new machine: the box is taken back to where it was. */
const CAME_BACK = 'The box is where it was, and serves there.';

/**
 * Moves a box to another machine, or goes on with that where an earlier run stopped: each stage is written down before it begins, and
 * may be repeated. Until the box answers at its new place a failure takes it back to the old one.
 * @throws SpoqError `engine_failed` with the reason, once it has been taken back
 */
export async function moveBox(deps: WorkerDeps, run: Run, boot: BootWatch): Promise<Moved> {
  const options: EngineOptions = { onEvent: run.progress.tell, signal: run.signal, takeOver: true };
  let { box } = run;
  for (;;) {
    const { move } = box;
    if (move === null) throw new Error(`box ${box.id} is being moved to nowhere`);
    if (move.stage === 'return') {
      await returnBox(deps, { ...run, box });
      throw new SpoqError('engine_failed', { detail: `${move.reason ?? 'It could not be moved.'} ${CAME_BACK}` });
    }
    if (move.stage === 'leave') return leave(deps, run, box, move, options);
    try {
      box = await advance(deps, run, box, move, {
        ...options,
        signal: AbortSignal.any([run.signal, boot.failed]),
      });
    } catch (error) {
      const reason = boot.failure() ?? explain(error);
      if (run.signal.aborted || reason === undefined) throw error;
      deps.log.error({ err: error, box_id: box.id, stage: move.stage }, 'a box could not be moved');
      box = await note(deps, run, box, { ...move, stage: 'return', reason });
    }
  }
}

/**
 * Finishes what an earlier move has left undone: a machine that could not be given up, or a box that could not be taken back. Answers
 * the box without a move.
 */
export async function finishMove(deps: WorkerDeps, run: Run): Promise<UserVpsRow> {
  const { box } = run;
  const { move } = box;
  if (move === null) return box;
  const options: EngineOptions = { onEvent: run.progress.tell, signal: run.signal, takeOver: true };
  if (move.stage === 'leave') return (await leave(deps, run, box, move, options)).box;
  return returnBox(deps, { ...run, box: await note(deps, run, box, { ...move, stage: 'return' }) });
}

/** From `copy` to `switch`, and from there to `leave`. Answers the box as its row is then. */
async function advance(
  deps: WorkerDeps,
  run: Run,
  box: UserVpsRow,
  move: Move,
  options: EngineOptions,
): Promise<UserVpsRow> {
  if (move.stage === 'copy') {
    await intendMachine(deps.db, box, deps.now(), move);
    // Until it is settled, so that the new machine may go on to report while it is being switched to.
    await deps.engine.up(deps.buildSpec(box, { bootToken: await openBootToken(deps, box) }), options);
    await run.progress.flush();
    return note(deps, run, box, { ...move, stage: 'switch' });
  }
  const outputs = await deps.engine.up(deps.buildSpec(box), options);
  await run.progress.flush();
  const { provider, region, plan, machine } = move;
  const left = { provider: box.provider, provider_instance_id: box.provider_instance_id ?? '' };
  const change = { ...toBoxColumns(outputs), provider, region, plan, machine };
  await deps.db.transaction((tx) => ownMachine(tx, box, outputs, deps.now(), move));
  return note(deps, run, box, { ...move, stage: 'leave', left }, change);
}

/** The box is at its new place: what it has left is given up. */
async function leave(
  deps: WorkerDeps,
  run: Run,
  box: UserVpsRow,
  { left }: Move,
  options: EngineOptions,
): Promise<Moved> {
  const spec = deps.buildSpec({ ...box, operation: null });
  const outputs = await deps.engine.up(spec, options).catch((error: unknown) => {
    const reason = run.signal.aborted ? undefined : explain(error);
    if (reason === undefined) throw error;
    const detail = `The box is on its new machine. The old one could not be given up yet: ${reason}`;
    throw new SpoqError('engine_failed', { detail, cause: error });
  });
  await run.progress.flush();
  if (left !== undefined) {
    const { signal } = run;
    const given = await deps.engine.inventory(left.provider, { signal });
    const machine = given.find((one) => one.provider_instance_id === left.provider_instance_id);
    await releaseMachine(deps.db, left, machine?.ends_at ?? null, deps.now());
  }
  return { box: await note(deps, run, box, null), outputs, version: spec.releases.version };
}

/** The box serves where it was; what it was to go to is given up. */
async function returnBox(deps: WorkerDeps, run: Run): Promise<UserVpsRow> {
  const { box, signal, progress } = run;
  const { move } = box;
  if (move === null) return box;
  const spec = deps.buildSpec({ ...box, operation: null });
  const options = { onEvent: progress.tell, signal, takeOver: true };
  const given = await deps.engine.takeBack(spec, options).catch((cause: unknown) => {
    // Never final: the box may be asleep where it is.
    throw new Error(`box ${box.id} could not be taken back`, { cause });
  });
  await progress.flush();
  await deps.db.transaction(async (tx) => {
    await holdLease(tx, box);
    await releaseMachines(tx, box, given, deps.now(), move);
    await writeMove(tx, box.id, null);
  });
  return { ...box, move: null };
}

/** Writes down how far a move is, in this run's name. */
async function note(
  deps: WorkerDeps,
  run: Run,
  box: UserVpsRow,
  move: Move | null,
  change: Partial<UserVpsRow> = {},
): Promise<UserVpsRow> {
  await deps.db.transaction(async (tx) => {
    await holdLease(tx, run.box);
    await writeMove(tx, box.id, move, change);
  });
  return { ...box, ...change, move };
}

/** The reason for the customer; undefined for what another attempt may mend. */
function explain(error: unknown): string | undefined {
  if (!(error instanceof SpoqError) || error.code === 'stack_busy') return undefined;
  return error.detail ?? `${error.title}.`;
}
