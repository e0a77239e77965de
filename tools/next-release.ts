import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ReleaseManifest } from '../contract/release.ts';
import { buildRelease, hostTarget, SOURCE_FOLDERS } from './build-release.ts';

export interface VersionOptions {
  /** The clone whose sources are compiled. */
  root: string;
  /** RELEASES_DIR. */
  releasesDir: string;
  version: string;
  /** Below RELEASES_DIR; the version's own folder when left out. */
  folder?: string;
  env: NodeJS.ProcessEnv;
}

/** Compiles this clone for this machine as if it were another version: to have something that boxes can be upgraded to. */
export async function buildVersion({
  root,
  releasesDir,
  version,
  folder = version,
  env,
}: VersionOptions): Promise<ReleaseManifest> {
  const sources = path.join(releasesDir, `.sources-${version}`);
  for (const part of SOURCE_FOLDERS) cpSync(path.join(root, part), path.join(sources, part), { recursive: true });
  for (const part of ['node_modules', 'package-lock.json'])
    symlinkSync(path.join(root, part), path.join(sources, part));
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as object;
  writeFileSync(path.join(sources, 'package.json'), JSON.stringify({ ...manifest, version }));
  const out = path.join(releasesDir, folder);
  mkdirSync(out, { recursive: true });
  return (await buildRelease(out, [hostTarget()], { root: sources, env, onProgress: () => {} })).manifest;
}
