import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { expect } from 'chai';
import { startConductor, type TestConductor } from '../conductor/testing/start-conductor.ts';
import { startModelServer, type TestModelServer } from '../conductor/testing/model-server.ts';
import {
  startControlPlane as startKeyServer,
  type TestControlPlane as KeyServer,
} from '../conductor/testing/control-plane.ts';
import { signToken } from '../conductor/testing/tokens.ts';
import { buildConductorDocument } from '../contract/openapi-conductor.ts';
import { createApp } from '../control-plane/app.ts';
import { hashToken } from '../control-plane/cipher.ts';
import { openBootToken } from '../control-plane/commands/open-boot-token.ts';
import { serve, type Listening } from '../control-plane/serve.ts';
import { createBoxWorld, type BoxWorld } from '../control-plane/testing/box-world.ts';
import { METRICS_TOKEN } from '../control-plane/testing/people.ts';
import { closeServer, listenOnFreePort } from './harness/listen.ts';
import { fuzz, SCHEMATHESIS_VARIABLE, type FuzzOptions } from './harness/schemathesis.ts';

/** The same requests every time, unless it is set. */
const SEED = Number(process.env['SPOQ_TEST_SEED'] ?? 1);
const OUR_PAGE = { 'Sec-Fetch-Site': 'same-origin' };
/** This box has no place for files and none for runs, and says so: 503, as documented. */
const PLACELESS = Object.fromEntries(
  ['', '/{name}/changes', '/{name}/scan', '/{name}/fetch', '/{name}/snapshot']
    .map((path) => `/api/workspaces${path}`)
    .concat('/api/run', '/api/exec')
    .map((path) => [path, ['not_a_server_error']]),
);
/** Holds where every method of a path is documented beside it. */
const METHODS = ['unsupported_method', 'allow_header_conformance'];

describe(`whatever the API allows (SPOQ_TEST_SEED=${SEED})`, function () {
  this.timeout(200_000);
  const program = process.env[SCHEMATHESIS_VARIABLE] ?? '';
  let world: BoxWorld;

  before(async function () {
    if (program === '') this.skip();
    world = await createBoxWorld({ METRICS_TOKEN });
  });
  after(() => world?.close());

  /** Fails with the tool's report, which tells how to repeat each request. */
  async function expectConformance(
    path: string,
    options: Omit<FuzzOptions, 'program' | 'seed' | 'document'>,
  ): Promise<void> {
    const document = (await (await fetch(`${world.cp.url}${path}`)).json()) as { paths: Record<string, object> };
    dropFrames(document.paths);
    const exceptions = { ...listStreams(document.paths), ...options.exceptions };
    const { ok, report, operations, cases } = await fuzz({ ...options, exceptions, program, document, seed: SEED });
    if (!ok) throw new Error(report);
    const all = Object.values(document.paths).flatMap((methods) => Object.keys(methods)).length;
    expect(operations).to.equal(options.only === undefined ? all : 1);
    expect(cases).to.be.greaterThan(3 * operations);
  }

  it('is noticed to be answered otherwise', async () => {
    const server = createHttpServer((_req, res) => res.writeHead(500, { 'content-type': 'text/plain' }).end('broken'));
    const { url } = await listenOnFreePort(server);
    const document = buildConductorDocument(url, '0.0.0');
    const { ok, report } = await fuzz({ program, url, document, seed: SEED, only: 'showHealth' });
    await closeServer(server);
    expect(ok).to.equal(false);
    for (const fault of ['Server error', 'Undocumented status code']) expect(report).to.include(fault);
  });

  describe('of the control plane', () => {
    let userId: string;
    let cookie: string;
    let bootToken: string;
    let listening: Listening;
    /** Signs the owner in again before each request. */
    let renews: boolean;

    before(async () => {
      const { deps } = world.cp;
      await world.work(); // what is asked for is done, and streams come to their end
      const { browser, userId: id } = await world.becomeReady('owner');
      await browser.post('/api/vps/provision', { region: 'EU' });
      const box = await world.waitForBox(id, ({ status }) => status === 'ready');
      bootToken = await openBootToken(deps, { id: String(box['id']), fence: String(box['fence']) });
      cookie = browser.cookies.get('spoq_session') ?? '';
      userId = id;
      const answer = createApp(deps).callback();
      listening = await serve((req, res) => void renew().then(() => answer(req, res)), { host: '127.0.0.1', port: 0 });
    });
    after(() => listening.close());

    /** Nobody has knocked yet, and no sign-out lasts: else the first that works would be the last that is heard. */
    async function renew(): Promise<void> {
      const { db } = world.database;
      await db('rate_limits').delete();
      if (!renews) return;
      const expires_at = new Date(Date.now() + 3_600_000);
      const session = { id_hash: hashToken(cookie), user_id: userId, data: '{}', expires_at };
      await db('sessions').insert(session).onConflict('id_hash').ignore();
    }

    it('answers a stranger as documented', async () => {
      renews = false;
      await expectConformance('/openapi.json', { url: listening.url, headers: OUR_PAGE });
    });

    it('answers an owner, a new machine and Prometheus as documented', async () => {
      renews = true;
      await expectConformance('/openapi.json', {
        url: listening.url,
        headers: { ...OUR_PAGE, Cookie: `spoq_session=${cookie}` },
        auth: { boot: { bearer: bootToken }, metrics: { bearer: METRICS_TOKEN } },
        checks: ['ignored_auth', ...METHODS],
        exceptions: {
          '/metrics': ['ignored_auth'], // who has no token sees nothing: 404
          // POST /account/{operation} is there too, and answers that there is no such operation.
          '/account/billing': METHODS,
          '/account/activity': METHODS,
          '/account/activity.jsonl': METHODS,
          '/account/progress': METHODS,
        },
      });
      expect(await world.database.db('vps_events').where('step', 'ready').first()).to.not.equal(undefined);
    });

    it('streams to an owner as documented', async () => {
      renews = true;
      const headers = { ...OUR_PAGE, Cookie: `spoq_session=${cookie}`, Accept: 'text/event-stream' };
      await expectConformance('/openapi.json', { url: listening.url, headers, only: 'showBox' });
    });

    afterEach(() => {
      const bugs = world.cp.logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 50);
      expect(bugs).to.deep.equal([]);
    });
  });

  describe('of a box', () => {
    let plane: KeyServer;
    let model: TestModelServer;
    let conductor: TestConductor;

    before(async () => {
      plane = await startKeyServer();
      model = await startModelServer();
      conductor = await startConductor({ plane, model: { baseUrl: model.url } });
    });
    after(async () => {
      await conductor?.close();
      await Promise.all([plane?.close(), model?.close()]);
    });
    afterEach(() => expect(conductor.logs.filter(({ level }) => Number(level) >= 50)).to.deep.equal([]));

    it('answers who has a token as documented', async () => {
      const { socketPath } = conductor.remote;
      // Schemathesis knows no Unix sockets.
      const front = createServer((from) => {
        const to = connect(socketPath);
        from.pipe(to).pipe(from);
        from.on('error', () => to.destroy());
        to.on('error', () => from.destroy());
      });
      const { url } = await listenOnFreePort(front);
      const auth = { token: { bearer: await signToken(plane.key) } };
      await expectConformance('/openapi-conductor.json', {
        url,
        auth,
        checks: ['ignored_auth', ...METHODS],
        // Who brings no token isn't told either what may be asked.
        exceptions: { ...PLACELESS, '/health': ['unsupported_method'] },
      }).finally(() => front.close());
      expect(model.calls).to.not.deep.equal([]);
    });

    it('answers programs of the box itself as documented', async () => {
      const url = `http://127.0.0.1:${conductor.local.port}`;
      await expectConformance('/openapi-conductor.json', { url, checks: METHODS, exceptions: PLACELESS, brief: true });
    });
  });
});

/** Of streams of events, each event would be held against what is told of the whole. */
function listStreams(paths: Record<string, object>): Record<string, string[]> {
  const streams = Object.entries(paths).filter(([, methods]) =>
    JSON.stringify(methods).includes('"text/event-stream"'),
  );
  return Object.fromEntries(streams.map(([path]) => [path, ['response_schema_conformance']]));
}

/** What takes frames of our own can't be made up: conformance of those is in conductor/files and test/sync. */
function dropFrames(paths: Record<string, object>): void {
  for (const [path, methods] of Object.entries(paths))
    if (JSON.stringify(methods).includes('requestBody":{"required":true,"content":{"application/vnd.spoq.frames"'))
      delete paths[path];
}
