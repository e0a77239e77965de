import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { choosePlace } from '../work/place.ts';
import { serveWork } from '../work/serve-work.ts';
import { createDirectWorkplaces } from './direct-workplaces.ts';
import { startConductor } from './start-conductor.ts';

/** Whether this is an executable of its own, which holds its sources. */
declare const COMPILED: boolean;

/**
 * A conductor as a process of its own, whose runs are not confined: for tests that kill it. `work` is what it starts for a run; else its
 * arguments are a folder, the URL of a model and the URL of keys.
 */
async function main([command = '', ...rest]: string[]): Promise<void> {
  if (command === 'work') {
    const value = (flag: string): string | undefined => rest[rest.indexOf(flag) + 1];
    const options = { home: value('--home'), workspace: value('--workspace'), repository: value('--repository') };
    const place = choosePlace(options, process.env.PATH ?? '');
    await serveWork({ input: process.stdin, output: process.stdout, place, proxyPort: 0 });
    process.exit(0);
  }
  const [modelUrl = '', jwksUrl = '', snapshot = ''] = rest;
  const isCompiled = typeof COMPILED !== 'undefined';
  const conductor = await startConductor({
    plane: { jwksUrl },
    stateDir: join(command, 'state'),
    model: { baseUrl: modelUrl },
    workplaces: createDirectWorkplaces({
      folder: join(command, 'places'),
      repository: (workspace) => join(command, `${workspace}.git`),
      command: isCompiled ? [process.execPath] : [process.execPath, import.meta.filename],
    }),
    snapshot: () => snapshot,
  });
  closeWithGrace({ delay: 10_000, logger: false }, async () => {
    await conductor.stop(1000);
    await conductor.close();
  });
  process.stdout.write(`${JSON.stringify({ port: conductor.local.port })}\n`);
}

await main(process.argv.slice(2));
