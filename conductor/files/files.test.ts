import { expect } from 'chai';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
  readdirSync,
  statSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { execFileSync } from 'node:child_process';
import { pino } from 'pino';
import { SpoqError } from '../../contract/errors.ts';
import type { ScanAnswer, SnapshotAnswer } from '../../contract/workspaces.ts';
import { encodeHead, encodePiece } from '../../sync/frames.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { createFiles } from './client.ts';
import type { Files } from './client.ts';
import type { FilesRequest } from './envelope.ts';
import { serveFiles } from './server.ts';
import type { FilesServer } from './server.ts';

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('the program that keeps the files', () => {
  let folder: string;
  let socket: string;
  let server: FilesServer;
  let files: Files;
  const id = randomUUID();

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spoq-files-'));
    socket = join(folder, 'files.sock');
    server = await serveFiles({ home: folder, listen: { path: socket }, log: pino({ level: 'silent' }) });
    files = createFiles(socket);
  });
  afterEach(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (request: Omit<FilesRequest, 'workspace'>, body?: Uint8Array[]): Promise<unknown> => {
    const { value, close } = await files.call(
      { workspace: 'tides', ...request },
      body === undefined ? undefined : Readable.from([Buffer.concat(body)]),
    );
    close();
    return value;
  };
  const scan = (folderId = id): Promise<unknown> =>
    ask({
      operation: 'scan',
      parameters: { folder: { id: folderId, host: 'laptop', path: '/tides' }, base: null, allow: [] },
    });
  const refusal = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => expect.fail('it was accepted'),
      (error: unknown) => (error instanceof SpoqError ? error.code : expect.fail(String(error))),
    );
  const piece = (bytes: Uint8Array, hash = hashOf(bytes), offset = 0): Uint8Array[] =>
    encodePiece({ hash, offset, bytes });
  const head = (contents: { hash: string; size: number }[]): Buffer =>
    encodeHead({ folder: id, contents: contents.map((one) => ({ ...one, offset: 0 })) });

  it('writes down what was put in place though nothing comes after it, and though the tree can no longer be looked at', async () => {
    const state = join(folder, '.local', 'state', 'spoq', 'workspaces', 'tides', 'tree.state');
    const place = async (text: string, base: string | null): Promise<string> => {
      const [bytes, next_base] = [Buffer.from(text), randomUUID()];
      const want = { kind: 'file', mode: 0o644, size: bytes.length, hash: hashOf(bytes) };
      const steps = [{ path: `${text}.txt`, want, expect: null, agree: true }];
      const contents = [{ hash: want.hash, size: want.size, offset: 0 }];
      const request = { folder: id, base, next_base, more: true, steps, agreed: [], contents };
      expect(await ask({ operation: 'apply' }, [encodeHead(request), ...piece(bytes)])).to.deep.equal({ refused: [] });
      expect(readFileSync(join(folder, 'workspaces', 'tides', `${text}.txt`), 'utf8')).to.equal(text);
      return next_base;
    };
    const isWritten = (base: string) => (): boolean => existsSync(state) && readFileSync(state).includes(base);
    await scan();
    const first = await place('first', null);
    await waitFor('the state', isWritten(first));
    const second = await place('second', first);
    rmSync(join(folder, 'workspaces', 'tides'), { recursive: true });
    // What may not be entered stops a look.
    writeFileSync(join(folder, 'workspaces', 'tides'), 'no folder');
    await waitFor('the next state', isWritten(second));
  });

  it('takes nothing that is not what it claims to be', async () => {
    await scan();
    const [right, wrong] = [Buffer.from('right'), Buffer.from('wrong')];
    const list = [
      { hash: hashOf(right), size: 5 },
      { hash: hashOf(Buffer.from('other')), size: 5 },
    ];
    const answer = await ask({ operation: 'contents' }, [head(list), ...piece(right), ...piece(wrong, list[1]?.hash)]);
    expect(answer).to.deep.equal({ rejected: [list[1]?.hash] });
    expect(((await scan()) as ScanAnswer).staged).to.deep.equal({ [hashOf(right)]: 5 });
    // More than was announced, something that wasn't, and frames that are none.
    expect(await refusal(ask({ operation: 'contents' }, [head([]), ...piece(right)]))).to.equal('invalid_request');
    expect(
      await refusal(ask({ operation: 'contents' }, [head([{ hash: hashOf(right), size: 2 }]), ...piece(right)])),
    ).to.equal('invalid_request');
    expect(await refusal(ask({ operation: 'contents' }, [Buffer.from([255, 255, 255, 255])]))).to.equal(
      'invalid_request',
    );
    expect(await refusal(ask({ operation: 'contents' }, [head(list).subarray(0, 20)]))).to.equal('invalid_request');
    expect(
      await refusal(ask({ operation: 'contents' }, [encodeHead({ folder: id, contents: [], __proto__x: 1 })])),
    ).to.equal('invalid_request');
    // A petabyte that is announced is refused before it comes.
    expect(await refusal(ask({ operation: 'contents' }, [head([{ hash: hashOf(right), size: 1e15 }])]))).to.equal(
      'box_full',
    );
  });

  it('unpacks no more than one request may hold', async () => {
    await scan();
    const zeros = Buffer.alloc(1024 * 1024);
    const hash = hashOf(zeros);
    const size = 4 * 1024 ** 3;
    const bomb = zstdCompressSync(
      Buffer.concat([
        head([{ hash, size }]),
        ...Array.from({ length: 70 }, (_, at) => piece(zeros, hash, at * zeros.length)).flat(),
      ]),
    );
    expect(bomb.length).to.be.below(100_000);
    expect(await refusal(ask({ operation: 'contents', encoding: 'zstd' }, [bomb]))).to.equal('invalid_request');
    expect(await refusal(ask({ operation: 'contents', encoding: 'zstd' }, [Buffer.from('not zstd')]))).to.equal(
      'invalid_request',
    );
  });

  it('belongs to the folder that came first, and to no other', async () => {
    await scan();
    expect(await refusal(scan(randomUUID()))).to.equal('workspace_taken');
    expect(
      await refusal(ask({ operation: 'contents' }, [encodeHead({ folder: randomUUID(), contents: [] })])),
    ).to.equal('workspace_taken');
    expect(await refusal(ask({ operation: 'scan', parameters: { folder: 1 } }))).to.equal('invalid_request');
    const { value, close } = await files.call({ operation: 'list', workspace: '' });
    close();
    expect(value).to.deep.equal({ workspaces: [] });
    expect(await refusal(files.call({ operation: 'scan', workspace: '../x' }))).to.equal('invalid_request');
  });

  it('writes the tree down as a commit, reads only what changed, and lets no configuration of the tree in', async () => {
    await scan();
    expect(await refusal(ask({ operation: 'snapshot' }))).to.equal('workspace_changed');
    const root = join(folder, 'workspaces', 'tides');
    mkdirSync(join(root, 'src'), { recursive: true });
    writeFileSync(join(root, '.gitattributes'), '* text eol=lf\n*.txt filter=evil\n');
    writeFileSync(join(root, 'src/a.txt'), 'one\r\n');
    const first = (await ask({ operation: 'snapshot' })) as SnapshotAnswer;
    expect((await ask({ operation: 'snapshot' })) as SnapshotAnswer).to.deep.equal(first);
    writeFileSync(join(root, 'src/b.txt'), 'two');
    rmSync(join(root, 'src/a.txt'));
    const second = (await ask({ operation: 'snapshot' })) as SnapshotAnswer;
    const git = (...args: string[]): string =>
      execFileSync('git', ['--git-dir', join(folder, '.local/state/spoq/workspaces/tides/repo.git'), ...args], {
        encoding: 'utf8',
      });
    expect(git('show', `${first.commit}:src/a.txt`)).to.equal('one\r\n');
    expect(git('ls-tree', '-r', '--name-only', second.commit)).to.equal('.gitattributes\nsrc/b.txt\n');
    expect(git('rev-parse', `${second.commit}^`).trim()).to.equal(first.commit);
  });

  it('writes it so that the account of a run can read all of it', async () => {
    const root = join(folder, 'workspaces', 'tides');
    await scan();
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, 'a.txt'), 'one');
    const mask = process.umask(0o022);
    try {
      await ask({ operation: 'snapshot' });
    } finally {
      process.umask(mask);
    }
    const repository = join(folder, '.local/state/spoq/workspaces/tides/repo.git');
    const all = [
      repository,
      ...readdirSync(repository, { recursive: true }).map((name) => join(repository, String(name))),
    ];
    const readable = (path: string): boolean => {
      const stats = statSync(path);
      return (stats.mode & (stats.isDirectory() ? 0o005 : 0o004)) === (stats.isDirectory() ? 0o005 : 0o004);
    };
    const needed = all.filter((path) => /repo\.git$|\/(objects|refs)(\/|$)|\/(HEAD|config)$/.test(path));
    expect(needed.filter((path) => !readable(path))).to.deep.equal([]);
    expect(needed.length).to.be.above(8);
  });

  it('says so when there is no such program, and survives who says nothing', async () => {
    expect(await refusal(createFiles(undefined).call({ operation: 'list', workspace: '' }))).to.equal(
      'files_unavailable',
    );
    expect(await refusal(createFiles(join(folder, 'none.sock')).call({ operation: 'list', workspace: '' }))).to.equal(
      'files_unavailable',
    );
    await new Promise<void>((done) => {
      const silent = connect(socket, () => silent.end());
      silent.once('close', () => done()).resume();
    });
    await new Promise<void>((done) => {
      const broken = connect(socket, () => broken.end(Buffer.from([0, 0, 0, 9, 1])));
      broken.once('close', () => done()).resume();
    });
    await scan();
    expect(readFileSync(join(folder, '.local/state/spoq/workspaces/tides/folder.json'), 'utf8')).to.include(id);
  });

  it('ends when nobody has come for a while', async () => {
    const other = await serveFiles({
      home: folder,
      listen: { path: join(folder, 'idle.sock') },
      idleMs: 30,
      log: pino({ level: 'silent' }),
    });
    await other.ended;
    expect(await refusal(createFiles(join(folder, 'idle.sock')).call({ operation: 'list', workspace: '' }))).to.equal(
      'files_unavailable',
    );
  });
});
