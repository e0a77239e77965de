import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { cacheDir } from './engine.ts';
import { runCommand } from './run-command.ts';

export interface PluginDeps {
  root: string;
  /** With the engine on PATH. */
  env: NodeJS.ProcessEnv;
  onProgress: (text: string) => void;
  /** Where plugins are downloaded from; tests give their own. */
  releaseUrl?: string;
}

export interface Plugins {
  source: 'official' | 'stand-ins';
  /** For PULUMI_HOME. */
  home: string;
  /** Folders for PATH; empty with the official plugins. */
  pathDirs: string[];
}

const RELEASES = 'https://get.pulumi.com/releases/plugins';
const PROBE_MS = 3000;
const INSTALL_MS = 5 * 60_000;
const WANTED = ['command', 'cloudflare'] as const;

/**
 * The official Command and Cloudflare plugins, from a PULUMI_HOME that has them or from their makers; else the sandbox's stand-ins,
 * which speak the same wire. For the sandbox only: production always runs the official ones.
 */
export async function getPlugins(deps: PluginDeps): Promise<Plugins> {
  const wanted = WANTED.map((name) => ({ name, version: readVersion(deps.root, name) }));
  const own = path.join(cacheDir(deps.env), 'pulumi');
  const homes = [deps.env['PULUMI_HOME'], path.join(homedir(), '.pulumi'), own].filter((home) => home !== undefined);
  const isIn = (home: string): boolean =>
    wanted.every(({ name, version }) => existsSync(path.join(home, 'plugins', `resource-${name}-v${version}`)));
  const found = homes.find(isIn);
  if (found !== undefined) return { source: 'official', home: found, pathDirs: [] };

  if (await canDownload(deps)) {
    for (const { name, version } of wanted) {
      deps.onProgress(`the ${name} plugin`);
      const env = { ...deps.env, PULUMI_HOME: own, PULUMI_SKIP_UPDATE_CHECK: 'true' };
      await runCommand('pulumi', ['plugin', 'install', 'resource', name, `v${version}`], {
        env,
        timeoutMs: INSTALL_MS,
      });
    }
    if (isIn(own)) return { source: 'official', home: own, pathDirs: [] };
  }
  return { source: 'stand-ins', home: own, pathDirs: [path.join(deps.root, 'sandbox', 'plugins')] };
}

/** A plugin's version is that of its npm package. */
function readVersion(root: string, name: string): string {
  const text = readFileSync(path.join(root, 'node_modules', '@pulumi', name, 'package.json'), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}

async function canDownload(deps: PluginDeps): Promise<boolean> {
  try {
    deps.onProgress('asking for the official plugins');
    await fetch(deps.releaseUrl ?? RELEASES, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_MS) });
    return true;
  } catch {
    return false;
  }
}
