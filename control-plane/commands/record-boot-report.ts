import { BOOT_STEPS, type BootReport } from '../../contract/boot.ts';
import { SpoqError } from '../../contract/errors.ts';
import { hashToken } from '../cipher.ts';
import { findBootToken, findBootTokenByHash, updateBootToken } from '../db/boot-tokens.ts';
import { lockBox } from '../db/user-vps.ts';
import { appendVpsEvent } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { buildBoxSpec } from '../engine/box-spec.ts';
import { createRedact } from '../engine/redact.ts';
import { trimLog } from '../trim-log.ts';

type ReportDeps = Pick<Deps, 'config' | 'db' | 'cipher' | 'now' | 'log'>;

/** Whose report it is. @throws SpoqError `token_invalid` */
export async function findReporter(deps: Pick<Deps, 'db' | 'now'>, token: string): Promise<string> {
  const found = await findBootTokenByHash(deps.db, hashToken(token));
  if (found === undefined || found.expires_at <= deps.now()) throw refuse();
  return found.user_vps_id;
}

/**
 * Writes down how a step of a box's set-up stands. A report that says what is known, or that comes after the step's end, changes
 * nothing: networks repeat and reorder. After a failed step the token is good for nothing else.
 * @throws SpoqError `token_invalid` when the set-up is over
 */
export async function recordBootReport(deps: ReportDeps, boxId: string, report: BootReport): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const box = await lockBox(tx, boxId);
    const token = await findBootToken(tx, boxId);
    if (box === undefined || token === undefined) throw refuse();
    const { step, state } = report;
    const known = token.steps[step];
    if (known === state || known === 'done' || known === 'failed') return;
    if (token.failure !== null) throw refuse();
    const { doing, done } = BOOT_STEPS[step];
    let message: string = state === 'done' ? done : doing;
    let failure: string | null = null;
    if (state === 'failed') {
      const redact = createRedact({}, buildBoxSpec(deps, box));
      const lines = trimLog(redact(report.log));
      const last = lines.at(-1);
      failure = `Your machine could not set itself up (${doing.charAt(0).toLowerCase()}${doing.slice(1)})${last === undefined ? '.' : `: ${last}`}`;
      message = lines.join('\n') || failure;
      deps.log.warn({ box_id: boxId, step, lines }, "a step of a box's set-up failed");
    }
    const steps = { ...token.steps, [step]: state };
    await updateBootToken(tx, boxId, { steps, failure });
    await appendVpsEvent(tx, boxId, {
      step: 'box',
      state: 'progress',
      message,
      part: { step, state },
      at: deps.now(),
    });
  });
}

function refuse(): SpoqError {
  return new SpoqError('token_invalid', {
    detail: 'This boot token is unknown, or the set-up that it was for is over.',
    next: 'Nothing need be done: a box works without reporting.',
  });
}
