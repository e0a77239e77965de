import { SpoqError } from '../../contract/errors.ts';
import { findBoxRelease } from '../box-release.ts';
import { DEFAULT_WAVES } from '../commands/plan-waves.ts';
import { planRollout, startRollout, type RolloutRequest } from '../commands/start-rollout.ts';
import { stopRollout } from '../commands/stop-rollout.ts';
import { findLastRollout, listRolloutBoxes, type RolloutRow } from '../db/rollouts.ts';
import type { WorkerDeps } from '../jobs/worker-deps.ts';
import { printPlan, presentRollout, type RolloutView } from './print-rollout.ts';

export const ROLLOUT_ACTIONS = ['start', 'status', 'stop'] as const;
export type RolloutAction = (typeof ROLLOUT_ACTIONS)[number];

export interface RolloutFlags {
  version?: string;
  wave?: string;
  maxFailures?: string;
}

/** Asks whether what it shows may be done. @throws SpoqError when not */
export type Agree = (preview: string) => Promise<void>;

/**
 * Does what an operator asked of rollouts; answers the last one as it is then.
 * @throws SpoqError `invalid_request` for flags that mean nothing, `not_found` without a rollout or release; `conflict` as its commands do
 */
export async function runRollout(
  deps: WorkerDeps,
  action: RolloutAction,
  flags: RolloutFlags,
  agree: Agree,
): Promise<RolloutView> {
  if (action === 'stop') await stopRollout(deps);
  if (action === 'start') {
    const request = readRequest(deps, flags);
    await agree(printPlan(await planRollout(deps, request)));
    await deps.boss.start();
    await startRollout(deps, request);
  }
  return loadView(deps);
}

async function loadView({ db }: WorkerDeps): Promise<RolloutView> {
  const rollout: RolloutRow | undefined = await findLastRollout(db);
  if (rollout === undefined)
    throw new SpoqError('not_found', {
      detail: 'There has been no rollout yet.',
      next: 'Begin one with `npm run operator -- rollout start`.',
    });
  return presentRollout(rollout, await listRolloutBoxes(db, rollout.id));
}

function readRequest({ config }: WorkerDeps, flags: RolloutFlags): RolloutRequest {
  const release = findBoxRelease(config, flags.version);
  const version = release?.version;
  if (version === undefined)
    throw new SpoqError('not_found', {
      detail: `RELEASES_DIR has no release${flags.version === undefined ? '' : ` ${flags.version}`}.`,
      next: 'Make one with `npm run release`, or name one that is there.',
    });
  if (!Object.keys(release?.sha256 ?? {}).some((name) => name.startsWith('conductor-linux-')))
    throw new SpoqError('not_found', {
      detail: `The release ${version} has no conductor for Linux.`,
      next: 'Make it with `npm run release`.',
    });
  const maxFailures = Number(flags.maxFailures ?? 1);
  if (!Number.isSafeInteger(maxFailures) || maxFailures < 1)
    throw new SpoqError('invalid_request', { detail: '--max-failures is a whole number from 1.' });
  return { version, maxFailures, sizes: flags.wave?.split(',') ?? DEFAULT_WAVES };
}
