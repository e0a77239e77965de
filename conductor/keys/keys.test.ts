import { mkdtemp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { KeyList } from '../../contract/models.ts';
import { askAll, send } from '../testing/client.ts';
import type { Answer } from '../testing/client.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import { refuseAnthropic, sayAnthropic, startModelServer } from '../testing/model-server.ts';
import type { Speak, TestModelServer } from '../testing/model-server.ts';
import { startConductor, TEST_API_KEY } from '../testing/start-conductor.ts';
import type { StartOptions, TestConductor } from '../testing/start-conductor.ts';
import { createCredentialKeeper } from './credential-keeper.ts';
import { createFileKeeper } from './file-keeper.ts';

const OWN = 'sk-planted-of-the-owner-9876';
const NEXT = 'sk-planted-and-the-next-5432';

/** Accepts every key, and answers questions. */
const takeAll: Speak = (res, { path }) => {
  if (path.endsWith('/models')) res.writeHead(200, { 'content-type': 'application/json' }).end('{"data":[]}');
  else sayAnthropic(res, ['Hello']);
};

describe('model keys', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: TestConductor;
  let stateDir: string;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'keys-'));
    model = await startModelServer();
    model.speak = takeAll;
  });
  afterEach(async () => {
    // Whatever happened: no key is in the log.
    expect(JSON.stringify(conductor.logs)).not.to.match(/planted|sk-test/);
    await conductor.close();
    await model.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  async function start(options: Partial<StartOptions> = {}): Promise<void> {
    conductor = await startConductor({ plane, stateDir, ...options, model: { baseUrl: model.url, ...options.model } });
  }

  const put = (body: unknown, provider = 'anthropic'): Promise<Answer> =>
    send(conductor.local, { method: 'PUT', path: `/api/keys/${provider}`, body });
  const remove = (provider = 'anthropic'): Promise<Answer> =>
    send(conductor.local, { method: 'DELETE', path: `/api/keys/${provider}` });
  const list = async (): Promise<KeyList> => (await send(conductor.local, { path: '/api/keys' })).json as KeyList;
  const usedKey = async (): Promise<unknown> => {
    await askAll(conductor.local, { question: 'Why?' });
    return model.calls.at(-1)?.headers['x-api-key'];
  };
  const problem = ({ status, json, text }: Answer): unknown => {
    expect(text).not.to.include('planted');
    const { code, detail } = json as { code: string; detail?: string };
    return [status, code, detail];
  };

  it('are checked, kept, used at once and after a restart, and give way to those that the box came with', async () => {
    await start();
    expect(await list()).to.deep.equal({
      keys: [{ provider: 'anthropic', source: 'spoq', last_four: 'cdef', set_at: null, state: 'not_checked' }],
      providers: ['anthropic', 'openai'],
    });
    const answer = await put({ key: ` ${OWN}\n` });
    expect(answer.status).to.equal(200);
    expect(answer.text).not.to.include('planted');
    expect(
      model.calls.map(({ path, headers }) => [path, headers['x-api-key'], headers['anthropic-version']]),
    ).to.deep.equal([['/v1/models', OWN, '2023-06-01']]);
    const [key] = (answer.json as KeyList).keys;
    expect({ ...key, set_at: typeof key?.set_at }).to.deep.equal({
      provider: 'anthropic',
      source: 'own',
      last_four: '9876',
      set_at: 'string',
      state: 'works',
    });
    expect(await usedKey()).to.equal(OWN);
    expect((await stat(join(stateDir, 'model-keys.json'))).mode & 0o777).to.equal(0o600);
    await conductor.close();
    await start();
    expect(await usedKey()).to.equal(OWN);
    expect((await remove()).status).to.equal(200);
    expect(await usedKey()).to.equal(TEST_API_KEY);
    expect(await readdir(stateDir)).not.to.include('model-keys.json');
    expect(problem(await remove())).to.deep.equal([404, 'key_unknown', "No key of yours is set for 'anthropic'."]);
  });

  it('make a box that has none answer', async () => {
    await start({ model: { apiKey: undefined } });
    const refused = await send(conductor.local, { method: 'POST', path: '/api/ask', body: { question: 'Why?' } });
    expect(refused.json).to.deep.include({ code: 'model_not_configured' });
    await put({ key: OWN });
    expect(await usedKey()).to.equal(OWN);
  });

  const REFUSALS: [string, Speak, [number, string, string]][] = [
    [
      'that the provider refuses',
      (res, { headers }) =>
        refuseAnthropic(res, 401, 'authentication_error', {}, `bad ${String(headers['x-api-key'])}`),
      [422, 'key_refused', 'anthropic answered 401.'],
    ],
    [
      'that may do nothing',
      (res) => refuseAnthropic(res, 403, 'permission_error'),
      [422, 'key_refused', 'anthropic answered 403.'],
    ],
    [
      'while the provider is overloaded',
      (res) => refuseAnthropic(res, 529, 'overloaded_error'),
      [502, 'key_not_checked', 'anthropic answered 529.'],
    ],
    ['while nobody answers', (res) => void res.destroy(), [502, 'key_not_checked', 'anthropic could not be reached.']],
    [
      'while the provider is silent',
      () => undefined,
      [502, 'key_not_checked', 'anthropic did not answer within 0.3 s.'],
    ],
    [
      'that would be carried elsewhere',
      (res) => void res.writeHead(307, { location: '/elsewhere' }).end(),
      [502, 'key_not_checked', 'anthropic could not be reached.'],
    ],
  ];
  for (const [name, speak, expected] of REFUSALS) {
    it(`are not replaced by one ${name}`, async () => {
      await start();
      await put({ key: OWN });
      model.speak = speak;
      expect(problem(await put({ key: NEXT }))).to.deep.equal(expected);
      model.speak = takeAll;
      expect(await usedKey()).to.equal(OWN);
    });
  }

  it('are taken without a check where that is asked for', async () => {
    await start();
    model.speak = (res) => void res.destroy();
    expect((await put({ key: OWN, check: false })).status).to.equal(200);
    expect((await list()).keys[0]).to.deep.include({ last_four: '9876', state: 'not_checked' });
    expect(model.calls).to.deep.equal([]);
    model.speak = (res) => refuseAnthropic(res, 401, 'authentication_error');
    await usedKey();
    expect((await list()).keys[0]).to.deep.include({ state: 'refused' });
    model.speak = takeAll;
    await usedKey();
    expect((await list()).keys[0]).to.deep.include({ state: 'works' });
  });

  for (const [name, body, field] of [
    ['nothing', {}, 'key'],
    ['one that is too short', { key: 'planted' }, 'key'],
    ['one with a line break in it', { key: 'sk-planted-\n-0123456789' }, 'key'],
    ['one that is too long', { key: `sk-planted${'x'.repeat(600)}` }, 'key'],
    ['what it does not know', { key: OWN, planted: 1 }, 'body'],
  ] as const) {
    it(`refuse ${name}, and do not repeat it`, async () => {
      await start();
      const answer = await put(body);
      expect(answer.status).to.equal(400);
      const { errors } = answer.json as { errors: { field: string }[] };
      expect(errors.map((fault) => fault.field)).to.deep.equal([field]);
      expect(answer.text).not.to.include('sk-planted');
    });
  }

  it('are for providers that there are', async () => {
    await start();
    expect(problem(await put({ key: OWN }, 'nobody'))).to.deep.equal([
      404,
      'key_unknown',
      "There is no provider 'nobody' here.",
    ]);
    expect(problem(await put({ key: OWN }, '__proto__'))).to.deep.include('key_unknown');
    expect(problem(await remove('__proto__'))).to.deep.include('key_unknown');
  });

  it('are not taken when they cannot be kept', async () => {
    await start();
    await mkdir(join(stateDir, 'model-keys.json.new'));
    expect(problem(await put({ key: OWN }))).to.deep.equal([500, 'key_not_kept', undefined]);
    expect(await usedKey()).to.equal(TEST_API_KEY);
  });

  it('that cannot be read do not keep the box from answering', async () => {
    await writeFile(join(stateDir, 'model-keys.json'), `{"anthropic":{"key":"${OWN}"`);
    await start();
    expect(conductor.logs.map(({ msg }) => msg)).to.include('the keys of the models');
    expect(await usedKey()).to.equal(TEST_API_KEY);
  });

  it('are all kept when they are set at once', async () => {
    await start();
    await Promise.all([put({ key: OWN, check: false }), put({ key: NEXT, check: false }, 'openai')]);
    const kept = JSON.parse(await readFile(join(stateDir, 'model-keys.json'), 'utf8')) as object;
    expect(Object.keys(kept).toSorted()).to.deep.equal(['anthropic', 'openai']);
  });

  describe('with systemd', () => {
    let server: Server | undefined;
    let received: string[];
    let credentials: string;

    beforeEach(async () => {
      received = [];
      credentials = join(stateDir, 'credentials');
      await mkdir(credentials);
    });
    afterEach(() => new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve()))));

    /** What stands behind conductor-keys.socket: keeps what it is given where systemd would load it from. */
    async function startKeeper(answer = 'kept\n'): Promise<void> {
      const listening = createServer({ allowHalfOpen: true }, (line) => {
        void text(line).then(async (document) => {
          received.push(document);
          await writeFile(join(credentials, 'model-keys'), document);
          line.end(answer);
        });
      }).listen(join(stateDir, 'keys.sock'));
      server = listening;
      await once(listening, 'listening');
    }

    const keeper = () =>
      createCredentialKeeper({
        folder: credentials,
        socket: join(stateDir, 'keys.sock'),
        otherwise: createFileKeeper(stateDir),
      });

    it('are handed to root, all of them, and loaded at the next start', async () => {
      await startKeeper();
      await start({ keeper: keeper() });
      await put({ key: OWN });
      await put({ key: NEXT }, 'openai');
      expect(received.map((document) => Object.keys(JSON.parse(document) as object))).to.deep.equal([
        ['anthropic'],
        ['anthropic', 'openai'],
      ]);
      expect(await readdir(stateDir)).not.to.include('model-keys.json');
      await conductor.close();
      await start({ keeper: keeper() });
      expect(await usedKey()).to.equal(OWN);
    });

    it('are not taken when root does not keep them', async () => {
      await startKeeper('');
      await start({ keeper: keeper() });
      expect(problem(await put({ key: OWN }))).to.deep.equal([500, 'key_not_kept', undefined]);
      expect(await usedKey()).to.equal(TEST_API_KEY);
    });

    it('are in a file of the conductor where the box has no such socket', async () => {
      await start({ keeper: keeper() });
      await put({ key: OWN });
      expect(await readdir(stateDir)).to.include('model-keys.json');
      await conductor.close();
      await start({ keeper: keeper() });
      expect(await usedKey()).to.equal(OWN);
    });

    it('that were in such a file are not there any more once root keeps them', async () => {
      await createFileKeeper(stateDir).save({ anthropic: { key: OWN, set_at: new Date().toISOString() } });
      await start({ keeper: keeper() });
      expect(await usedKey()).to.equal(OWN);
      await startKeeper();
      await put({ key: NEXT });
      expect(await readdir(stateDir)).not.to.include('model-keys.json');
      expect(await usedKey()).to.equal(NEXT);
    });
  });
});
