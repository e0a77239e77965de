import { expect } from 'chai';
import * as fc from 'fast-check';
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createTemporaryFolder } from '../cli/testing/temporary-folder.ts';
import { lookAt } from './look.ts';
import { scanTree } from './scan.ts';
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

describe('a look at a tree that is known', function () {
  this.timeout(120_000);

  it('finds what a first look finds, whatever has happened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(edit, { minLength: 1, maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
        await using folder = await createTemporaryFolder({});
        const state = createTreeState();
        for (const edits of rounds) {
          for (const one of edits) perform(folder.path, one);
          const again = await scanTree(folder.path, state, { allow: [] });
          const first = await scanTree(folder.path, createTreeState(), { allow: [] });
          state.rows = again.rows;
          const sorted = (tree: ReadonlyMap<string, unknown>): unknown[] =>
            [...tree].toSorted(([a], [b]) => (a < b ? -1 : 1));
          expect(sorted(again.manifest)).to.deep.equal(sorted(first.manifest));
          expect(again.left_out.map(({ path: one }) => one).toSorted()).to.deep.equal(
            first.left_out.map(({ path: one }) => one).toSorted(),
          );
        }
      }),
      { numRuns: Number(process.env['SPOQ_RUNS'] ?? 60) },
    );
  });
});
