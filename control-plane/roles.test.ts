import { expect } from 'chai';
import { createRouters } from './app.ts';
import { createBoxWorld, type BoxWorld } from './testing/box-world.ts';
import { createPerson, METRICS_TOKEN, ROLES, type Person, type Role } from './testing/people.ts';
import { ROLE_TABLE, row, type RoleRow } from './testing/role-table.ts';

const TABLE = 'control-plane/testing/role-table.ts';
const FROM_OUR_PAGE = { 'sec-fetch-site': 'same-origin' };
/** A box under our domain is same-site, and its owner serves what they like from it. */
const FROM_ELSEWHERE: Record<string, string>[] = [
  {},
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'none' },
  { origin: 'null' },
  { origin: 'http://alice.localhost' },
  { 'sec-fetch-site': 'same-origin', origin: 'http://alice.localhost' },
];

describe('every route and every role', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  let mounted: { open: string[]; withSession: string[] };

  before(async () => {
    world = await createBoxWorld({ METRICS_TOKEN, RELEASES_DIR: 'no-release-here' });
    const { open, withSession } = createRouters(world.cp.deps);
    mounted = { open: listRoutes(open), withSession: listRoutes(withSession) };
  });
  beforeEach(() => world.database.db.raw('TRUNCATE rate_limits'));
  after(() => world.close());

  async function send(request: RoleRow, person: Person, headers: Record<string, string>): Promise<Response> {
    const [method = '', pattern = ''] = request.route.split(' ');
    const path = request.path ?? pattern.replaceAll(/:\w+/g, 'nothing');
    const body = method === 'GET' ? null : new URLSearchParams((await request.form?.(person, world.cp)) ?? {});
    const sent = { accept: 'application/json', ...person.headers, ...headers };
    return fetch(`${world.cp.url}${path}`, { method, body, headers: sent, redirect: 'manual' });
  }

  async function askAsEverybody(request: RoleRow): Promise<{ statuses: Record<Role, number>; leaks: Role[] }> {
    const secretive = await createPerson(world.cp, 'owner');
    const statuses = {} as Record<Role, number>;
    const leaks: Role[] = [];
    for (const role of ROLES) {
      const answer = await send(request, await createPerson(world.cp, role), FROM_OUR_PAGE);
      const text = `${JSON.stringify([...answer.headers])} ${await answer.text()}`;
      statuses[role] = answer.status;
      if ([secretive.hostname, secretive.userId].some((secret) => text.includes(secret))) leaks.push(role);
    }
    return { statuses, leaks };
  }

  it('stand in the table', async () => {
    const known = new Set(ROLE_TABLE.map(({ route }) => route));
    const missing = [...mounted.open, ...mounted.withSession].filter((route) => !known.has(route));
    const lines: string[] = [];
    for (const route of missing) {
      const { statuses } = await askAsEverybody(row(route, ''));
      lines.push(`  row('${route}', '${ROLES.map((role) => statuses[role]).join(' ')}'),`);
    }
    if (lines.length > 0)
      expect.fail(`Add to ${TABLE}, once you have checked each status (${ROLES.join(', ')}):\n${lines.join('\n')}`);
  });

  it('are there, one row for each', () => {
    const routes = ROLE_TABLE.map(({ route }) => route);
    const there = new Set([...mounted.open, ...mounted.withSession]);
    const stale = routes.filter((route, index) => !there.has(route) || routes.indexOf(route) !== index);
    expect(stale, `take these rows out of ${TABLE}`).to.deep.equal([]);
  });

  for (const request of ROLE_TABLE)
    it(request.route, async () => {
      const { statuses, leaks } = await askAsEverybody(request);
      expect(statuses).to.deep.equal(request.expected);
      expect(leaks, "who was shown another person's name or id").to.deep.equal([]);
    });

  describe('CSRF, framing', () => {
    for (const request of ROLE_TABLE.filter(({ route }) => route.startsWith('POST ')))
      it(`${request.route} from another site`, async () => {
        const person = await createPerson(world.cp, 'owner');
        if (mounted.open.includes(request.route)) {
          // It reads no cookie, so that another site gains nothing by having it sent.
          const asks = [person.headers, {}].map((headers) => send(request, { ...person, headers }, {}));
          const [withCookie, without] = await Promise.all(asks);
          expect(withCookie?.status).to.equal(without?.status);
          return;
        }
        const before = await readState(person);
        for (const headers of FROM_ELSEWHERE) {
          const answer = await send(request, person, headers);
          const { code } = (await answer.json()) as { code: string };
          expect({ headers, status: answer.status, code }).to.deep.equal({ headers, status: 403, code: 'cross_site' });
        }
        expect(await readState(person)).to.deep.equal(before);
      });

    for (const request of ROLE_TABLE.filter(({ route }) => route.startsWith('POST ')))
      it(`${request.route} is no GET`, async () => {
        const [, pattern = ''] = request.route.split(' ');
        if (ROLE_TABLE.some(({ route }) => route === `GET ${pattern}`)) return;
        const person = await createPerson(world.cp, 'owner');
        const query = new URLSearchParams((await request.form?.(person, world.cp)) ?? {});
        const before = await readState(person);
        const answer = await fetch(`${world.cp.url}${pattern}?${query}`, {
          headers: person.headers,
          redirect: 'manual',
        });
        expect(answer.status).to.equal(405);
        expect(await readState(person)).to.deep.equal(before);
      });
  });

  /** What a forged request would have changed. */
  async function readState({ userId }: Person): Promise<unknown> {
    const { db } = world.database;
    const of = (table: string) => db(table).where('user_id', userId);
    return {
      box: await of('user_vps').select('operation', 'operation_number', 'status'),
      sessions: await of('sessions').count(),
      passwords: await of('ssh_passwords').count(),
      approved: await of('device_grants').count(),
    };
  }
});

function listRoutes(routers: ReturnType<typeof createRouters>['open']): string[] {
  return routers.flatMap((router) =>
    router.stack.flatMap(({ methods, path }) =>
      methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
    ),
  );
}
