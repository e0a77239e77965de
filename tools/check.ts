import path from 'node:path';
import { runCommand } from './run-command.ts';
import { runTool } from './run-tool.ts';
import { runChecks } from './checks.ts';

await runTool(async ({ root, env, terminal }) => {
  const results = await runChecks({
    terminal,
    runCommand: (file, args) => runCommand(path.join(root, 'node_modules/.bin', file), args, { cwd: root, env }),
  });
  return results.every((result) => result.ok) ? 0 : 1;
});
