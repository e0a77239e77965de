import { expect } from 'chai';
import * as fc from 'fast-check';
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createTemporaryFolder } from '../cli/testing/temporary-folder.ts';
import { agreeOn, listChanges, withChanges } from './changes.ts';
import { findContents } from './listing.ts';
import { lookAt } from './look.ts';
import { scanTree } from './scan.ts';
import { loadTreeState, saveTreeState, STATE_FILE } from './stored-state.ts';
import { createTreeState } from './tree-state.ts';

type Edit = { do: 'write' | 'remove' | 'chmod' | 'folder' | 'rename'; path: string; other: string };

const NAMES = ['a', 'b', 'c', '.env', '.git', '.gitignore', '.spoqignore'];
const path = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const edit: fc.Arbitrary<Edit> = fc.record({
  do: fc.constantFrom('write', 'write', 'write', 'remove', 'chmod', 'folder', 'rename'),
  path,
  other: fc.oneof(path, fc.constantFrom('a', 'b/', '*', '!a', '/c')),
});

/** As far as it can be done there. */
function perform(root: string, one: Edit): void {
  const at = join(root, one.path);
  try {
    if (one.do === 'remove') rmSync(at, { recursive: true, force: true });
    else if (one.do === 'chmod') chmodSync(at, lookAt(at)?.isDirectory() === true ? 0o750 : 0o600);
    else if (one.do === 'rename') renameSync(at, join(root, one.other));
    else if (one.do === 'folder') mkdirSync(at, { recursive: true });
    else {
      mkdirSync(dirname(at), { recursive: true });
      // What is a rule in an ignore file is a content elsewhere.
      writeFileSync(at, `${one.other}\n`);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'ENOTDIR', 'EEXIST', 'EINVAL', 'EISDIR', 'ENOTEMPTY'].includes(code ?? '')) throw error;
  }
}

const round = fc.record({ edits: fc.array(edit, { minLength: 1, maxLength: 6 }), isSaved: fc.boolean() });

describe('a look at a tree that is known', function () {
  this.timeout(120_000);

  it('finds what a first look finds, and what has changed, whatever has happened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { maxLength: 6 }), async (rounds) => {
        await using folder = await createTemporaryFolder({});
        const [root, file] = [join(folder.path, 'tree'), join(folder.path, STATE_FILE)];
        mkdirSync(root);
        const state = createTreeState();
        for (const { edits, isSaved } of rounds) {
          for (const one of edits) perform(root, one);
          const again = await scanTree(root, state, { allow: [] });
          const first = await scanTree(root, createTreeState(), { allow: [] });
          state.rows = again.rows;
          expect(sort(again.manifest)).to.deep.equal(sort(first.manifest));
          for (const [path, entry] of first.manifest) expect(again.manifest.get(path)).to.deep.equal(entry);
          expect(again.left_out.map(({ path: one }) => one).toSorted()).to.deep.equal(
            first.left_out.map(({ path: one }) => one).toSorted(),
          );
          const changes = listChanges(state.base, again);
          // What has come to take no part stays agreed on.
          const kept = sort(withChanges(state.base, changes)).filter(
            ([path]) => first.manifest.has(path) || !again.excludes(path),
          );
          expect(kept).to.deep.equal(sort(first.manifest));
          for (const [path, entry] of changes) expect(entry).to.not.deep.equal(state.base.get(path) ?? null);
          if (!isSaved) continue;
          agreeOn(state, state.base, 'next', changes);
          saveTreeState(file, state);
          expect(sort(loadTreeState(file).base)).to.deep.equal(sort(state.base));
        }
      }),
      { numRuns: Number(process.env['SPOQ_RUNS'] ?? 200) },
    );
  });

  it('finds contents in columns and in what has changed since', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { maxLength: 4 }), async (rounds) => {
        await using folder = await createTemporaryFolder({});
        const [root, file] = [join(folder.path, 'tree'), join(folder.path, STATE_FILE)];
        mkdirSync(root);
        const state = createTreeState();
        for (const { edits, isSaved } of rounds) {
          for (const one of edits) perform(root, one);
          state.rows = (await scanTree(root, state, { allow: [] })).rows;
          const hashes = [...state.rows].flatMap(([, { entry }]) => (entry?.kind === 'file' ? [entry.hash] : []));
          const found = findContents(state.rows, new Set([...hashes, 'f'.repeat(64)]));
          expect(new Set(found.keys())).to.deep.equal(new Set(hashes));
          for (const [hash, path] of found) expect(state.rows.get(path)?.entry).to.include({ hash });
          if (isSaved) saveTreeState(file, state);
        }
      }),
      { numRuns: Number(process.env['SPOQ_RUNS'] ?? 200) },
    );
  });
});

function sort<T>(tree: Iterable<[string, T]>): [string, T][] {
  return [...tree].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
