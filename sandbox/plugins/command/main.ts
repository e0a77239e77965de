import { servePlugin } from '../serve-plugin.ts';
import { createCommandPlugin } from './command-plugin.ts';

let endAll = (): void => {};
await servePlugin(
  process.argv.slice(2),
  (say) => {
    const created = createCommandPlugin(process.env, say);
    endAll = created.endAll;
    return created.plugin;
  },
  () => endAll(),
);
