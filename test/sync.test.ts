import { expect } from 'chai';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { openSyncWorld, readTree, writeTree } from './harness/sync-world.ts';
import type { SyncWorld } from './harness/sync-world.ts';
import { waitFor } from './harness/wait.ts';

const BIG = 'b'.repeat(700_000);

/** `spoq sync`, through a front door and a conductor, to the program that keeps the files. */
describe('spoq sync', function () {
  this.timeout(30_000);
  let world: SyncWorld;

  beforeEach(async () => {
    world = await openSyncWorld();
    writeTree(world.laptop, { 'a.txt': 'one\n', 'src/b.txt': BIG, 'src/run.sh': '#!/bin/sh\n', '.git/config': 'x' });
    chmodSync(join(world.laptop, 'src/run.sh'), 0o755);
    symlinkSync('../a.txt', join(world.laptop, 'src/link'));
    mkdirSync(join(world.laptop, 'empty'));
  });
  afterEach(() => world.close());

  const sync = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await world.spoq(['sync', ...args]);
    expect(code, err).to.equal(0);
    return out + err;
  };
  const expectSame = (): void => {
    const here = readTree(world.laptop);
    expect(readTree(world.box)).to.deep.equal(here);
  };

  it('brings everything to the box, and then nothing', async () => {
    expect(await sync()).to.include('6 changes to the box, 0 changes here, 700 kB sent: workspace tides on 127.0.0.1.');
    expectSame();
    world.countBytes();
    expect(await sync()).to.equal('In sync: workspace tides on 127.0.0.1.\n');
    expect(world.countBytes()).to.be.below(500);
  });

  it('carries changes of both sides, modes and removals', async () => {
    await sync();
    writeTree(world.laptop, { 'a.txt': 'two\n' });
    chmodSync(join(world.laptop, 'src/run.sh'), 0o700);
    rmSync(join(world.laptop, 'empty'), { recursive: true });
    writeTree(world.box, { 'from/box.txt': BIG.replaceAll('b', 'c') });
    rmSync(join(world.box, 'src/link'));
    expect(await sync()).to.include('3 changes to the box, 3 changes here, 4 B sent, 700 kB fetched');
    expectSame();
    expect(readTree(world.laptop)).to.have.all.keys('a.txt', 'from', 'from/box.txt', 'src', 'src/b.txt', 'src/run.sh');
  });

  it('sends no contents for a folder that was renamed', async () => {
    writeTree(
      world.laptop,
      Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`old/${at}.txt`, `${at}`.repeat(2000)])),
    );
    await sync();
    renameSync(join(world.laptop, 'old'), join(world.laptop, 'new'));
    const said = await sync();
    expect(said).to.include('402 changes to the box').and.not.include('sent');
    expectSame();
  });

  it('keeps both versions of what both changed, and names them', async () => {
    await sync();
    writeTree(world.laptop, { 'a.txt': 'mine\n' });
    writeTree(world.box, { 'a.txt': 'theirs\n' });
    expect(await sync()).to.match(/Both changed a\.txt: the box's version is kept as a\.conflict-127-\d{8}-\d{6}\.txt/);
    expectSame();
    const kept = readdirSync(world.laptop).find((name) => name.includes('conflict')) ?? '';
    expect([
      readFileSync(join(world.laptop, 'a.txt'), 'utf8'),
      readFileSync(join(world.laptop, kept), 'utf8'),
    ]).to.deep.equal(['mine\n', 'theirs\n']);
    expect(await sync()).to.match(/^In sync/);
  });

  it('keeps a file beside the folder that the other side has in its place', async () => {
    writeTree(world.laptop, { x: 'mine\n' });
    writeTree(world.box, { 'x/y': 'theirs\n' });
    expect(await sync()).to.match(/Both changed x: your version is kept as x\.conflict-/);
    expectSame();
    const tree = readTree(world.laptop);
    const kept = Object.keys(tree).find((name) => name.includes('conflict')) ?? '';
    expect([tree['x/y'], tree[kept]]).to.deep.equal(['644 theirs\n', '644 mine\n']);
  });

  it('keeps what was changed on one side and deleted on the other', async () => {
    await sync();
    rmSync(join(world.laptop, 'a.txt'));
    writeTree(world.box, { 'a.txt': 'changed\n' });
    expect(await sync()).to.include('a.txt was deleted here and changed on the other side: it stays');
    expectSame();
    expect(readFileSync(join(world.laptop, 'a.txt'), 'utf8')).to.equal('changed\n');
  });

  it('goes one way with push and with pull', async () => {
    await sync();
    writeTree(world.laptop, { 'here.txt': 'h' });
    writeTree(world.box, { 'there.txt': 't' });
    await sync('push');
    expect(readTree(world.box)).to.include.keys('here.txt', 'there.txt');
    expect(readTree(world.laptop)).not.to.include.keys('there.txt');
    writeTree(world.laptop, { 'more.txt': 'm' });
    await sync('pull');
    expect(readTree(world.laptop)).to.include.keys('there.txt');
    expect(readTree(world.box)).not.to.include.keys('more.txt');
    await sync();
    expectSame();
  });

  it('leaves out what is ignored or looks secret, names it, and takes it along with --allow', async () => {
    writeTree(world.laptop, {
      '.gitignore': 'dist/\n*.log\n',
      'dist/out.js': 'x',
      'x.log': 'x',
      '.env': 'KEY=1\n',
      'config.js': 'const password = "kT7#pQz9!mWv2"\n',
    });
    const said = await sync();
    expect(said).to.include('Left out here: .env (withheld: environment file); --allow takes it along');
    expect(said).to.include(
      'Left out here: config.js (withheld: looks like it holds a password or key); --allow takes it along',
    );
    expect(readTree(world.box)).not.to.have.any.keys('.env', 'config.js', 'dist', 'dist/out.js', 'x.log');
    expect(await sync('--allow', '.env')).to.include('1 change to the box');
    expect(readTree(world.box)).to.include.keys('.env');
    // It stays allowed: a file that was sent doesn't vanish by itself.
    expect(await sync()).not.to.include('.env');
    expect(readTree(world.box)).to.include.keys('.env');
  });

  it('does not touch what is ignored here when the box has it', async () => {
    writeTree(world.laptop, { '.gitignore': 'node_modules/\n', 'node_modules/x.js': 'here' });
    await sync();
    writeTree(world.box, { 'node_modules/x.js': 'there' });
    expect(await sync()).to.match(/^In sync/);
    expect(readFileSync(join(world.laptop, 'node_modules/x.js'), 'utf8')).to.equal('here');
  });

  it('stops before it deletes most of the other side, and says how to go on', async () => {
    writeTree(world.laptop, Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`f${at}.txt`, `${at}`])));
    await sync();
    const before = readTree(world.box);
    for (const name of readdirSync(world.laptop)) rmSync(join(world.laptop, name), { recursive: true });
    const refused = await world.spoq(['sync']);
    expect(refused.code).to.equal(1);
    expect(refused.err)
      .to.include('16 of 16 files are gone here. Nothing was changed.')
      .and.include('spoq sync --delete')
      .and.include('spoq sync pull');
    expect(readTree(world.box)).to.deep.equal(before);
    await sync('pull');
    expectSame();
    rmSync(world.box, { recursive: true });
    const gone = await world.spoq(['sync']);
    expect(gone.err).to.include('gone on the box').and.include('spoq sync push');
    await sync('push');
    expectSame();
    for (let at = 0; at < 12; at++) rmSync(join(world.laptop, `f${at}.txt`));
    expect((await world.spoq(['sync'])).code).to.equal(1);
    await sync('--delete');
    expectSame();
  });

  for (const [way, side] of [
    ['pull', 'laptop'],
    ['push', 'box'],
  ] as const) {
    it(`brings most of the files back with ${way}, and keeps what was done besides`, async () => {
      const names = Array.from({ length: 12 }, (_, at) => `old/f${at}.txt`);
      writeTree(world.laptop, Object.fromEntries(names.map((name) => [name, name])));
      await sync();
      const before = readTree(world.laptop);
      for (const name of names.slice(0, 9)) rmSync(join(world[side], name));
      writeTree(world[side], { 'old/f11.txt': 'changed', 'new.txt': 'new' });
      renameSync(join(world[side], 'old/f10.txt'), join(world[side], 'old/renamed.txt'));
      expect((await world.spoq(['sync'])).err).to.include(`spoq sync ${way}.`);
      await sync(way);
      const { 'old/f10.txt': renamed, ...rest } = before;
      const after = { ...rest, 'old/renamed.txt': renamed, 'old/f11.txt': '644 changed', 'new.txt': '644 new' };
      expect(readTree(world[side])).to.deep.equal(after);
      await sync();
      expectSame();
      expect(readTree(world.laptop)).to.deep.equal(after);
    });
  }

  it('goes on where the line was cut', async () => {
    writeTree(
      world.laptop,
      Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`r/${at}`, randomText(100_000)])),
    );
    world.cutAfter(1_500_000);
    const said = await sync();
    expect(said).to.include('What has arrived is kept; trying again.');
    expectSame();
    // What was under way is sent again, and what had arrived isn't.
    expect(world.countBytes()).to.be.below(40 * 100_000 * 1.4 + 1_500_000);
  });

  it('has files in place while others are still to come, and goes on from there', async () => {
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`r/${at}`, randomText(100_000)]));
    writeTree(world.laptop, { ...files, 'z.sh': 'last' });
    // What is there when the second request to place begins has been answered for: the laptop knows of it.
    let known: string[] = [];
    let requests = 0;
    world.onRequest((path) => {
      if (!path.endsWith('/apply') || ++requests !== 2) return;
      known = Object.keys(files).filter((name) => existsSync(join(world.box, name)));
      first.deps.stop.abort(new Error('stopped'));
    });
    const first = world.begin(['sync']);
    await first.ended;
    expect(known).not.to.have.length(0);
    const [changed = ''] = known;
    const partial = readTree(world.box);
    const whole = readTree(world.laptop);
    expect(Object.keys(partial).length).to.be.below(Object.keys(whole).length);
    for (const [path, text] of Object.entries(partial)) expect(whole[path]).to.equal(text);
    // Also for somebody else who has come meanwhile.
    writeTree(world.laptop, { [changed]: 'changed here' });
    writeTree(world.box, { 'new.txt': 'from the box' });
    await sync();
    expectSame();
    expect(Object.keys(readTree(world.laptop)).filter((path) => path.includes('conflict'))).to.deep.equal([]);
    expect(readTree(world.box)[changed]).to.include('changed here');
    expect(readTree(world.box)['new.txt']).to.include('from the box');
    expect(await sync()).to.include('In sync');
  });

  it('leaves both sides whole when it is stopped or the files program ends, and goes on', async () => {
    writeTree(
      world.laptop,
      Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`r/${at}`, randomText(100_000)])),
    );
    const first = world.begin(['sync']);
    await waitFor('contents to be under way', async () => world.countBytes() > 300_000);
    first.deps.stop.abort(new Error('stopped'));
    await first.ended;
    await world.restartFiles();
    const partial = readTree(world.box);
    const whole = readTree(world.laptop);
    for (const [path, text] of Object.entries(partial)) expect(whole[path]).to.equal(text);
    await sync();
    expectSame();
  });

  it('answers plainly for a name that another folder has', async () => {
    await sync();
    const other = join(world.laptop, '..', 'other');
    writeTree(other, { 'x.txt': 'x' });
    const { code, err } = await world.spoq(['sync', '--name', 'tides'], { cwd: other });
    expect(code).to.equal(1);
    expect(err).to.include("The workspace 'tides' belongs to").and.include('--name');
    expect((await world.spoq(['sync'], { cwd: other })).code).to.equal(0);
  });

  it('lists with --dry-run and does nothing', async () => {
    const said = await sync('--dry-run');
    expect(said).to.include('  → a.txt\n').and.include('Nothing was changed.');
    expect(readTree(world.box)).to.deep.equal({});
  });

  it('tells programs each step with --json', async () => {
    const { out } = await world.spoq(['sync', '--json']);
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; workspace?: string });
    expect(new Set(events.map(({ type }) => type))).to.deep.equal(new Set(['progress', 'synced']));
    expect(events.at(-1)).to.include({ type: 'synced', workspace: 'tides' });
  });

  it('follows both sides with --watch', async () => {
    const { deps, ended } = world.begin(['sync', '--watch'], {
      sleep: (ms) => new Promise((done) => setTimeout(done, Math.min(ms, 50))),
    });
    await waitFor('the watch to begin', async () => deps.err().includes('Watching'));
    appendFileSync(join(world.laptop, 'a.txt'), 'more\n');
    await waitFor('the change to reach the box', async () => readTree(world.box)['a.txt'] === '644 one\nmore\n');
    writeFileSync(join(world.box, 'new.txt'), 'n');
    await waitFor('the change to come from the box', async () => readTree(world.laptop)['new.txt'] === '644 n');
    deps.stop.abort(new Error('stopped'));
    await ended;
    expectSame();
  });

  it('ends --watch at once, also when it is stopped while it tells what it did', async () => {
    const { deps, ended } = world.begin(['sync', '--watch'], {
      sleep: (ms) => new Promise((done) => setTimeout(done, Math.min(ms, 50))),
    });
    await waitFor('the watch to begin', async () => deps.err().includes('Watching'));
    for (const stream of [deps.stdout, deps.stderr]) {
      const { write } = stream;
      stream.write = async (text) => {
        await write(text);
        if (text.includes('1 change to the box')) deps.stop.abort(new Error('stopped'));
      };
    }
    appendFileSync(join(world.laptop, 'a.txt'), 'more\n');
    const began = performance.now();
    await ended;
    expect(performance.now() - began, 'as long as until the next look').to.be.below(20_000);
  });
});

function randomText(length: number): string {
  let text = '';
  while (text.length < length) text += `${Math.random().toString(36).slice(2)} `;
  return text.slice(0, length);
}
