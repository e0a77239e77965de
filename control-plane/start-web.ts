import { createApp } from './app.ts';
import { ensurePrices } from './commands/ensure-prices.ts';
import { listConfigWarnings, type Config } from './config.ts';
import { createDeps, type DepsOptions, migrateDatabase } from './create-deps.ts';
import { serve, type Listening } from './serve.ts';

/** Brings the database up to date, listens, and makes sure in the background that Stripe knows our prices. */
export async function startWeb(config: Config, options: DepsOptions = {}): Promise<Listening> {
  const ending = new AbortController();
  const deps = { ...createDeps(config, 'web', options), ending: ending.signal };
  const close = async (): Promise<void> => {
    await deps.boss.stop({ graceful: false }).catch((err: unknown) => deps.log.warn({ err }, 'queue'));
    await deps.db.destroy();
  };
  for (const warning of listConfigWarnings(config)) deps.log.warn(warning);
  try {
    await migrateDatabase(deps);
    deps.boss.on('error', (err) => deps.log.error({ err }, 'queue'));
    await deps.boss.start();
    const listening = await serve(createApp(deps).callback(), { host: config.SERVER_HOST, port: config.SERVER_PORT });
    // Each checkout makes sure again, so that this may fail: it only saves the first customer a second.
    ensurePrices(deps).catch((err: unknown) => deps.log.warn({ err }, 'prices could not be checked yet'));
    return {
      url: listening.url,
      async close() {
        ending.abort();
        await listening.close(config.DRAIN_SECONDS * 1000);
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
