import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CONVERSATION_LIMITS } from '../../contract/conversation.ts';
import type { Folder } from '../../contract/conversation.ts';
import { findCredentialsPath, isMissing } from '../auth/credentials.ts';
import type { CliDeps } from '../deps.ts';

/** The root of the project around `cwd`: the nearest folder with a `.git` in it, else `cwd` itself. Without symbolic links. */
export async function findProjectRoot(cwd: string): Promise<string> {
  const start = await realpath(cwd).catch(() => cwd);
  for (let folder = start; ; folder = dirname(folder)) {
    if (await exists(join(folder, '.git'))) return folder;
    if (dirname(folder) === folder) return start;
  }
}

/** Which folder this is, told to the box without its path: the same folder on the same computer has the same key. */
export async function identifyFolder(deps: CliDeps): Promise<Folder> {
  const root = await findProjectRoot(deps.cwd);
  const device = (await loadDeviceId(deps)) ?? deps.hostname;
  return {
    key: createHash('sha256').update(`${device}\0${root}`).digest('hex').slice(0, 32),
    name: (basename(root) || root).slice(0, CONVERSATION_LIMITS.folder_chars),
  };
}

/** An id of this computer that stays when its name changes with the network. Made when first needed; undefined where nothing can be kept. */
async function loadDeviceId(deps: CliDeps): Promise<string | undefined> {
  const path = join(dirname(findCredentialsPath(deps)), 'device');
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (!isMissing(error)) return undefined;
  }
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const id = randomUUID();
    await writeFile(draft, `${id}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, path);
    return id;
  } catch {
    // A home that can't be written to: the computer's name has to do.
    await rm(draft, { force: true }).catch(() => undefined);
    return undefined;
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
