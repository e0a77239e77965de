import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { BootFile } from './first-boot.ts';

/** The configuration that the conductor starts with, on the machine. */
export const CONFIG_PATH = '/etc/conductor/config.toml';
const ENV_PATH = '/etc/conductor/env';
const MARKER_PATH = '/etc/spoq/vps.marker';

/** Where an absolute path of the machine lies on this computer. A path can't lead out of `root`. */
export function locate(root: string, path: string): string {
  return join(root, normalize(`/${path}`));
}

/** Empties the machine's folder and writes the files. Owners aren't set: all belong to who runs the sandbox. */
export function writeDisk(folder: string, root: string, files: BootFile[]): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(root, { recursive: true, mode: 0o700 });
  for (const { path, mode, content } of files) {
    const file = locate(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content, { mode });
    chmodSync(file, mode);
  }
}

/** Whether the disk holds a conductor's configuration. A bare system has none. */
export function hasConductor(root: string): boolean {
  return existsSync(locate(root, CONFIG_PATH));
}

/** The conductor's environment: `NAME=value` lines, as systemd's EnvironmentFile reads them. */
export function readEnvironment(root: string): Record<string, string> {
  const file = locate(root, ENV_PATH);
  if (!existsSync(file)) return {};
  const pairs: Record<string, string> = {};
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, name, value] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) pairs[name] = value.replace(/^(["'])(.*)\1$/, '$2');
  }
  return pairs;
}

/** Puts the conductor's present port into the marker, so that a CLI which is told of that file finds it. */
export function writeMarkerPort(root: string, port: number): void {
  const file = locate(root, MARKER_PATH);
  if (!existsSync(file)) return;
  const marker: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof marker !== 'object' || marker === null) return;
  const mode = 0o644;
  writeFileSync(file, `${JSON.stringify({ ...marker, conductor: `http://localhost:${port}` }, null, 2)}\n`, { mode });
}
