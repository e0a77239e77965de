import type { Router } from '@koa/router';
import { expect } from 'chai';
import { createRoutes } from './routes/routes.ts';
import { send } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { startModelServer } from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { ROLE_NAMES, ROLE_TABLE, ROLES, row } from './testing/role-table.ts';
import type { Role, RoleRow } from './testing/role-table.ts';
import { startConductor } from './testing/start-conductor.ts';
import type { TestConductor } from './testing/start-conductor.ts';

const TABLE = 'conductor/testing/role-table.ts';

/** Method and path of every route, as the router has them. */
function listRoutes(): string[] {
  const never = (): void => {};
  const workspaces = {
    list: never,
    scan: never,
    contents: never,
    fetch: never,
    apply: never,
    snapshot: never,
    watch: never,
  };
  const [routes] = createRoutes({ health: never, status: never, ask: never, workspaces }) as { router?: Router }[];
  const stack = routes?.router?.stack ?? [];
  return stack.flatMap(({ methods, path }) =>
    methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
  );
}

describe('every route of a box and every role', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: TestConductor;

  before(async () => {
    plane = await startControlPlane();
    model = await startModelServer();
    conductor = await startConductor({ plane, model: { baseUrl: model.url } });
  });
  after(async () => {
    await conductor?.close();
    await Promise.all([plane.close(), model.close()]);
  });

  async function askAsEverybody({ route, body }: RoleRow): Promise<Record<Role, number>> {
    const [method = '', path = ''] = route.split(' ');
    const statuses = {} as Record<Role, number>;
    for (const role of ROLE_NAMES) {
      const { listener, headers } = ROLES[role];
      const answer = await send(conductor[listener], { method, path, body, headers: await headers(plane) });
      statuses[role] = answer.status;
    }
    return statuses;
  }

  it('stand in the table', async () => {
    const known = new Set(ROLE_TABLE.map(({ route }) => route));
    const lines: string[] = [];
    for (const route of listRoutes().filter((one) => !known.has(one))) {
      const statuses = await askAsEverybody(row(route, '', {}));
      lines.push(`  row('${route}', '${ROLE_NAMES.map((role) => statuses[role]).join(' ')}'),`);
    }
    if (lines.length > 0)
      expect.fail(
        `Add to ${TABLE}, once you have checked each status (${ROLE_NAMES.join(', ')}):\n${lines.join('\n')}`,
      );
  });

  it('are there, but for the one that shall not be', () => {
    const mounted = listRoutes();
    expect(mounted).to.include('GET /health');
    const stale = ROLE_TABLE.map(({ route }) => route).filter((route) => !mounted.includes(route));
    expect(stale, `take these rows out of ${TABLE}`).to.deep.equal(['GET /api/nothing']);
  });

  for (const request of ROLE_TABLE)
    it(request.route, async () => {
      expect(await askAsEverybody(request)).to.deep.equal(request.expected);
    });
});
