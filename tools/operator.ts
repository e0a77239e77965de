import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { getEngine } from './engine.ts';
import { runTool } from './run-tool.ts';
import { openStateFolder, readJson, stateDir } from './state-folder.ts';
import { ToolError } from './terminal.ts';

/**
 * `npm run operator -- preview alice`: operators' commands against the Spoq of this clone while `npm start` runs, or, with
 * SPOQ_ENV=production, against the one that the environment names.
 */
await runTool(async ({ root, env, args, terminal, signal }) => {
  const environment = env['SPOQ_ENV'] === 'production' ? await productionEnvironment() : sandboxEnvironment();
  const argv = [path.join(root, 'control-plane', 'operator.ts'), ...args];
  const child = spawn(process.execPath, argv, { stdio: 'inherit', env: environment, cwd: root });
  signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });

  function sandboxEnvironment(): NodeJS.ProcessEnv {
    const { environment: file } = openStateFolder(stateDir(root, env));
    if (!existsSync(file))
      throw new ToolError('Spoq has not been started from this clone. Run `npm start` in another terminal first.');
    return {
      ...(readJson(file) as Record<string, string>),
      ...(env['NO_COLOR'] === undefined ? {} : { NO_COLOR: env['NO_COLOR'] }),
    };
  }

  async function productionEnvironment(): Promise<NodeJS.ProcessEnv> {
    const engine = await getEngine({ env, root, onProgress: () => {}, onNotice: terminal.line });
    const dirs = [...engine.pathDirs, path.join(root, 'stacks', 'bin'), path.join(root, 'node_modules', '.bin')];
    return { ...env, PATH: [...dirs, env['PATH']].join(path.delimiter) };
  }
});
