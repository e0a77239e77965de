import type { TestControlPlane } from './control-plane.ts';
import type { Send } from './client.ts';
import { signToken, STRANGER_ID } from './tokens.ts';

/** Who may knock at a box: on which listener, and with what. A box knows its owner by token and nobody else; it knows no operator. */
export const ROLES = {
  anonymous: { listener: 'remote', headers: async () => ({}) },
  stranger: {
    listener: 'remote',
    headers: async ({ key }) => bearer(await signToken(key, { claims: { sub: STRANGER_ID, user_id: STRANGER_ID } })),
  },
  owner: { listener: 'remote', headers: async ({ key }) => bearer(await signToken(key)) },
  // What a device that was signed out still holds an hour later: it is given no other.
  signed_out: { listener: 'remote', headers: async ({ key }) => bearer(await signToken(key, { shift: -3700 })) },
  // A token says nothing of money: a box that isn't paid for is switched off, not asked to refuse.
  suspended: { listener: 'remote', headers: async ({ key }) => bearer(await signToken(key)) },
  // The control plane's only key over HTTP opens nothing here.
  metrics: { listener: 'remote', headers: async () => bearer('token-of-prometheus') },
  /** A program on the box, of whoever can log in there. */
  local: { listener: 'local', headers: async () => ({}) },
  /** A page in a browser on the box, or behind an SSH tunnel. */
  page: { listener: 'local', headers: async () => ({ origin: 'https://evil.test' }) },
} as const satisfies Record<string, RoleDescription>;

interface RoleDescription {
  listener: 'local' | 'remote';
  headers: (plane: TestControlPlane) => Promise<Record<string, string>>;
}

export type Role = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as Role[];

export interface RoleRow {
  /** As mounted: method, space, path. */
  route: string;
  body: Send['body'];
  expected: Record<Role, number>;
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** One route: `statuses` in the order of ROLES. */
export function row(route: string, statuses: string, body?: unknown): RoleRow {
  const given = statuses.trim().split(/\s+/).map(Number);
  const expected = Object.fromEntries(
    ROLE_NAMES.map((role, index) => [role, given[index] ?? 0]),
  ) as RoleRow['expected'];
  return { route, body, expected };
}

const RUN = { task: 'Work', workspace: 'web' };
const EXEC = { argv: ['true'], workspace: 'web' };

/** Every route and what each role is answered. A route that is missing here fails conductor/roles.test.ts. */
export const ROLE_TABLE: RoleRow[] = [
  //                        anonymous stranger owner signed_out suspended metrics local page
  row('GET /health', '      200       200      200   200        200       200     200   403'),
  row('GET /api/status', '  403       403      200   403        200       403     200   403'),
  row('POST /api/ask', '    403       403      200   403        200       403     200   403', { question: 'Why?' }),
  row('GET /api/conversations', '                403 403 200 403 200 403 200 403'),
  // Of a conversation that there is not: who is let in learns so, and nobody else.
  row('GET /api/conversations/:id', '            403 403 404 403 404 403 404 403'),
  row('DELETE /api/conversations/:id', '         403 403 404 403 404 403 404 403'),
  row('GET /api/conversations/:id/events', '     403 403 404 403 404 403 404 403'),
  row('POST /api/conversations/:id/interrupt', ' 403 403 404 403 404 403 404 403'),
  row('GET /api/budget', '403       403      200   403        200       403     200   403'),
  row('PUT /api/budget', '403       403      200   403        200       403     200   403', { day_usd: 5 }),
  row('GET /api/models', '403       403      200   403        200       403     200   403'),
  row('GET /api/keys', '  403       403      200   403        200       403     200   403'),
  // Of a provider that there is not: nothing is changed.
  row('PUT /api/keys/:provider', '    403 403 404 403 404 403 404 403', { key: 'sk-of-the-role-table' }),
  row('DELETE /api/keys/:provider', ' 403 403 404 403 404 403 404 403'),
  // A box without a place for files, which the test's is, says so to who may know.
  row('GET /api/workspaces', '                  403 403 503 403 503 403 503 403'),
  row('GET /api/workspaces/:name/changes', '    403 403 400 403 400 403 400 403'),
  row('POST /api/workspaces/:name/scan', '      403 403 400 403 400 403 400 403', {}),
  row('POST /api/workspaces/:name/contents', '  403 403 400 403 400 403 400 403', {}),
  row('POST /api/workspaces/:name/fetch', '     403 403 400 403 400 403 400 403', {}),
  row('POST /api/workspaces/:name/apply', '     403 403 400 403 400 403 400 403', {}),
  row('POST /api/workspaces/:name/snapshot', '  403 403 400 403 400 403 400 403', {}),
  // This box has no place where runs are confined: who is let in learns so.
  row('POST /api/run', '                                    403 403 503 403 503 403 503 403', RUN),
  row('POST /api/exec', '                                   403 403 503 403 503 403 503 403', EXEC),
  row('POST /api/conversations/:id/continue', '             403 403 404 403 404 403 404 403', {}),
  row('POST /api/conversations/:id/approvals/:approval', '  403 403 404 403 404 403 404 403', { decision: 'allow' }),
  row('POST /api/conversations/:id/input', '                403 403 404 403 404 403 404 403', { signal: 'SIGINT' }),
  row('GET /api/conversations/:id/changes', '               403 403 404 403 404 403 404 403'),
  row('GET /api/conversations/:id/diff', '                  403 403 404 403 404 403 404 403'),
  row('GET /api/conversations/:id/objects/:object', '       403 403 404 403 404 403 404 403'),
  row('POST /api/conversations/:id/discard', '              403 403 404 403 404 403 404 403'),
  // What isn't there: who has no token doesn't learn that.
  row('GET /api/nothing', ' 403       403      404   403        404       403     404   403'),
];
