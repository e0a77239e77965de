import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What a file of a test's workspace is: its text or bytes, or where a link leads. */
export type TestFile = string | Uint8Array | { link: string } | { run: string };

/** Makes a bare repository at `repository` with one snapshot of these files, as `conductor files` keeps them. Returns the commit. */
export function makeSnapshot(repository: string, files: Record<string, TestFile>): string {
  const tree = `${repository}.tree`;
  mkdirSync(tree, { recursive: true });
  for (const [name, file] of Object.entries(files)) {
    const at = path.join(tree, name);
    mkdirSync(path.dirname(at), { recursive: true });
    if (typeof file === 'string' || file instanceof Uint8Array) writeFileSync(at, file);
    else if ('link' in file) symlinkSync(file.link, at);
    else {
      writeFileSync(at, file.run);
      chmodSync(at, 0o755);
    }
  }
  const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' };
  const env = { PATH: process.env['PATH'], HOME: tree, GIT_DIR: repository, GIT_WORK_TREE: tree, ...who };
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: tree, env, encoding: 'utf8' }).trim();
  execFileSync('git', ['init', '--quiet', '--bare', repository], { env: { PATH: env.PATH, HOME: tree } });
  writeFileSync(path.join(repository, 'info', 'attributes'), '* -text -ident -filter -working-tree-encoding\n');
  git('add', '--all', '--force');
  git('commit', '--quiet', '--message', 'snapshot');
  const commit = git('rev-parse', 'HEAD');
  rmSync(tree, { recursive: true });
  return commit;
}
