import { expect } from 'chai';
import { createBoxWorld, type BoxWorld } from './testing/box-world.ts';
import { createTestControlPlane } from './testing/control-plane.ts';
import { createPerson, METRICS_TOKEN, type Person } from './testing/people.ts';
import { ROLE_TABLE } from './testing/role-table.ts';

const CSP =
  "default-src 'self';base-uri 'none';form-action 'self' FORM;frame-ancestors 'none';" +
  "img-src 'self' data:;object-src 'none';script-src 'self';style-src 'self'";

/** On every answer, whatever it is. */
const EVERYWHERE: Record<string, string | null> = {
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'permissions-policy':
    'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), ' +
    'midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()',
  'referrer-policy': 'same-origin',
  'strict-transport-security': null,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-powered-by': null,
  server: null,
  'access-control-allow-origin': null,
};

/** The one page that sends a form on to the person's own computer, when it asks them. */
const LOOPBACK: Record<string, string> = { 'GET /auth/cli': ' http://127.0.0.1:4999' };

/** What is the same for everybody and may be kept; everything else is `no-store`. */
const CACHED: Record<string, string> = {
  'GET /.well-known/jwks.json': 'public, max-age=300',
  'GET /.well-known/oauth-authorization-server': 'public, max-age=300',
  'GET /openapi.json': 'public, max-age=300',
  'GET /openapi-conductor.json': 'public, max-age=300',
};

describe('headers', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld({ METRICS_TOKEN, RELEASES_DIR: 'no-release-here' });
  });
  after(() => world.close());

  async function ask(route: string, path: string | undefined, person: Person, accept: string): Promise<Response> {
    const [method = '', pattern = ''] = route.split(' ');
    const headers = { ...person.headers, accept, 'sec-fetch-site': 'same-origin' };
    const body = method === 'GET' ? null : new URLSearchParams();
    return fetch(`${world.cp.url}${path ?? pattern}`, { method, headers, body, redirect: 'manual' });
  }

  for (const { route, path } of ROLE_TABLE)
    it(`of ${route}, for who may and who may not`, async () => {
      for (const role of ['anonymous', 'owner'] as const)
        for (const accept of ['text/html', 'application/json']) {
          const { headers } = await ask(route, path, await createPerson(world.cp, role), accept);
          const seen = Object.fromEntries(Object.keys(EVERYWHERE).map((name) => [name, headers.get(name)]));
          expect(seen).to.deep.equal(EVERYWHERE);
          const isAsked = role === 'owner' && LOOPBACK[route] !== undefined;
          const target = isAsked ? `'self'${LOOPBACK[route]} ${world.stripe.url}` : `'self' ${world.stripe.url}`;
          expect(headers.get('content-security-policy')).to.equal(CSP.replace("'self' FORM", target));
          expect(headers.get('cache-control'), `${role}, ${accept}`).to.equal(CACHED[route] ?? 'no-store');
        }
    });

  it('let every page do without what they forbid', async () => {
    const owner = await createPerson(world.cp, 'owner');
    const pages: string[] = [];
    for (const { route, path } of ROLE_TABLE.filter((one) => one.route.startsWith('GET '))) {
      const answer = await ask(route, path, owner, 'text/html');
      if (answer.headers.get('content-type')?.startsWith('text/html') !== true) continue;
      pages.push(route);
      const html = await answer.text();
      const forbidden = html.match(
        /<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:|<base|<iframe|<object/gi,
      );
      expect(forbidden, route).to.equal(null);
    }
    expect(pages).to.include.members([
      'GET /',
      'GET /account',
      'GET /setup/ready',
      'GET /auth/verify',
      'GET /assets/:name',
    ]);
  });

  it('of a file that never changes let it be kept', async () => {
    const answer = await fetch(`${world.cp.url}${world.cp.deps.pages.assets.url('spoq.css')}`);
    expect(answer.headers.get('cache-control')).to.equal('public, max-age=31536000, immutable');
  });

  it('with https: HSTS for this host alone, and a cookie that no box can set or read', async () => {
    const plane = await createTestControlPlane(world.database, world.github, { BASE_URL: 'https://spoq.test' });
    try {
      const { headers } = await fetch(`${plane.url}/auth/github`, { redirect: 'manual' });
      expect(headers.get('strict-transport-security')).to.equal('max-age=63072000');
      const [cookie, ...others] = headers.getSetCookie();
      expect(others).to.deep.equal([]);
      const [value = '', ...attributes] = (cookie ?? '').split('; ');
      expect(value).to.match(/^__Host-spoq_session=[\w-]{43}$/);
      const names = attributes.filter((attribute) => !attribute.startsWith('expires='));
      expect(names).to.deep.equal(['path=/', 'samesite=lax', 'secure', 'httponly']);
      // Without the prefix it isn't read: a box could have set it for the whole domain.
      const planted = await fetch(`${plane.url}/api/vps/status`, {
        headers: { cookie: (await createPerson(plane, 'owner')).headers['cookie'] ?? '' },
      });
      expect(planted.status).to.equal(401);
    } finally {
      await plane.close();
    }
  });
});
