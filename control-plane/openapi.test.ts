import { rmSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import { buildConductorDocument } from '../contract/openapi-conductor.ts';
import { buildControlPlaneDocument } from '../contract/openapi-control-plane.ts';
import { createRouters } from './app.ts';
import { createBoxWorld, type BoxWorld } from './testing/box-world.ts';
import { Browser } from './testing/browser.ts';
import { createConformance, listOperations, type DocumentedOperation } from './testing/conformance.ts';
import { ACCOUNT_CALLS } from './testing/openapi-account-calls.ts';
import { BILLING_CALLS } from './testing/openapi-billing-calls.ts';
import { BOX_CALLS } from './testing/openapi-box-calls.ts';
import { IDENTITY_CALLS } from './testing/openapi-identity-calls.ts';
import { RELEASE_CALLS } from './testing/openapi-release-calls.ts';
import { SERVICE_CALLS } from './testing/openapi-service-calls.ts';
import { OWN_PAGE, type Calls, type CallContext, type Send } from './testing/openapi-calls.ts';
import { makeReleases } from './testing/releases.ts';

const DOCUMENT = buildControlPlaneDocument('http://127.0.0.1', '0.0.0');
const CALLS: Calls = {
  ...IDENTITY_CALLS,
  ...BOX_CALLS,
  ...BILLING_CALLS,
  ...ACCOUNT_CALLS,
  ...RELEASE_CALLS,
  ...SERVICE_CALLS,
};

describe('OpenAPI', () => {
  let world: BoxWorld;
  let releases: string;
  let context: CallContext;
  const conformance = createConformance(DOCUMENT);

  before(async function () {
    this.timeout(60_000);
    releases = await makeReleases();
    world = await createBoxWorld({ METRICS_TOKEN: 'metrics-token', RELEASES_DIR: releases });
    const browser = await world.cp.signIn();
    const { id: userId } = await world.database.db('users').first('id');
    context = { world, database: world.database, github: world.github, plane: world.cp, browser, userId };
  });
  beforeEach(async () => {
    await context.database.db.raw('TRUNCATE rate_limits, user_vps CASCADE');
    await context.plane.createBox(context.userId);
  });
  after(async () => {
    await world.close();
    rmSync(releases, { recursive: true });
  });

  for (const [name, document] of [
    ['the control plane', DOCUMENT],
    ['a box', buildConductorDocument('https://{hostname}', '0.0.0')],
  ] as const)
    it(`has a document of ${name} that is valid OpenAPI 3.1`, async () => {
      const validator = new Validator();
      expect(await validator.validate(structuredClone(document))).to.deep.equal({ valid: true });
      expect(validator.version).to.equal('3.1');
      validator.resolveRefs();
      const ids = listOperations(document).map((operation) => operation.operationId);
      expect(new Set(ids).size).to.equal(ids.length);
      const broken = { ...structuredClone(document), paths: { '/x': { get: { responses: 1 } } } };
      expect((await new Validator().validate(broken)).valid).to.equal(false);
    });

  it('documents exactly the routes that are mounted', () => {
    const { open, withSession } = createRouters(world.cp.deps);
    const mounted = [...open, ...withSession].flatMap((router) =>
      router.stack.flatMap((layer) =>
        layer.methods
          .filter((method) => method !== 'HEAD')
          .map((method) => `${method} ${String(layer.path).replaceAll(/:(\w+)/g, '{$1}')}`),
      ),
    );
    const documented = listOperations(DOCUMENT).map(({ method, path }) => `${method} ${path}`);
    expect(documented.toSorted()).to.deep.equal(mounted.toSorted());
  });

  it('has the twelve endpoints that clients were promised', () => {
    const documented = listOperations(DOCUMENT).map(({ method, path }) => `${method} ${path}`);
    expect(documented).to.include.members([
      'GET /auth/github',
      'GET /auth/github/callback',
      'POST /auth/device',
      'GET /auth/verify',
      'POST /auth/authorize',
      'POST /auth/device/token',
      'POST /auth/refresh',
      'POST /auth/revoke',
      'POST /api/vps/provision',
      'GET /api/vps/status',
      'POST /api/subscription/create',
      'POST /api/subscription/webhook',
    ]);
  });

  it('notices an answer that is not as documented', async () => {
    const operation = listOperations(DOCUMENT).find(({ operationId }) => operationId === 'showHealth');
    const bad = [
      Response.json({ status: 'fine' }),
      new Response('ok', { headers: { 'content-type': 'text/plain' } }),
      Response.json({ title: 'No' }, { status: 500, headers: { 'content-type': 'application/problem+json' } }),
    ];
    for (const answer of bad)
      expect(await conformance.check(operation as DocumentedOperation, answer).catch(String)).to.match(/^Error: /);
  });

  for (const operation of listOperations(DOCUMENT))
    it(`tells what ${operation.method} ${operation.path} answers`, async () => {
      const seen = new Set<string>();
      const send: Send = async (init = {}) => {
        const path = init.path ?? operation.path;
        const cookie = [...(init.browser ?? new Browser(world.cp.url)).cookies]
          .map((pair) => pair.join('='))
          .join('; ');
        const response = await fetch(new URL(path, world.cp.url), {
          method: operation.method,
          redirect: 'manual',
          body: init.body,
          headers: { ...(cookie === '' ? {} : { cookie }), ...init.headers },
        });
        const copy = response.clone();
        await conformance.check(operation, response);
        seen.add(String(response.status));
        return copy;
      };
      const call = CALLS[operation.operationId];
      if (call === undefined) throw new Error(`Nothing calls ${operation.operationId}`);
      await call(send, context);
      const documented = Object.keys(operation.responses).filter((status) => status !== 'default');
      // Whatever else a route takes, its body has a limit.
      await context.database.db('rate_limits').delete();
      if (documented.includes('413') && !seen.has('413'))
        await send({ headers: { ...OWN_PAGE, 'content-type': 'application/json' }, body: ' '.repeat(17_000) });
      expect([...seen].filter((status) => documented.includes(status)).toSorted()).to.deep.equal(documented.toSorted());
    });
});
