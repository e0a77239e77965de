import { appendFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { testRows } from './harness/terminal-rows.ts';
import type { Row } from './harness/terminal-rows.ts';
import { useStage } from './harness/terminal-stage.ts';
import type { Stage } from './harness/terminal-stage.ts';
import type { Laptop } from './harness/terminal-world.ts';

const FILES = { 'notes.md': 'Low at six.\n', 'src/main.ts': 'export const answer = 42;\n', '.env': 'KEY=hunter2-a8f3' };
/** Too much for one request, so that it is sent piece by piece. */
const LARGE = { ...FILES, 'large.txt': 'tide\n'.repeat(1_000_000) };
const MANY = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`tide-${index}.txt`, `${index}\n`]));

const openNew = ({ world }: Stage): Promise<Laptop> => world.openLaptop(FILES);

/** A laptop whose folder was synced, and what has happened since. */
function openSynced(files: Record<string, string>, change: (laptop: Laptop) => Promise<void>) {
  return async (stage: Stage): Promise<Laptop> => {
    const laptop = await stage.world.openLaptop(files);
    const { code, out, err } = await stage.run(['sync'], laptop);
    expect(code, out + err).to.equal(0);
    await change(laptop);
    return laptop;
  };
}

async function changeBoth({ cwd, box }: Laptop): Promise<void> {
  await writeFile(path.join(cwd, 'notes.md'), 'Low at seven.\n');
  await writeFile(path.join(box, 'notes.md'), 'Low at eight.\n');
}

const deleteMost = async ({ cwd }: Laptop): Promise<void> => {
  for (let index = 0; index < 8; index += 1) await rm(path.join(cwd, `tide-${index}.txt`));
};

const ROWS: Record<string, Row> = {
  'sync, the first': {
    args: ['sync'],
    prepare: openNew,
    shows: 'changes to the box, 0 changes here, 38 B sent: workspace spoq-cli-',
  },
  'sync, what is left out': {
    args: ['sync'],
    prepare: openNew,
    shows: 'Left out here: .env (',
  },
  'sync --dry-run': {
    args: ['sync', '--dry-run'],
    prepare: openNew,
    shows: 'on alice.spoq.localhost. Nothing was changed.',
  },
  'sync, nothing to do': {
    args: ['sync'],
    prepare: openSynced(FILES, () => Promise.resolve()),
    shows: 'In sync: workspace spoq-cli-',
  },
  'sync, both changed a file': {
    args: ['sync'],
    prepare: openSynced(FILES, changeBoth),
    shows: "Both changed notes.md: the box's version is kept as notes.conflict-alice-",
  },
  'sync, most is deleted': {
    args: ['sync'],
    prepare: openSynced(MANY, deleteMost),
    shows: 'To delete them on the other side as well: spoq sync --delete. To bring them back: spoq sync pull.',
    code: 1,
  },
  'sync pull, most is deleted': {
    args: ['sync', 'pull'],
    prepare: openSynced(MANY, deleteMost),
    shows: '0 changes to the box, 8 changes here',
  },
  'sync, Ctrl-C': {
    args: ['sync'],
    prepare: ({ world }) => world.openLaptop(LARGE),
    shows: 'What has arrived is kept for the next spoq sync. Stopped.',
    hides: '░',
    code: 130,
    async drive({ see, press }) {
      await see('Sending');
      await press('C-c');
    },
  },
  'sync --watch, Ctrl-C': {
    args: ['sync', '--watch'],
    prepare: openNew,
    shows: '1 change to the box, 0 changes here',
    hides: '^CStopped',
    code: 130,
    async drive({ see, press, lines }, { cwd }) {
      await see('Ctrl-C ends it.');
      await appendFile(path.join(cwd, 'notes.md'), 'High at noon.\n');
      await see('1 change to the box');
      expect((await lines()).filter((line) => line.includes('.env'))).to.have.length(1);
      await press('C-c');
    },
  },
};

describe('spoq sync in terminals', function () {
  this.timeout(60_000);
  const stage = useStage();

  testRows(stage, ROWS, {
    before: (name) => stage.world.holdLines(name === 'sync, Ctrl-C' ? /\/contents$/ : undefined),
  });

  it('gives a folder one workspace, however many begin at once', async () => {
    for (let round = 0; round < 3; round += 1) {
      const laptop = await stage.world.openLaptop(FILES);
      const all = await Promise.all(Array.from({ length: 6 }, () => stage.run(['sync'], laptop)));
      expect(all.map(({ code, err }) => [code, err])).to.deep.equal(all.map(({ err }) => [0, err]));
    }
  });
});
