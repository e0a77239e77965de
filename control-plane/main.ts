import { ConfigError, loadConfig } from './config.ts';
import { createDeps, migrateDatabase } from './create-deps.ts';
import { startWeb } from './start-web.ts';

const USAGE = `Usage: node control-plane/main.ts <command>
  web       the website and API, on SERVER_HOST:SERVER_PORT
  worker    makes boxes and does what recurs; /health, /ready and /metrics on METRICS_PORT
  migrate   brings the database up to date, and ends`;

/** sysexits.h */
const EXIT = { usage: 64, software: 70, config: 78 } as const;

const [command] = process.argv.slice(2);
const say = (line: Record<string, unknown>) => console.log(JSON.stringify({ time: new Date().toISOString(), ...line }));

async function main(): Promise<void> {
  switch (command) {
    case 'web': {
      const web = await startWeb(loadConfig(process.env));
      say({ msg: 'listening', url: web.url });
      return endOnSignal(web.close);
    }
    case 'worker': {
      const config = loadConfig(process.env);
      // Only here: the engine's SDK takes half a second and 100 MB that a web server has no use for.
      const { createEngine } = await import('./engine/create-engine.ts');
      const { createEngineEnvironment } = await import('./engine/environment.ts');
      const { startWorkerProcess } = await import('./start-worker.ts');
      const engine = createEngine({ env: createEngineEnvironment(config, process.env) });
      const worker = await startWorkerProcess(config, engine);
      say({ msg: 'working', ...(worker.url === undefined ? {} : { url: worker.url }) });
      return endOnSignal(worker.close);
    }
    case 'migrate': {
      const deps = createDeps(loadConfig(process.env), 'web');
      try {
        await migrateDatabase(deps);
      } finally {
        await deps.db.destroy();
      }
      return say({ msg: 'migrated' });
    }
    default:
      console.error(USAGE);
      process.exitCode = EXIT.usage;
  }
}

/** Ends tidily on the first SIGTERM or SIGINT, and at once on the second. */
async function endOnSignal(close: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    let asked = false;
    const onSignal = (): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
  say({ msg: 'ending' });
  await close();
  process.exit(0);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(error instanceof ConfigError ? EXIT.config : EXIT.software);
}
