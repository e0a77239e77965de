import { servePlugin } from '../serve-plugin.ts';
import { createLocalCommandPlugin } from './local-command.ts';

let killAll = (): void => {};
await servePlugin(
  process.argv.slice(2),
  (say) => {
    const created = createLocalCommandPlugin(process.env, say);
    killAll = created.killAll;
    return created.plugin;
  },
  () => killAll(),
);
