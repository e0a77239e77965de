import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BYTES_AS_THEY_ARE, writeNotes } from './git.ts';
import type { Git } from './git.ts';
import type { Place } from './place.ts';

/**
 * Checks the snapshot out into the tree, with a .git of the run's own that borrows the objects; told apart from one that was
 * interrupted by the note that is written last. A tree that was finished before is left as it is.
 */
export async function prepareTree(
  place: Place,
  git: Git,
  snapshot: string,
  progress: (text: string) => void,
): Promise<void> {
  await writeNotes(place);
  const note = path.join(place.notes, 'snapshot');
  const prepared = await readFile(note, 'utf8').catch(() => '');
  if (prepared.trim() === snapshot) return;
  progress('Checking the files out');
  await rm(place.tree, { recursive: true, force: true });
  await mkdir(place.tree, { recursive: true });
  const own = path.join(place.tree, '.git');
  await makeRepository(git, place, own);
  const tree = { env: { GIT_DIR: own } };
  await git.run(['update-ref', 'refs/heads/main', snapshot], tree);
  await git.run(['symbolic-ref', 'HEAD', 'refs/heads/main'], tree);
  let told = '';
  const tell = (text: string): void => {
    const line = text
      .split(/[\r\n]/)
      .findLast((part) => part.includes('%'))
      ?.trim(); // Updating files:  12% (345/2876)
    if (line !== undefined && line !== told) progress((told = line));
  };
  await git.run(['checkout', '--force', '--progress', 'main', '--'], { ...tree, onError: tell });
  await startComparison(place, git, snapshot);
  await writeFile(note, `${snapshot}\n`);
}

/** A repository that borrows every object of the snapshots: nothing is copied. */
async function makeRepository(git: Git, place: Place, folder: string): Promise<void> {
  await git.run(['init', '--quiet', folder], { env: { GIT_DIR: folder } });
  await mkdir(path.join(folder, 'info'), { recursive: true });
  await mkdir(path.join(folder, 'objects', 'info'), { recursive: true });
  await writeFile(path.join(folder, 'info', 'attributes'), BYTES_AS_THEY_ARE);
  await writeFile(path.join(folder, 'objects', 'info', 'alternates'), `${path.join(place.repository, 'objects')}\n`);
}

/** What the tree is compared with, in an index that nothing in the tree changes by accident. */
async function startComparison(place: Place, git: Git, snapshot: string): Promise<void> {
  const folder = path.join(place.notes, 'base.git');
  await rm(folder, { recursive: true, force: true });
  await makeRepository(git, place, folder);
  await git.run(['update-ref', 'refs/heads/main', snapshot]);
  // With the times of all files in it: none has to be read again.
  await copyFile(path.join(place.tree, '.git', 'index'), path.join(folder, 'index'));
}
