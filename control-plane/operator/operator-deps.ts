import { chooseBoxRelease } from '../box-release.ts';
import type { Config } from '../config.ts';
import { createDeps } from '../create-deps.ts';
import { buildBoxSpec } from '../engine/box-spec.ts';
import { createEngine } from '../engine/create-engine.ts';
import { createEngineEnvironment } from '../engine/environment.ts';
import type { WorkerDeps } from '../jobs/worker-deps.ts';

/** What operators' commands are given: what jobs are given, with queues that are only sent to, and dialled by who does. */
export function createOperatorDeps(config: Config, env: Record<string, string | undefined>): WorkerDeps {
  const deps: WorkerDeps = {
    ...createDeps(config, 'web'),
    engine: createEngine({ env: createEngineEnvironment(config, env) }),
    buildSpec: (box, { bootToken, version } = {}) =>
      buildBoxSpec(deps, box, { release: chooseBoxRelease(config, box, version), bootToken }),
  };
  return deps;
}
