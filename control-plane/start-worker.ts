import Koa from 'koa';
import { chooseBoxRelease } from './box-release.ts';
import type { Config } from './config.ts';
import { createDeps, type DepsOptions, migrateDatabase } from './create-deps.ts';
import type { UserVpsRow } from './db/user-vps.ts';
import { buildBoxSpec } from './engine/box-spec.ts';
import type { Engine } from './engine/engine.ts';
import { createMailer } from './integrations/smtp.ts';
import { refreshGauges } from './jobs/refresh-gauges.ts';
import { startWorker, type Worker } from './jobs/worker.ts';
import type { BuildSpecOptions, WorkerDeps } from './jobs/worker-deps.ts';
import { createProblemMiddleware } from './middleware/problem.ts';
import { createRequestMiddleware } from './middleware/request.ts';
import { createHealthRoutes } from './routes/health.ts';
import { serve, type Listening } from './serve.ts';

export interface RunningWorker {
  /** Where /health, /ready and /metrics are, when METRICS_PORT is set. */
  url: string | undefined;
  deps: WorkerDeps;
  close(): Promise<void>;
}

/** Brings the database up to date and begins to work. */
export async function startWorkerProcess(
  config: Config,
  engine: Engine,
  options: DepsOptions = {},
): Promise<RunningWorker> {
  const mailer = createMailer(config);
  const deps: WorkerDeps = {
    ...createDeps(config, 'worker', options),
    engine,
    mailer,
    buildSpec: (box: UserVpsRow, { bootToken, version }: BuildSpecOptions = {}) =>
      buildBoxSpec(deps, box, { release: chooseBoxRelease(config, box, version), bootToken }),
  };
  let worker: Worker | undefined;
  let listening: Listening | undefined;
  const close = async (): Promise<void> => {
    await worker?.stop();
    await engine.close();
    mailer?.close();
    await listening?.close();
    await deps.db.destroy();
  };
  try {
    await migrateDatabase(deps);
    worker = await startWorker(deps);
    if (config.METRICS_PORT !== undefined) {
      const app = new Koa();
      app.use(createRequestMiddleware(deps)).use(createProblemMiddleware(deps));
      app.use(async (ctx, next) => {
        if (ctx.path === '/metrics') await refreshGauges(deps);
        await next();
      });
      app.use(createHealthRoutes(deps).routes());
      listening = await serve(app.callback(), { host: config.SERVER_HOST, port: config.METRICS_PORT });
    }
    return { url: listening?.url, deps, close };
  } catch (error) {
    await close();
    throw error;
  }
}
