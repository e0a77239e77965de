import { CLI_CLIENT_ID, DEVICE_GRANT_TYPE } from '../../contract/auth.ts';
import type { TestControlPlane } from './control-plane.ts';
import { Device } from './device.ts';
import { ROLES, type Person, type Role } from './people.ts';

const CODE_REQUEST = {
  client_id: CLI_CLIENT_ID,
  response_type: 'code',
  redirect_uri: 'http://127.0.0.1:4999/callback',
  code_challenge: 'a'.repeat(43),
  code_challenge_method: 'S256',
};

/** What a role sends; a GET without a body when nothing is said. */
export interface RoleRequest {
  /** With its parameters filled in. */
  path?: string;
  form?: (person: Person, plane: TestControlPlane) => Record<string, string> | Promise<Record<string, string>>;
}

export interface RoleRow extends RoleRequest {
  /** As mounted: method, space, pattern. */
  route: string;
  expected: Record<Role, number>;
}

/** One route: `statuses` in the order of ROLES, as a page of ours, a program or a proxy would be answered. */
export function row(route: string, statuses: string, request: RoleRequest = {}): RoleRow {
  const given = statuses.trim().split(/\s+/).map(Number);
  const expected = Object.fromEntries(ROLES.map((role, index) => [role, given[index] ?? 0])) as Record<Role, number>;
  return { route, expected, ...request };
}

const refreshToken = ({ refreshToken: token }: Person) => ({ refresh_token: token });
const hostname = ({ hostname: name }: Person) => ({ hostname: name });

/** Every route and what each role is answered. A route that is missing here fails control-plane/roles.test.ts. */
export const ROLE_TABLE: RoleRow[] = [
  //                                        anonymous stranger owner signed_out past_due cancelled metrics
  row('GET /', '                            200       200      200   200        200      200       200'),
  row('GET /problems', '                    200       200      200   200        200      200       200'),
  row('GET /health', '                      200       200      200   200        200      200       200'),
  row('GET /ready', '                       200       200      200   200        200      200       200'),
  row('GET /metrics', '                     404       404      404   404        404      404       200'),
  row('GET /openapi.json', '                200       200      200   200        200      200       200'),
  row('GET /openapi-conductor.json', '      200       200      200   200        200      200       200'),
  row('GET /.well-known/jwks.json', '       200       200      200   200        200      200       200'),
  row('GET /.well-known/oauth-authorization-server', ' 200 200 200 200 200 200 200'),
  row('GET /.well-known/revocations/:file', ' 404 404      404   404        404      404       404'),
  row('GET /favicon.ico', '                 302       302      302   302        302      302       302'),
  row('GET /assets/:name', '                404       404      404   404        404      404       404'),
  row('GET /install.sh', '                  503       503      503   503        503      503       503'),
  row('GET /releases/:file', '              404       404      404   404        404      404       404'),
  row('GET /releases/:version/:file', '     404       404      404   404        404      404       404'),

  row('GET /auth/github', '                 302       302      302   302        302      302       302'),
  row('GET /auth/github/callback', '        400       400      400   400        400      400       400'),
  row('POST /auth/sign-out', '              303       303      303   303        303      303       303'),
  row('GET /auth/verify', '                 302       200      200   302        200      200       302'),
  row('POST /auth/authorize', '             401       404      200   401        200      200       401', {
    form: async (_person, { url }) => ({ code: (await new Device(url).begin()).user_code, decision: 'approve' }),
  }),
  row('POST /auth/device', '                200       200      200   200        200      200       401', {
    form: () => ({ client_id: 'spoq-cli' }),
  }),
  row('POST /auth/device/token', '          400       400      400   400        400      400       401', {
    form: () => ({ grant_type: DEVICE_GRANT_TYPE, device_code: 'unknown', client_id: 'spoq-cli' }),
  }),
  row('POST /auth/token', '                 400       400      200   400        200      200       401', {
    form: ({ refreshToken: token }) => ({
      grant_type: 'refresh_token',
      refresh_token: token,
      client_id: CLI_CLIENT_ID,
    }),
  }),
  row('GET /auth/cli', '                    302       200      200   302        200      200       302', {
    path: `/auth/cli?${new URLSearchParams(CODE_REQUEST)}`,
  }),
  row('POST /auth/cli', '                   401       404      303   401        303      303       401', {
    form: () => ({ ...CODE_REQUEST, decision: 'approve' }),
  }),
  row('POST /auth/refresh', '               400       400      200   400        200      200       401', {
    form: refreshToken,
  }),
  row('POST /auth/revoke', '                200       200      200   200        200      200       401', {
    form: ({ refreshToken: token }) => ({ token }),
  }),

  row('POST /api/subscription/create', '    303       303      303   303        303      303       303', {
    form: () => ({ plan: 'basic' }),
  }),
  row('POST /api/subscription/webhook', '   400       400      400   400        400      400       400'), // Stripe's signature
  row('POST /api/boot/reports', '           403       403      403   403        403      403       403', {
    form: () => ({ step: 'packages', state: 'started' }), // a machine's boot token
  }),
  row('GET /welcome', '                     302       302      302   302        302      302       302'),

  row('GET /setup', '                       302       302      302   302        302      302       302'),
  row('GET /setup/password', '              303       303      303   303        303      303       303'),
  row('POST /setup/password', '             401       303      303   401        303      303       401', {
    form: () => ({ password: 'Sunflower-lake-71' }),
  }),
  row('GET /setup/region', '                303       303      303   303        303      303       303'),
  row('GET /setup/progress', '              303       303      303   303        303      303       303'),
  row('GET /setup/ready', '                 303       303      200   303        200      200       303'),
  row('POST /api/vps/provision', '          401       402      303   401        303      303       401', {
    form: () => ({ region: 'EU' }),
  }),
  row('GET /api/vps/status', '              401       404      200   401        200      200       401'),

  // Without a payment that Stripe knows of there is nothing to see to; routes/billing.test.ts has what comes of the others.
  row('GET /account/billing', '             401       200      200   401        200      200       401'),
  row('POST /account/billing/portal', '     401       402      402   401        402      402       401'),
  row('GET /account/billing/cancel', '      401       303      200   401        303      303       401'),
  row('POST /account/billing/cancel', '     401       402      402   401        402      402       401'),
  row('POST /account/billing/keep', '       401       402      402   401        402      402       401'),
  row('GET /account/billing/plan', '        401       402      402   401        402      402       401', {
    path: '/account/billing/plan?plan=plus',
  }),
  row('POST /account/billing/plan', '       401       402      402   401        402      402       401', {
    form: () => ({ proration_date: String(Math.floor(Date.now() / 1000)), plan: 'plus' }),
  }),
  row('GET /claim/:token', '                404       404      404   404        404      404       404'),
  row('POST /claim/:token', '               404       404      404   404        404      404       404'),

  row('GET /account/devices', '             303       200      200   303        200      200       303'),
  row('POST /account/devices', '            401       400      400   401        400      400       401'),

  row('GET /account/delete', '              303       200      200   303        200      200       303'),
  row('POST /account/delete', '             401       400      400   401        400      400       401', {
    form: () => ({ login: 'not-mine' }),
  }),
  row('GET /account/activity', '            303       200      200   303        200      200       303'),
  row('GET /account/activity.jsonl', '      401       200      200   401        200      200       401'),
  row('GET /account/export', '              303       200      200   303        200      200       303'),
  row('POST /account/export', '             401       200      200   401        200      200       401'),

  row('GET /account', '                     303       303      200   303        200      200       303'),
  row('GET /account/progress', '            303       303      303   303        303      303       303'),
  row('GET /account/password', '            303       303      200   303        200      200       303'),
  row('POST /account/password', '           401       404      303   401        303      303       401', {
    form: () => ({ password: 'Sunflower-lake-71' }),
  }),
  row('GET /account/:operation', '          303       303      200   303        200      200       303', {
    path: '/account/rebuild',
  }),
  row('POST /account/:operation', '         401       404      303   401        303      303       401', {
    path: '/account/rebuild',
    form: hostname,
  }),
];
