import { expect } from 'chai';
import { BOOT_REPORTS_PATH } from '../contract/boot.ts';
import { createRouters } from './app.ts';
import { openBootToken } from './commands/open-boot-token.ts';
import { createBoxWorld, type BoxWorld } from './testing/box-world.ts';
import { createPerson, type Person } from './testing/people.ts';
import { ROLE_TABLE, type RoleRow } from './testing/role-table.ts';

const KILO = 1024;
type Body = string | Buffer<ArrayBuffer> | FormData;
const JSON_TYPE = 'application/json';
const ACCEPT = { accept: JSON_TYPE };
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** What a body can be besides right. `what` is what the route takes, as JSON; `field` one of its fields. */
const BAD_BODIES: Record<string, { body: (what: object, field: string) => Body; type?: string; status: number }> = {
  'a list': { body: (what) => JSON.stringify([what]), status: 400 },
  text: { body: () => '"text"', status: 400 },
  null: { body: () => 'null', status: 400 },
  'half of JSON': { body: (what) => JSON.stringify(what).slice(0, -1), status: 400 },
  ['__proto__']: { body: (what) => `{"__proto__": {"isAdmin": true}, ${JSON.stringify(what).slice(1)}`, status: 400 },
  'depth 10,000': { body: (_what, field) => `{"${field}": ${'['.repeat(8_000)}${']'.repeat(8_000)}}`, status: 400 },
  'depth 10,000 of objects': { body: () => '{"a":'.repeat(3_000), status: 400 },
  NUL: { body: (what, field) => JSON.stringify({ ...what, [field]: 'a\0b' }), status: 400 },
  'NUL as a name': { body: (what) => JSON.stringify({ ...what, 'a\0b': 1 }), status: 400 },
  'NUL in a form': { body: (_what, field) => `${field}=a%00b`, type: FORM_TYPE, status: 400 },
  'invalid UTF-8': { body: (_what, field) => Buffer.from(`{"${field}": "\xff"}`, 'latin1'), status: 400 },
  'invalid UTF-8 in a form': { body: (_what, field) => `${field}=%ff`, type: FORM_TYPE, status: 400 },
  'half a percent in a form': { body: (_what, field) => `${field}=%`, type: FORM_TYPE, status: 400 },
  'a field twice in a form': { body: (_what, field) => `${field}=a&${field}=b`, type: FORM_TYPE, status: 400 },
  '1 MiB + 1': { body: () => `{"a": "${'x'.repeat(KILO * KILO - 8)}"}`, status: 413 },
  '16 kB + 1': { body: (what) => JSON.stringify(what).padEnd(16 * KILO + 1), status: 413 },
  'text/plain': { body: () => 'x', type: 'text/plain', status: 415 },
  'multipart/form-data': { body: () => new FormData(), type: 'multipart/form-data; boundary=x', status: 415 },
  'application/xml': { body: () => '<a/>', type: 'application/xml', status: 415 },
};

/** What can be read, and is not what a route takes. */
const BAD_VALUES: Record<string, (what: object, field: string) => object> = {
  'a number for a text': (what, field) => ({ ...what, [field]: 1 }),
  'a list for a text': (what, field) => ({ ...what, [field]: ['a'] }),
  'null for a text': (what, field) => ({ ...what, [field]: null }),
  'a text of 10 kB': (what, field) => ({ ...what, [field]: 'x'.repeat(10_000) }),
  'an extra key': (what) => ({ ...what, is_admin: true }),
};

describe('bad requests', function () {
  this.timeout(120_000);
  let world: BoxWorld;
  let open: string[];
  let logins = 0;
  before(async () => {
    world = await createBoxWorld();
    open = createRouters(world.cp.deps).open.flatMap(({ stack }) => stack.map(({ path }) => `POST ${String(path)}`));
  });
  beforeEach(async () => {
    await world.database.db.raw('TRUNCATE rate_limits');
    world.cp.logs.length = 0;
  });
  after(() => world.close());

  function post(request: RoleRow, person: Person, body: Body, headers: Record<string, string>): Promise<Response> {
    const path = request.path ?? request.route.split(' ')[1] ?? '';
    const sent = { accept: 'application/json', 'sec-fetch-site': 'same-origin', ...person.headers, ...headers };
    return fetch(`${world.cp.url}${path}`, { method: 'POST', body, headers: sent, redirect: 'manual' });
  }

  describe('All JSON routes', () => {
    const routes = ROLE_TABLE.filter(({ form }) => form !== undefined);
    // Machines report what their programs say, whatever that is; it is cleaned before it is kept.
    const takesAnyText = (route: string, fault: string) => route.includes('/boot/') && fault.endsWith('in a form');
    for (const [fault, { body, type = JSON_TYPE, status }] of Object.entries(BAD_BODIES))
      it(`${fault}: ${status}`, async () => {
        for (const request of routes.filter(({ route }) => !takesAnyText(route, fault))) {
          await world.database.db.raw('TRUNCATE rate_limits');
          const person = await createPerson(world.cp, 'owner');
          const what = (await request.form?.(person, world.cp)) ?? {};
          const field = Object.keys(what).at(-1) ?? '';
          const answer = await post(request, person, body(what, field), { 'content-type': type });
          // OAuth endpoints have errors of their own, and 400 for all of these (RFC 6749 §5.2).
          const isOAuth = open.includes(request.route) && request.route.includes('/auth/');
          await expectRefusal(answer, isOAuth ? 400 : status, isOAuth, request.route);
        }
        expectQuiet();
      });

    // These two look at who asks before they look at what: the right ones ask below.
    const looksLater = (route: string) => route === 'POST /setup/password' || route === 'POST /api/boot/reports';
    for (const [fault, change] of Object.entries(BAD_VALUES))
      it(`${fault}: 400`, async () => {
        for (const request of routes.filter(({ route }) => !looksLater(route))) {
          const isOAuth = open.includes(request.route);
          // RFC 6749 §3.2, and RFC 7009 §2.2: what is unknown is ignored, and a token that is none is revoked already.
          if (isOAuth && (fault === 'an extra key' || fault.startsWith('a text'))) continue;
          const person = await createPerson(world.cp, 'owner');
          const what = (await request.form?.(person, world.cp)) ?? {};
          const body = JSON.stringify(change(what, Object.keys(what).at(-1) ?? ''));
          const answer = await post(request, person, body, { 'content-type': JSON_TYPE });
          await expectRefusal(answer, 400, isOAuth, request.route);
        }
        expectQuiet();
      });

    for (const [fault, change] of Object.entries(BAD_VALUES))
      it(`${fault}, from who may set a password or report: 400`, async () => {
        const { browser, userId } = await world.becomeReady(`who-may-${(logins += 1)}`);
        const weak = await browser.postJson('/setup/password', change({ password: 'x' }, 'password'), ACCEPT);
        expect(weak.status, weak.text).to.equal(400);
        const { id } = await world.cp.createBox(userId, 'provisioning');
        const token = await openBootToken(world.cp.deps, { id, fence: '0' });
        const report = await fetch(`${world.cp.url}${BOOT_REPORTS_PATH}`, {
          method: 'POST',
          headers: { ...ACCEPT, authorization: `Bearer ${token}`, 'content-type': JSON_TYPE },
          body: JSON.stringify(change({ step: 'sshd', state: 'done' }, 'state')),
        });
        await expectRefusal(report, 400, false, BOOT_REPORTS_PATH);
        expectQuiet();
      });

    it('an extra key at an OAuth endpoint: ignored', async () => {
      const body = new URLSearchParams({ client_id: 'spoq-cli', is_admin: 'true' });
      expect((await fetch(`${world.cp.url}/auth/device`, { method: 'POST', body })).status).to.equal(200);
    });

    it('a content encoding: 415, and no bomb is unpacked', async () => {
      const [request] = routes.filter(({ route }) => route === 'POST /api/vps/provision');
      if (request === undefined) throw new Error('the route has gone');
      const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' };
      const answer = await post(request, await createPerson(world.cp, 'owner'), '{}', headers);
      await expectRefusal(answer, 415, false, request.route);
    });
  });

  describe('Open redirect', () => {
    const TARGETS = [
      '//e.com',
      '/\\e.com',
      'https:e.com',
      'https://e.com',
      '%09//e.com',
      '\t//e.com',
      '/\t/e.com',
      '\\\\e.com',
    ];
    const MORE = [
      '/%0d%0aSet-Cookie:a=b',
      'javascript:alert(1)',
      '///e.com',
      '/..//e.com',
      '@e.com',
      '.e.com',
      '//e.com/..',
    ];
    for (const target of [...TARGETS, ...MORE])
      it(JSON.stringify(target), async () => {
        const ask = (path: string) => fetch(`${world.cp.url}${path}`, { redirect: 'manual' });
        for (const given of [target, encodeURIComponent(target)]) {
          const answer = await ask(`/auth/github?return_to=${given}`);
          if (answer.status === 400) continue;
          // Whatever else is taken is a path of ours, wherever a browser makes it lead.
          const { origin } = new URL(answer.headers.get('location') ?? '');
          expect([answer.status, origin]).to.deep.equal([302, world.github.url]);
          const session = await world.database.db('sessions').orderBy('created_at', 'desc').first('data');
          const returnTo = String(session?.data.sign_ins.at(-1).return_to);
          expect(new URL(returnTo, world.cp.url).origin, returnTo).to.equal(world.cp.url);
        }
      });
  });

  describe('Text out', () => {
    const NASTY = ['%1b[2J', '%E2%80%AE', '%0d%0aX-Evil:%201', '%00', '%ff', '<script>', `${'%61'.repeat(3_000)}`];
    for (const text of NASTY)
      it(`${text.slice(0, 30)} in a path, a query, a cookie and headers`, async () => {
        const person = await createPerson(world.cp, 'owner');
        for (const { route, path } of ROLE_TABLE.filter((one) => one.route.startsWith('GET '))) {
          await world.database.db.raw('TRUNCATE rate_limits');
          const address = (path ?? route.split(' ')[1] ?? '').replaceAll(/:\w+/g, text);
          const query = ['code', 'session_id', 'time_zone', 'state', 'return_to', 'choose', 'after'];
          const search = query.map((name) => `${name}=${text}`).join('&');
          for (const cookie of [person.headers['cookie'] ?? '', `spoq_session=${text}`]) {
            const answer = await fetch(`${world.cp.url}${address}?${search}`, {
              redirect: 'manual',
              headers: { cookie, accept: 'text/html', 'x-request-id': text, 'user-agent': text, 'last-event-id': text },
            });
            const html = await answer.text();
            expect(answer.headers.get('x-evil')).to.equal(null);
            expect(html, route).to.not.include('<script>').and.not.include('\u202e').and.not.include('\u001b');
            if (route !== 'GET /install.sh') expect(answer.status, route).to.be.lessThan(500);
          }
        }
        expectQuiet();
      });
  });

  /** Nothing of it was a bug, and a terminal that shows the log stays as it is. */
  function expectQuiet(): void {
    for (const line of world.cp.logs) {
      expect(line).to.match(/^[\x20-\x7e]*\n$/);
      expect(Number((JSON.parse(line) as { level: unknown }).level), line).to.be.lessThan(50);
    }
  }
});

async function expectRefusal(answer: Response, status: number, isOAuth: boolean, route: string): Promise<void> {
  const text = await answer.text();
  expect([answer.status, route], text).to.deep.equal([status, route]);
  const body = JSON.parse(text) as Record<string, unknown>;
  expect(text).to.not.match(/node_modules|\.ts:|\bat \w+ \(|SyntaxError|ZodError/);
  if (isOAuth) {
    expect(Object.keys(body), route).to.deep.equal(['error', 'error_description']);
    return;
  }
  expect(answer.headers.get('content-type')).to.equal('application/problem+json');
  expect(Object.keys(body)).to.include.members(['type', 'title', 'status', 'code', 'instance', 'next_step']);
  expect(body['status']).to.equal(status);
}
