import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Secret, listSecrets } from './config.ts';
import { createBoxWorld, GOOD_PASSWORD, type BoxWorld } from './testing/box-world.ts';
import { Device } from './testing/device.ts';
import { createPerson, ROLES } from './testing/people.ts';
import { ROLE_TABLE } from './testing/role-table.ts';

const canary = (name: string) => `canary-${name}-${randomBytes(8).toString('hex')}`;

/** A value of their own for all variables of type Secret whose value the world doesn't decide. */
const PLANTED = Object.fromEntries(
  [
    'METRICS_TOKEN',
    'CONTABO_CLIENT_SECRET',
    'CONTABO_API_PASSWORD',
    'HOSTINGER_API_KEY',
    'CLOUDFLARE_API_TOKEN',
    'ANTHROPIC_API_KEY',
    'OPENAI_API_KEY',
    'PULUMI_CONFIG_PASSPHRASE',
  ].map((name) => [name, canary(name)]),
);

describe('secrets', function () {
  this.timeout(120_000);
  let world: BoxWorld;
  /** To the name of each; none may appear anywhere. */
  const secrets = new Map<string, string>();
  const failures: string[] = [];

  before(async () => {
    world = await createBoxWorld({
      ...PLANTED,
      PULUMI_BACKEND_URL: `postgres://engine:${canary('backend')}@127.0.0.1:9/engine`,
    });
  });
  after(() => world.close());

  /** Sends it, and keeps what failed to say. */
  async function send(method: string, path: string, headers: Record<string, string>, form?: Record<string, string>) {
    const answer = await fetch(`${world.cp.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { 'sec-fetch-site': 'same-origin', ...headers },
      body: form === undefined ? null : new URLSearchParams(form),
    });
    const text = `${JSON.stringify([...answer.headers])}\n${await answer.text()}`;
    if (answer.status >= 400) failures.push(`${method} ${path.split('?', 1)[0]} ${answer.status}\n${text}`);
    return answer;
  }

  function plant(name: string, value = canary(name)): string {
    secrets.set(value, name);
    return value;
  }

  it('of the configuration are all of type Secret, each with a value to look for', () => {
    const { config } = world.cp.deps;
    const named = Object.keys(config).filter((name) =>
      /KEY|SECRET|TOKEN|PASSWORD|PASSPHRASE|DATABASE_URL|BACKEND/.test(name),
    );
    const open = ['RELEASES_PUBLIC_KEY', 'JWT_ACCESS_TOKEN_EXPIRY_SECS', 'JWT_REFRESH_TOKEN_EXPIRY_DAYS'];
    const untyped = named.filter(
      (name) => !open.includes(name) && !(config[name as keyof typeof config] instanceof Secret),
    );
    expect(untyped).to.deep.equal([]);
    for (const [name, value] of Object.entries(config)) if (value instanceof Secret) plant(name, value.reveal());
    for (const [index, value] of listSecrets(config).entries()) plant(`part ${index} of the configuration`, value);
    expect([...secrets.keys()].filter((value) => value.length < 12)).to.deep.equal([]);
  });

  it('of requests go through every route, in every place that could hold one', async () => {
    const { db } = world.database;
    for (const role of ROLES)
      for (const { route, path, form } of ROLE_TABLE) {
        await db.raw('TRUNCATE rate_limits');
        const person = await createPerson(world.cp, role);
        if (person.refreshToken !== 'spoq_unknown') plant(`refresh token of ${role}`, person.refreshToken);
        const cookie = person.headers['cookie']?.split('=')[1];
        if (cookie !== undefined) plant(`cookie of ${role} at ${route}`, cookie);
        const [method = '', pattern = ''] = route.split(' ');
        const address = path ?? pattern.replaceAll(/:\w+/g, 'nothing');
        const query = ['code', 'state', 'session_id', 'access_token']
          .map((name) => `${name}=${plant(`?${name}`)}`)
          .join('&');
        const headers = { ...person.headers, accept: 'application/json', 'stripe-signature': plant('signature') };
        const right = method === 'GET' ? undefined : await form?.(person, world.cp);
        await send(
          method,
          method === 'GET' && !address.endsWith('verify') ? `${address}?${query}` : address,
          headers,
          right,
        );
        if (method === 'GET') continue;
        // What a program calls itself is shown to its owner, and kept in the audit log.
        const own = route === 'POST /auth/cli' ? [] : ['hostname'];
        const fields = ['password', 'device_code', 'refresh_token', 'token', 'code', 'client_secret', ...own];
        const wrong = Object.fromEntries(fields.map((name) => [name, plant(`field ${name}`)]));
        const bearer = { authorization: `Bearer ${plant('bearer')}`, cookie: `spoq_session=${plant('wrong cookie')}` };
        await send(method, address, { ...headers, ...bearer }, { ...right, ...wrong });
        await send(method, address, headers, { ...right, ...wrong });
      }
  });

  it('of a person go the whole way: password, code, tokens, boot token', async () => {
    const { browser, userId } = await world.becomeReady('canary');
    plant('password', GOOD_PASSWORD);
    plant('cookie of the browser', browser.cookies.get('spoq_session'));
    world.engine.script.up = [
      async (spec) => {
        if (spec.report !== undefined) plant('boot token', spec.report.token);
        plant('crypt hash', spec.password_crypt);
        // Vendors repeat what they were sent.
        throw new Error(`Contabo refused ${JSON.stringify(PLANTED)} of ${spec.hostname}`);
      },
    ];
    await world.work();
    await browser.postJson('/api/vps/provision', { region: 'EU' });
    await waitForLog('Contabo refused');
    await world.stopWorkers();
    await world.database.db('user_vps').where('user_id', userId).update({ status: 'ready' });
    const device = new Device(world.cp.url);
    const begun = await device.begin('canary-laptop');
    plant('device code', begun.device_code);
    plant('word code', begun.user_code);
    await browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
    const { body: tokens } = await device.poll(begun.device_code);
    plant('access token', tokens.access_token);
    plant('refresh token', tokens.refresh_token);
    plant('next refresh token', (await device.refresh(tokens.refresh_token)).body.refresh_token);
    await send('GET', '/auth/github/callback?code=x&state=y', {});
  });

  it('stay in nothing when the database breaks in the middle', async () => {
    const { db } = world.database;
    const owner = await createPerson(world.cp, 'owner');
    for (const table of ['sessions', 'refresh_tokens', 'device_grants', 'user_vps', 'ssh_passwords']) {
      await db.raw('ALTER TABLE ?? RENAME TO away', [table]);
      for (const { route, path, form } of ROLE_TABLE) {
        const [method = '', pattern = ''] = route.split(' ');
        const right = method === 'GET' ? undefined : await Promise.resolve(form?.(owner, world.cp)).catch(() => ({}));
        await send(method, path ?? pattern, { ...owner.headers, accept: 'application/json' }, right).catch(() => {});
      }
      await db.raw('ALTER TABLE away RENAME TO ??', [table]);
    }
    expect(failures.some((failure) => failure.includes('"status":500'))).to.equal(true);
  });

  it('stand in no log line, no error answer, no event of a box and no line of the audit log', async () => {
    const { db } = world.database;
    const places = {
      log: world.cp.logs.join('\n'),
      'error answers': failures.join('\n'),
      vps_events: JSON.stringify(await db('vps_events').select()),
      audit_log: JSON.stringify(await db('audit_log').select()),
      boxes: JSON.stringify(await db('user_vps').select('failure', 'operation_failure')),
    };
    expect(Object.entries(places).filter(([, text]) => text.length < 50)).to.deep.equal([]);
    expect(places.log).to.include('[redacted]');
    const found = Object.entries(places).flatMap(([place, text]) =>
      [...secrets].filter(([secret]) => text.includes(secret)).map(([, name]) => `${name} in ${place}`),
    );
    expect(found).to.deep.equal([]);
  });

  async function waitForLog(part: string): Promise<void> {
    while (!world.cp.logs.some((line) => line.includes(part))) await wait(20);
  }
});
