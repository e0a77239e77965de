import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import type { SnapshotAnswer } from '../../contract/workspaces.ts';
import type { Tree } from '../../sync/entry.ts';
import type { Workspace } from './workspaces.ts';

/** Nobody's configuration changes what is written down: no filters, no line ends, no hooks. */
const ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Spoq',
  GIT_AUTHOR_EMAIL: 'spoq@localhost',
  GIT_COMMITTER_NAME: 'Spoq',
  GIT_COMMITTER_EMAIL: 'spoq@localhost',
};
/** Wins over every .gitattributes of the tree. */
const ATTRIBUTES = '* -text -eol -filter -ident -working-tree-encoding -export-subst\n';
const BRANCH = 'refs/heads/workspace';

/** Writes the present tree down as a commit of the workspace's repository. Only what changed since the last time is read. */
export async function takeSnapshot(workspace: Workspace): Promise<SnapshotAnswer> {
  const scan = await workspace.scan(workspace.state.allow);
  if (!scan.exists)
    throw new SpoqError('workspace_changed', {
      detail: `There is no workspace '${workspace.name}' yet.`,
      next: 'Run `spoq sync` first.',
    });
  const repository = join(workspace.home, 'repo.git');
  const git = (args: string[], input = ''): Promise<string> => runGit(repository, workspace.root, args, input);
  if (!existsSync(join(repository, 'info', 'attributes'))) {
    // The account of a run reads it where it is bound into its place (UMask of conductor-files.service is 0022); everybody else ends at the
    // home, which is 0750.
    mkdirSync(repository, { recursive: true });
    chmodSync(repository, 0o755);
    await git(['init', '--quiet', '--bare']);
    for (const [key, value] of Object.entries(SETTINGS)) await git(['config', key, value]);
    mkdirSync(join(repository, 'info'), { recursive: true });
    writeFileSync(join(repository, 'info', 'attributes'), ATTRIBUTES);
  }
  const paths = listPaths(scan.manifest);
  const known = (await git(['ls-files', '-z'])).split('\0').filter((path) => path !== '');
  const gone = known.filter((path) => !paths.has(path));
  if (gone.length > 0) await git(['update-index', '-z', '--force-remove', '--stdin'], join0(gone));
  await git(['update-index', '-z', '--add', '--replace', '--stdin'], join0(paths));
  const tree = (await git(['write-tree'])).trim();
  const last = (await git(['for-each-ref', '--format=%(objectname) %(tree)', BRANCH])).trim();
  const [parent = '', before] = last.split(' ');
  if (before === tree) return { commit: parent, files: paths.size };
  const commit = (await git(['commit-tree', tree, ...(parent === '' ? [] : ['-p', parent]), '-m', 'workspace'])).trim();
  await git(['update-ref', BRANCH, commit]);
  return { commit, files: paths.size };
}

/** Runs of agents borrow objects: none is ever pruned. Speed matters more than size: what is old is packed by nobody's wait. */
const SETTINGS = {
  'gc.auto': '0',
  'core.looseCompression': '1',
  'core.autocrlf': 'false',
  'core.fileMode': 'true',
  'core.symlinks': 'true',
  'core.ignoreCase': 'false',
  'core.precomposeUnicode': 'false',
  'core.quotePath': 'false',
};

function listPaths(manifest: Tree): Set<string> {
  const paths = new Set<string>();
  for (const [path, { kind }] of manifest) if (kind !== 'folder') paths.add(path);
  return paths;
}

function join0(paths: Iterable<string>): string {
  return [...paths].map((path) => `${path}\0`).join('');
}

function runGit(repository: string, tree: string, args: string[], input: string): Promise<string> {
  const env = { ...ENVIRONMENT, GIT_DIR: repository, ...(args[0] === 'init' ? {} : { GIT_WORK_TREE: tree }) };
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, {
      cwd: args[0] === 'init' ? repository : tree,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
    child.stdin.on('error', () => undefined); // Its exit says why it read no further.
    child.once('error', (cause) =>
      reject(
        new SpoqError('files_unavailable', {
          detail: 'There is no git on the box.',
          next: 'Run `sudo apt install git` on the box.',
          cause,
        }),
      ),
    );
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString('utf8'));
      else reject(new Error(`git ${args[0] ?? ''} ended with ${code}: ${said}`));
    });
    child.stdin.end(input);
  });
}
