import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpackPackages } from './packages.ts';

const run = promisify(execFile);

/** cloud-init and what its schema check imports. */
const PACKAGES = [
  'cloud-init',
  'python3-attr',
  'python3-certifi',
  'python3-chardet',
  'python3-configobj',
  'python3-idna',
  'python3-jinja2',
  'python3-json-pointer',
  'python3-jsonpatch',
  'python3-jsonschema',
  'python3-markupsafe',
  'python3-netifaces',
  'python3-oauthlib',
  'python3-pkg-resources',
  'python3-pyrsistent',
  'python3-requests',
  'python3-serial',
  'python3-six',
  'python3-urllib3',
  'python3-yaml',
];

/** What cloud-init itself makes of a document. */
export interface CloudInit {
  /** What its check of the schema says; rejects where that finds a fault. */
  check(file: string): Promise<string>;
  /** The document as its YAML reader, PyYAML, reads it. */
  read(file: string): Promise<unknown>;
}

const READ =
  'import json, sys; from cloudinit.util import load_yaml; print(json.dumps(load_yaml(open(sys.argv[1]).read())))';

/** Undefined where it can't be had. */
export async function getCloudInit(env: NodeJS.ProcessEnv): Promise<CloudInit | undefined> {
  const folder = await unpackPackages(env, 'cloud-init', PACKAGES);
  if (folder === undefined) return undefined;
  const PYTHONPATH = join(folder, 'usr/lib/python3/dist-packages');
  const python = (args: string[]) => run('/usr/bin/python3', args, { env: { ...env, PYTHONPATH } });
  return {
    async check(file) {
      const { stdout, stderr } = await python(['-m', 'cloudinit.cmd.main', 'schema', '--config-file', file]);
      return stdout + stderr;
    },
    async read(file) {
      return JSON.parse((await python(['-c', READ, file])).stdout) as unknown;
    },
  };
}
