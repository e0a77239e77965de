import { expect } from 'chai';
import * as fc from 'fast-check';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lookAt } from '../sync/look.ts';
import { openSyncWorld, readTree } from './harness/sync-world.ts';
import type { SyncWorld } from './harness/sync-world.ts';

type Edit =
  | { do: 'write'; side: 'laptop' | 'box'; path: string; text: string }
  | { do: 'remove' | 'chmod'; side: 'laptop' | 'box'; path: string }
  | { do: 'rename'; side: 'laptop' | 'box'; path: string; to: string };

const SEGMENTS = ['a', 'b', 'c', 'A', 'ü'];
const path = fc.array(fc.constantFrom(...SEGMENTS), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const side = fc.constantFrom<'laptop' | 'box'>('laptop', 'box');
/** Some are larger than what goes along with the steps, so that they travel by themselves and can be cut. */
const text = fc.oneof(
  { weight: 5, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 2, arbitrary: fc.integer().map((seed) => `${seed} `.repeat(60_000)) },
);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), side, path, text }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'chmod' as const), side, path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), side, path, to: path }) },
);
const round = fc.record({
  edits: fc.array(edit, { minLength: 1, maxLength: 8 }),
  cut: fc.option(fc.integer({ min: 1, max: 900_000 }), { nil: undefined }),
  /** Of the program that keeps the files, so many milliseconds after the sync has begun. */
  kill: fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined }),
});

/** Does an edit as a person would, as far as it can be done there. Returns contents that a person thereby gave up. */
function perform(root: string, one: Edit): string[] {
  const at = join(root, one.path);
  const given = readAll(at);
  try {
    if (one.do === 'write') {
      if (lookAt(at)?.isDirectory()) return [];
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, one.text);
      return given;
    }
    if (!existsSync(at)) return [];
    if (one.do === 'chmod') chmodSync(at, lstatSync(at).isDirectory() ? 0o750 : 0o600);
    else if (one.do === 'remove') {
      rmSync(at, { recursive: true });
      return given;
    } else if (one.do === 'rename' && !existsSync(join(root, one.to))) {
      mkdirSync(dirname(join(root, one.to)), { recursive: true });
      renameSync(at, join(root, one.to));
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!['ENOTDIR', 'EEXIST', 'EINVAL', 'EISDIR', 'ENOTEMPTY'].includes(code ?? '')) throw error;
  }
  return [];
}

function readAll(at: string): string[] {
  const stats = lookAt(at);
  if (stats === undefined) return [];
  if (!stats.isDirectory()) return contentsOf(dirname(at), at);
  return readdirSync(at).flatMap((name) => readAll(join(at, name)));
}

function contentsOf(folder: string, at: string): string[] {
  const entry = readTree(folder)[at.slice(folder.length + 1)];
  return entry === undefined ? [] : [entry.slice(entry.indexOf(' ') + 1)];
}

/** Every content of a tree. */
function listContents(root: string): Set<string> {
  return new Set(
    Object.values(readTree(root))
      .filter((entry) => !entry.startsWith('folder '))
      .map((entry) => entry.slice(entry.indexOf(' ') + 1)),
  );
}

describe('two trees that are synced', function () {
  this.timeout(480_000);

  it('are the same afterwards and have every content that one of them had, whatever was cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 3 }), async (rounds) => {
        const world = await openSyncWorld({ asProcess: true });
        try {
          mkdirSync(world.box, { recursive: true });
          for (const one of rounds) await playRound(world, one);
        } finally {
          await world.close();
        }
      }),
      { numRuns: Number(process.env['SPOQ_RUNS'] ?? 20), endOnFailure: false },
    );
  });
});

async function playRound(
  world: SyncWorld,
  { edits, cut, kill }: { edits: Edit[]; cut?: number | undefined; kill?: number | undefined },
): Promise<void> {
  const given = new Set<string>();
  const roots = { laptop: world.laptop, box: world.box };
  for (const one of edits) for (const content of perform(roots[one.side], one)) given.add(content);
  const before = new Set([...listContents(world.laptop), ...listContents(world.box)]);
  if (cut !== undefined) world.cutAfter(cut);
  const first = world.begin(['sync', '--delete']);
  // A random moment, not one that is waited for: wherever it hits, what follows has to hold.
  if (kill !== undefined) {
    await sleep(kill);
    await world.restartFiles();
  }
  await first.ended;
  // Whatever happened to that one: after one that isn't disturbed, both are the same.
  world.cutAfter(Number.POSITIVE_INFINITY);
  const { code, err } = await world.spoq(['sync', '--delete']);
  expect(code, err).to.equal(0);
  const here = readTree(world.laptop);
  expect(readTree(world.box)).to.deep.equal(here);
  const kept = listContents(world.laptop);
  // What a person deleted or wrote over on one side may be gone; nothing else.
  const lost = [...before].filter((content) => !kept.has(content) && !given.has(content));
  expect(lost.map((content) => content.slice(0, 40))).to.deep.equal([]);
  expect((await world.spoq(['sync'])).out).to.match(/^In sync/);
}
