import { setTimeout as sleep } from 'node:timers/promises';
import { SpoqError } from '../../contract/errors.ts';
import { beginOperation } from '../commands/begin-operation.ts';
import { type MoveWish, planMove } from '../commands/plan-move.ts';
import type { Move } from '../db/moves.ts';
import { findBox } from '../db/user-vps.ts';
import { listVpsEvents } from '../db/vps-events.ts';
import type { Preview } from '../engine/engine.ts';
import type { WorkerDeps } from '../jobs/worker-deps.ts';
import { type AskedOperation, OPERATION_NOUNS, presentOperation, printOperation } from '../presenters/operations.ts';
import type { CommandOptions } from './commands.ts';
import { type BoxOfUser, findBoxOf } from './find-box.ts';

/** Between two looks at how an operation comes along. */
const LOOK_MS = 250;

/** What an operation would do: in the words that its owner reads, and as the engine sees it. Changes nothing. */
export async function previewOperation(
  deps: WorkerDeps,
  who: string,
  operation: AskedOperation,
  { signal, ...wish }: Pick<CommandOptions, 'signal'> & MoveWish,
): Promise<Preview> {
  const box = await findBoxOf(deps.db, who);
  const number = box.operation_number + 1;
  const to = operation === 'move' && box.move === null ? planMove(deps.config, box, wish) : undefined;
  const move: Move | null = to === undefined ? box.move : { ...to, machine: number, stage: 'switch' };
  const asked = { ...box, operation, operation_number: number, operation_failure: null, move };
  const preview = await deps.engine.preview(deps.buildSpec(asked), { signal });
  return { ...preview, summary: [printOperation(presentOperation(operation, box, to)), ...preview.summary] };
}

/**
 * Asks for an operation as the owner of the box would, and follows it to its end; a worker carries it out.
 * @throws SpoqError `engine_failed` with the reason when it fails; `cancelled` when the caller stops looking: it goes on
 */
export async function operateBox(
  deps: WorkerDeps,
  who: string,
  operation: AskedOperation,
  { signal, onEvent, ...wish }: CommandOptions & MoveWish,
): Promise<BoxOfUser> {
  const found = await findBoxOf(deps.db, who);
  const move = operation === 'move' && found.move === null ? planMove(deps.config, found, wish) : undefined;
  await deps.boss.start();
  let seen = (await listVpsEvents(deps.db, found.id)).at(-1)?.seq ?? 0;
  const { operation_number: number } = await beginOperation(deps, found, {
    operation,
    move,
    actor: 'operator',
    ip: null,
  });
  for (;;) {
    // The box first: the events of its end were committed with it.
    const box = await findBox(deps.db, found.id);
    for (const event of await listVpsEvents(deps.db, found.id, seen)) {
      onEvent(event);
      seen = event.seq;
    }
    if (box === undefined || box.status !== 'ready' || box.operation_number !== number)
      throw new SpoqError('conflict', { detail: `The ${OPERATION_NOUNS[operation]} has given way to something else.` });
    if (box.operation_failure !== null)
      throw new SpoqError('engine_failed', {
        detail: box.operation_failure,
        next: 'Machine, name and contract are kept. Look at the cause and run it again.',
      });
    if (box.operation === null) return { ...box, username: found.username };
    await sleep(LOOK_MS, undefined, { signal }).catch((cause: unknown) => {
      throw new SpoqError('cancelled', {
        detail: `Nobody looks any more; the ${OPERATION_NOUNS[operation]} itself goes on in a worker.`,
        next: 'See `npm run operator -- list`.',
        cause,
      });
    });
  }
}
