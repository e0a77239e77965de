import path from 'node:path';
import { buildRelease, hostTarget, releaseName } from './build-release.ts';
import { commonEnvironment } from './environment.ts';
import { getEngine } from './engine.ts';
import type { Engine } from './engine.ts';
import { getPlugins } from './plugins.ts';
import type { Plugins } from './plugins.ts';
import { ToolError } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** What has to be there before Spoq can run on this machine. */
export interface Prepared {
  engine: Engine;
  plugins: Plugins;
  /** For the front of PATH: engine, our provider, plugins, the pinned Node. */
  pathDirs: string[];
  releasesDir: string;
  /** argv of the programs that were compiled, or of their sources where bun does not work. */
  spoq: string[];
  conductor: string[];
}

export interface PrepareDeps {
  root: string;
  env: NodeJS.ProcessEnv;
  terminal: Terminal;
  /** Ends what is being got or made. */
  signal?: AbortSignal;
}

/** Gets the engine, the plugins and the executables. Quick when all is there, minutes on a fresh machine. */
export async function prepare(deps: PrepareDeps): Promise<Prepared> {
  const { root, env, terminal, signal } = deps;
  const notices: string[] = [];
  const engine = await terminal.step('Pulumi engine', (onProgress) =>
    getEngine({ env, root, signal, onProgress, onNotice: (text) => notices.push(text) }),
  );
  for (const notice of notices) terminal.line(`  ${notice}`);
  const node = path.join(root, 'node_modules', '.bin');
  const base = [...engine.pathDirs, path.join(root, 'stacks', 'bin'), node];
  const plugins = await terminal.step('Pulumi plugins', (onProgress) =>
    getPlugins({ root, env: { ...env, ...commonEnvironment(env, base) }, onProgress }),
  );
  return {
    engine,
    plugins,
    pathDirs: [...base, ...plugins.pathDirs],
    ...(await prepareExecutables(deps)),
  };
}

type Executables = Pick<Prepared, 'releasesDir' | 'spoq' | 'conductor'>;

/** Compiles spoq and the conductor for this machine. If bun cannot, their sources are run instead, which is said. */
async function prepareExecutables({ root, env, terminal, signal }: PrepareDeps): Promise<Executables> {
  const releasesDir = path.join(root, 'dist', 'release');
  try {
    const target = hostTarget();
    await terminal.step('Executables', (onProgress) =>
      buildRelease(releasesDir, [target], { root, env, signal, onProgress }),
    );
    const at = (program: 'spoq' | 'conductor'): string[] => [path.join(releasesDir, releaseName(program, target))];
    return { releasesDir, spoq: at('spoq'), conductor: at('conductor') };
  } catch (error) {
    if (!(error instanceof ToolError) || signal?.aborted === true) throw error;
    terminal.line(`  ${error.message}`);
    terminal.line('  Their sources are run with Node instead; install.sh has nothing to hand out.');
    const node = path.join(root, 'node_modules', '.bin', 'node');
    const source = (file: string): string[] => [node, path.join(root, file)];
    return { releasesDir, spoq: source('cli/main.ts'), conductor: source('conductor/main.ts') };
  }
}
