import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compileConductor } from '../testing/compiled.ts';
import { createDirectWorkplaces } from '../testing/direct-workplaces.ts';
import { serve } from '../testing/serve.ts';
import { waitUntil } from '../testing/wait-until.ts';
import { makeSnapshot } from '../testing/workspace-repository.ts';
import { DEFAULT_LIMITS, WorkError } from '../workplace/workplace.ts';
import type { ExecCommand, WorkExit, Workplace, WorkProcess } from '../workplace/workplace.ts';

const FILES = {
  'a.txt': 'one\ntwo\nthree\n',
  'src/b.ts': 'export const b = 1;\n',
  '.gitignore': 'node_modules/\n',
  '.gitattributes': '* text=auto\n*.dat filter=lfs\n',
  'crlf.txt': 'a\r\nb\r\n',
  'run.sh': { run: '#!/bin/sh\necho hi\n' },
  link: { link: 'a.txt' },
  'image.png': Uint8Array.of(0x89, 0x50, 0, 1, 2, 3),
};

for (const kind of ['from source', 'compiled'] as const)
  describe(`a place of work, ${kind}`, function () {
    this.timeout(60_000);
    let folder: string;
    let command: string[] | undefined;
    let places: ReturnType<typeof createDirectWorkplaces>;
    let place: Workplace;
    let snapshot: string;
    const connections: string[] = [];
    const tree = (...names: string[]): string => path.join(folder, 'runs', 'r1', 'web', ...names);
    const open = (): Promise<Workplace> =>
      places.open(
        { id: 'r1', workspace: 'web', snapshot, limits: DEFAULT_LIMITS },
        () => undefined,
        new AbortController().signal,
      );

    before(async () => {
      if (kind === 'compiled') command = [await compileConductor('work')];
      folder = mkdtempSync(path.join(tmpdir(), 'spoq-work-'));
      snapshot = makeSnapshot(path.join(folder, 'web.git'), FILES);
      places = createDirectWorkplaces({
        folder: path.join(folder, 'runs'),
        repository: (name) => path.join(folder, `${name}.git`),
        command,
        dial: async (host, port) => {
          connections.push(`${host}:${port}`);
          const socket = connect({ host: '127.0.0.1', port: Number(/\d+/.exec(host)?.[0] ?? 1) });
          await once(socket, 'connect');
          return socket;
        },
      });
      place = await open();
    });
    after(async () => {
      await places.closeAll();
      rmSync(folder, { recursive: true, force: true });
    });

    const sh = (text: string, options: Partial<ExecCommand> = {}): WorkProcess =>
      place.exec({ argv: ['sh', '-c', text], ...options });

    it('has every file of the snapshot, byte for byte, and a .git that borrows from it', async () => {
      expect(readFileSync(tree('crlf.txt'), 'utf8')).to.equal('a\r\nb\r\n');
      expect(Buffer.from(await place.readBytes('image.png', 100))).to.deep.equal(Buffer.from(FILES['image.png']));
      expect(await place.changes()).to.deep.equal([]);
      expect(await collect(sh('git status --porcelain; git log --format=%s'))).to.deep.include({
        stdout: 'snapshot\n',
      });
      const objects = execFileSync('git', ['count-objects'], { cwd: tree(), encoding: 'utf8' });
      expect(objects).to.match(/^0 objects/);
    });

    it('keeps what was done when it is opened again', async () => {
      await place.writeFile('kept', 'yes');
      await place.close();
      expect(await place.closed).to.deep.equal({ reason: 'asked', detail: 'It was closed.' });
      const failure = await place.readFile('kept').catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(WorkError).that.has.property('code', 'lost');
      place = await open();
      expect(await place.readFile('kept')).to.deep.equal({ text: 'yes', total_lines: 1, bytes: 3 });
      await collect(sh('rm kept'));
    });

    it('runs a program with its streams apart, its input and its exit code', async () => {
      const child = sh('cat; pwd; echo "$GREETING" >&2; exit 3', { cwd: 'src', env: { GREETING: 'hello' } });
      await child.write(Buffer.from('in\n'));
      child.end();
      expect(await collect(child)).to.deep.equal({
        stdout: `in\n${tree('src')}\n`,
        stderr: 'hello\n',
        exit: { code: 3, signal: null, timed_out: false },
      });
    });

    it('gives programs nothing of its own environment but PATH', async () => {
      const { stdout } = await collect(place.exec({ argv: ['env'] }));
      const names = stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('=')[0] ?? '');
      const expected = [
        'GIT_TERMINAL_PROMPT',
        'HOME',
        'HTTPS_PROXY',
        'HTTP_PROXY',
        'LANG',
        'LOGNAME',
        'NODE_USE_ENV_PROXY',
        'NO_PROXY',
        'NO_UPDATE_NOTIFIER',
        'PIP_DISABLE_PIP_VERSION_CHECK',
        'npm_config_update_notifier',
      ];
      expect(names.toSorted()).to.deep.equal(
        [...expected, 'PATH', 'SHELL', 'SPOQ_COMMAND', 'USER', 'http_proxy', 'https_proxy', 'no_proxy'].toSorted(),
      );
    });

    it('says what a shell says of a program that is not there', async () => {
      expect(await collect(place.exec({ argv: ['no-such-program'] }))).to.deep.equal({
        stdout: '',
        stderr: 'no-such-program: not found\n',
        exit: { code: 127, signal: null, timed_out: false },
      });
      expect((await collect(place.exec({ argv: ['./a.txt'] }))).exit.code).to.equal(126);
    });

    it('ends a program in time, with all that it has started', async () => {
      const pids = tree('pids');
      const start = `sleep 1000 & echo $! >> ${pids}; setsid sleep 1000 & echo $! >> ${pids}; wait`;
      const { exit } = await collect(sh(start, { timeout_ms: 500 }));
      expect(exit).to.deep.equal({ code: null, signal: 'SIGKILL', timed_out: true });
      await waitUntil('all of it to be gone', () => readFileSync(pids, 'utf8').trim().split('\n').every(isGone));
      rmSync(pids);
    });

    it('ends what is left of the group when the program ends, and does not wait for what holds its output', async () => {
      const began = performance.now();
      const { stdout, exit } = await collect(sh('sleep 1000 & echo $!; setsid sleep 1000 & echo $!'));
      expect(exit.code).to.equal(0);
      expect(performance.now() - began).to.be.below(5000);
      const [inGroup = '', outside = ''] = stdout.split('\n');
      await waitUntil('the group to be gone', () => isGone(inGroup));
      process.kill(Number(outside), 'SIGKILL');
    });

    it('passes signals on to the group', async () => {
      const child = sh('trap "echo bye; exit 7" TERM; echo ready; while :; do sleep 0.05; done');
      let shown = '';
      for await (const { data } of child.output) {
        shown += Buffer.from(data).toString();
        if (shown === 'ready\n') child.kill('SIGTERM');
      }
      expect(shown).to.include('bye\n');
      expect(await child.exit).to.deep.equal({ code: 7, signal: null, timed_out: false });
    });

    it('gives a program a terminal, which can be resized, typed into and interrupted', async () => {
      const child = sh(
        // A signal may come in the middle of a line: what was read of it is in `part` then.
        'test -t 0 && test -t 1 && stty size; trap "stty size" WINCH; echo ready; until read part && line=$line$part; do line=$line$part; done; echo "got $line"; cat',
        {
          tty: { columns: 77, rows: 20 },
        },
      );
      let shown = '';
      const reading = (async () => {
        for await (const { stream, data } of child.output) {
          expect(stream).to.equal('stdout');
          shown += Buffer.from(data).toString();
        }
      })();
      await waitUntil('it to be ready', () => shown.includes('20 77\r\nready'));
      child.resize(100, 30);
      await waitUntil('the new size', () => shown.includes('30 100'));
      await child.write(Buffer.from('abc\r'));
      await waitUntil('the line', () => shown.includes('got abc'));
      // dash lets go of an interrupt that comes while it starts a program: what answers has begun.
      await child.write(Buffer.from('def\r'));
      await waitUntil('what it runs', () => shown.includes('def\r\ndef\r\n'));
      await child.write(Buffer.of(3));
      expect((await child.exit).code).to.equal(130);
      await reading;
      expect((await collect(sh('exit 5', { tty: { columns: 80, rows: 24 } }))).exit.code).to.equal(5);
    });

    it('ends a program that has a terminal in time', async () => {
      const { stdout, exit } = await collect(
        sh('trap "" HUP; echo $$; sleep 1000', { tty: { columns: 80, rows: 24 }, timeout_ms: 500 }),
      );
      expect(exit.timed_out).to.equal(true);
      await waitUntil('it to be gone', () => isGone(stdout.trim()));
    });

    it('lets a fast program wait for who reads, and others go on meanwhile', async () => {
      const child = sh('yes | head -c 30000000; touch written');
      const output = child.output[Symbol.asyncIterator]();
      await output.next();
      expect((await collect(sh('echo other'))).stdout).to.equal('other\n');
      expect(existsSync(tree('written')), 'it cannot have written 30 MB that nobody has read').to.equal(false);
      let bytes = 0;
      for (let next = await output.next(); next.done !== true; next = await output.next())
        bytes += next.value.data.length;
      expect(bytes).to.be.within(29_000_000, 30_000_000);
      expect((await child.exit).code).to.equal(0);
      rmSync(tree('written'));
    });

    it('reads lines, and says what it cannot read', async () => {
      expect(await place.readFile('a.txt')).to.deep.equal({ text: FILES['a.txt'], total_lines: 3, bytes: 14 });
      expect(await place.readFile('a.txt', { offset_lines: 1, limit_lines: 1 })).to.deep.equal({
        text: 'two\n',
        total_lines: 3,
        bytes: 14,
      });
      expect((await place.readFile('link')).text).to.equal(FILES['a.txt']);
      expect((await place.readFile(tree('a.txt'))).bytes).to.equal(14);
      await collect(sh('mkfifo pipe; head -c 40000000 /dev/zero > huge; seq 400000 > long'));
      const faults = [
        ['nothing', 'not_found'],
        ['a.txt/below', 'not_found'],
        ['src', 'is_folder'],
        ['image.png', 'binary'],
        ['pipe', 'special'],
        ['huge', 'too_large'],
        ['long', 'too_large'],
      ] as const;
      for (const [name, code] of faults) expect([name, await codeOf(place.readFile(name))]).to.deep.equal([name, code]);
      expect(await codeOf(place.readBytes('a.txt', 13))).to.equal('too_large');
      expect((await place.readFile('long', { limit_lines: 2 })).total_lines).to.equal(400_000);
      await collect(sh('rm pipe huge long'));
    });

    it('writes a file whole or not at all, and keeps its mode', async () => {
      expect(await place.writeFile('new/deep/file', 'x')).to.deep.equal({ created: true });
      expect(await place.writeFile('run.sh', '#!/bin/sh\n')).to.deep.equal({ created: false });
      expect((await collect(sh('stat -c %a run.sh; ls -A new/deep'))).stdout).to.equal('755\nfile\n');
      expect(await codeOf(place.writeFile('src', 'x'))).to.equal('is_folder');
      await collect(sh('rm -r new; git checkout -q run.sh'));
    });

    it('makes all edits or none', async () => {
      await place.writeFile('edit', 'a b a\n');
      const edit = (...edits: { old: string; new: string; all?: boolean }[]) => place.editFile('edit', edits);
      expect(await codeOf(edit({ old: 'b', new: 'c' }, { old: 'zzz', new: '' }))).to.equal('no_match');
      expect(await codeOf(edit({ old: 'a', new: 'c' }))).to.equal('ambiguous');
      expect(await codeOf(edit())).to.equal('failed');
      expect((await place.readFile('edit')).text).to.equal('a b a\n');
      expect(await edit({ old: 'a', new: '$&', all: true }, { old: 'b', new: 'c' })).to.deep.equal({ replaced: 3 });
      expect((await place.readFile('edit')).text).to.equal('$& c $&\n');
      expect(await codeOf(place.editFile('none', [{ old: 'a', new: 'b' }]))).to.equal('not_found');
      await collect(sh('rm edit'));
    });

    it('reads and writes nothing outside of the tree, whatever leads there', async () => {
      const outside = path.join(folder, 'outside');
      mkdirSync(outside, { recursive: true });
      writeFileSync(path.join(outside, 'secret'), 'secret');
      symlinkSync(outside, tree('out'));
      symlinkSync(path.join(outside, 'secret'), tree('file-out'));
      symlinkSync(path.join(outside, 'made'), tree('dangling'));
      symlinkSync('circle', tree('circle'));
      for (const name of [
        '../secret',
        '../../outside/secret',
        'out/secret',
        'file-out',
        '/etc/passwd',
        `${tree()}-twin/x`,
        'src/../../x',
        'circle',
      ])
        for (const use of [
          () => place.readFile(name),
          () => place.writeFile(name, 'x'),
          () => place.editFile(name, [{ old: 's', new: 'x' }]),
        ])
          expect([name, await codeOf(use())]).to.deep.equal([name, 'outside']);
      await place.writeFile('dangling', 'x').catch(() => undefined);
      expect(existsSync(path.join(outside, 'made'))).to.equal(false);
      expect(readFileSync(path.join(outside, 'secret'), 'utf8')).to.equal('secret');
      expect(await codeOf(place.listFiles({ folder: '..', limit: 5 }))).to.equal('outside');
      expect(await place.exec({ argv: ['true'], cwd: '..' }).exit.catch((error: unknown) => error)).to.have.property(
        'code',
        'outside',
      );
      await collect(sh('rm -f out file-out dangling circle'));
    });

    it('lists and searches what .gitignore leaves', async () => {
      await collect(
        sh(
          'mkdir -p node_modules src/deep; echo b > node_modules/c.ts; printf "hit \\303\\251\\n" > src/deep/d.ts; rm a.txt',
        ),
      );
      const list = place.listFiles.bind(place);
      expect(await list({ limit: 100, folder: 'src' })).to.deep.equal({
        paths: ['src/b.ts', 'src/deep/d.ts'],
        more: false,
      });
      expect(await list({ limit: 1, pattern: '*.ts' })).to.deep.equal({ paths: ['src/b.ts'], more: true });
      expect((await list({ limit: 9, pattern: 'src/*.ts' })).paths).to.deep.equal(['src/b.ts']);
      expect((await list({ limit: 100 })).paths).not.to.include.members(['a.txt']);
      expect(await place.search({ pattern: String.raw`\bhit\b|b = \d`, limit: 9 })).to.deep.equal({
        hits: [
          { path: 'src/b.ts', line: 1, text: 'export const b = 1;' },
          { path: 'src/deep/d.ts', line: 1, text: 'hit é' },
        ],
        more: false,
      });
      expect(await place.search({ pattern: 'hit|b =', limit: 1, glob: '*.ts' })).to.have.property('more', true);
      expect((await place.search({ pattern: 'hit', limit: 9, glob: 'b.*' })).hits).to.deep.equal([]);
      expect(await codeOf(place.search({ pattern: '(', limit: 9 }))).to.equal('bad_pattern');
      await collect(sh('rm -r node_modules src/deep; git checkout -q a.txt'));
    });

    it('makes a patch that applies, whatever has become of the .git of the tree', async () => {
      await place.editFile('a.txt', [{ old: 'two', new: 'TWO' }]);
      await collect(
        sh(`rm -rf .git run.sh; printf 'a\\0b' > image.png; ln -sfn src/b.ts link; echo new > "src/é
x"; chmod +x crlf.txt; mkdir node_modules; echo x > node_modules/y`),
      );
      const changes = await place.changes();
      const [first] = changes;
      expect(first).to.deep.include({ base_mode: 0o100644, added_lines: 1, removed_lines: 1 });
      const read = async (object: string | null | undefined): Promise<string> =>
        Buffer.from(await place.readObject(object ?? '', 1000)).toString();
      expect(await read(first?.object)).to.equal(readFileSync(path.join(tree(), 'a.txt'), 'utf8'));
      expect(await read(first?.base_object)).not.to.equal(await read(first?.object));
      const short = changes.map(({ path: name, kind: what, mode, bytes }) => ({ path: name, kind: what, mode, bytes }));
      expect(short).to.deep.equal([
        { path: 'a.txt', kind: 'changed', mode: 0o100644, bytes: 14 },
        { path: 'crlf.txt', kind: 'changed', mode: 0o100755, bytes: 6 },
        { path: 'image.png', kind: 'changed', mode: 0o100644, bytes: 3 },
        { path: 'link', kind: 'changed', mode: 0o120000, bytes: 8 },
        { path: 'run.sh', kind: 'removed', mode: 0, bytes: 0 },
        { path: 'src/é\nx', kind: 'added', mode: 0o100644, bytes: 4 },
      ]);
      const other = path.join(folder, `other-${kind}`);
      execFileSync('git', ['clone', '--quiet', '--no-checkout', path.join(folder, 'web.git'), other]);
      writeFileSync(path.join(other, '.git', 'info', 'attributes'), '* -text\n');
      execFileSync('git', ['checkout', '--quiet'], { cwd: other });
      execFileSync('git', ['apply', '--whitespace=nowarn', '-'], { cwd: other, input: await place.diff() });
      execFileSync('diff', [
        '--recursive',
        '--no-dereference',
        '--exclude=.git',
        '--exclude=node_modules',
        tree(),
        other,
      ]);
    });

    it('lets nothing out until somebody decides, and then what is allowed, by HTTP and through a tunnel', async () => {
      const server = await serve((req, res) =>
        res.end(`${req.method} ${req.url} ${req.headers.host} ${req.headers['proxy-connection'] ?? '-'}`),
      );
      const port = new URL(server.url).port;
      try {
        const get = (url: string, flags = ''): Promise<Collected> =>
          collect(sh(`curl --silent --show-error --max-time 10 ${flags} ${url}`));
        expect((await get(`http://h${port}/a`)).stdout).to.equal(`The rules of this run do not allow h${port}:80.\n`);
        expect(connections).to.deep.equal([]);
        place.onConnect((host) => Promise.resolve(host.startsWith('h') ? 'allow' : 'deny'));
        expect((await get(`'http://h${port}/a?b=c'`)).stdout).to.equal(`GET /a?b=c h${port} -`);
        expect((await get(`http://h${port}:81/t`, '--proxytunnel')).stdout).to.equal(`GET /t h${port}:81 -`);
        expect(connections).to.deep.equal([`h${port}:80`, `h${port}:81`]);
        expect((await get(`http://x${port}/`)).stdout).to.include('do not allow');
        expect((await get('http://h1/')).stdout).to.equal('The connection broke.\n');
        expect((await get('https://x/')).stderr).to.include('403');
      } finally {
        await server.close();
      }
    });

    it('ends everything that runs in it when it is closed', async () => {
      const child = sh('echo $$; setsid sleep 1000 & echo $!; sleep 1000');
      const output = child.output[Symbol.asyncIterator]();
      let shown = '';
      while (shown.split('\n').length < 3) shown += Buffer.from((await output.next()).value?.data ?? []).toString();
      await place.close();
      expect(await child.exit.catch((error: unknown) => error)).to.have.property('code', 'lost');
      await waitUntil('all of it to be gone', () => shown.trim().split('\n').every(isGone));
      await places.remove('r1');
      await places.remove('never-was');
      expect(existsSync(path.join(folder, 'runs', 'r1'))).to.equal(false);
    });
  });

interface Collected {
  stdout: string;
  stderr: string;
  exit: WorkExit;
}

async function collect(child: WorkProcess): Promise<Collected> {
  const pieces = { stdout: '', stderr: '' };
  for await (const { stream, data } of child.output) pieces[stream] += Buffer.from(data).toString();
  return { ...pieces, exit: await child.exit };
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'done',
    (error: unknown) => (error instanceof WorkError ? error.code : error),
  );
}

/** Ended, also where nobody has fetched its exit code yet. */
function isGone(pid: string): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}
