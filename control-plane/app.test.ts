import { expect } from 'chai';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { createTestDatabase, type TestDatabase } from '../test/harness/database.ts';
import { connectDb } from './db/connect.ts';
import { createTestControlPlane, type TestControlPlane } from './testing/control-plane.ts';
import { createGithubServer, type GithubServer } from './testing/github-server.ts';

describe('the web app', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
    plane = await createTestControlPlane(database, github);
  });
  after(async () => {
    await plane.close();
    await github.close();
    await database.close();
  });

  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${plane.url}${path}`, { headers, redirect: 'manual' });

  it('answers a problem document to what is not there, with the id of the request', async () => {
    const answer = await get('/nothing', { 'x-request-id': 'request-0001' });
    expect({
      status: answer.status,
      type: answer.headers.get('content-type'),
      body: await answer.json(),
    }).to.deep.equal({
      status: 404,
      type: 'application/problem+json',
      body: {
        type: '/problems#not_found',
        title: 'There is nothing here',
        status: 404,
        code: 'not_found',
        detail: 'There is nothing at this address.',
        instance: 'request-0001',
        next_step: 'Check the address.',
      },
    });
    expect(answer.headers.get('x-request-id')).to.equal('request-0001');
  });

  it('answers a page to a person, and escapes what came in', async () => {
    const answer = await get('/<b>', { accept: 'text/html', 'x-request-id': '<script>alert(1)</script>' });
    const text = await answer.text();
    expect(answer.headers.get('content-type')).to.equal('text/html; charset=utf-8');
    expect(text).to.include('There is nothing here').and.include('Back to the start');
    expect(text).to.not.include('alert(1)').and.not.include('<b>');
  });

  it('says which methods an address takes', async () => {
    const answer = await get('/auth/device/token');
    expect({ status: answer.status, allow: answer.headers.get('allow') }).to.deep.equal({ status: 405, allow: 'POST' });
    expect(await answer.json()).to.include({ code: 'method_not_allowed' });
  });

  it('sends the same strict headers with pages, failures and documents', async () => {
    for (const path of ['/', '/nothing', '/health', '/.well-known/jwks.json']) {
      const { headers } = await get(path);
      expect(headers.get('content-security-policy'), path).to.equal(
        "default-src 'self';base-uri 'none';form-action 'self' http://127.0.0.1:9;frame-ancestors 'none';" +
          "img-src 'self' data:;object-src 'none';script-src 'self';style-src 'self'",
      );
      expect(headers.get('x-content-type-options'), path).to.equal('nosniff');
      expect(headers.get('referrer-policy'), path).to.equal('same-origin');
      expect(headers.get('x-powered-by'), path).to.equal(null);
    }
  });

  it('logs a request once, with its id and without its query', async () => {
    plane.logs.length = 0;
    await get('/auth/verify?code=ABACUS-ABLAZE-ZOOM', { 'x-request-id': 'request-0002' });
    expect(plane.logs.join('')).to.not.include('ABACUS');
    const { method, path, status } = JSON.parse(plane.logs[0] ?? '') as Record<string, unknown>;
    expect([plane.logs.length, method, path, status]).to.deep.equal([1, 'GET', '/auth/verify', 302]);
  });

  it('believes X-Forwarded-For as far as its own proxies wrote it, and not at all without one', async () => {
    const begin = async (url: string) => {
      const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' };
      await fetch(`${url}/auth/device`, {
        method: 'POST',
        headers,
        body: new URLSearchParams({ client_id: 'spoq-cli' }),
      });
      return (await database.db('device_grants').orderBy('created_at', 'desc').first('ip')).ip as string;
    };
    expect(await begin(plane.url)).to.equal('127.0.0.1');
    const behind = await createTestControlPlane(database, github, { TRUSTED_PROXIES: '127.0.0.1' });
    try {
      expect(await begin(behind.url)).to.equal('203.0.113.7');
    } finally {
      await behind.close();
    }
  });

  it('asks to come back while the database is away, on pages, documents and OAuth endpoints alike', async () => {
    const away = connectDb('postgres://127.0.0.1:9/spoq', 2);
    const lost = await createTestControlPlane({ ...database, db: away }, github);
    try {
      const problem = await fetch(`${lost.url}/auth/github`);
      expect([problem.status, problem.headers.get('retry-after')]).to.deep.equal([503, '5']);
      expect(await problem.json()).to.include({
        code: 'not_ready',
        detail: 'The database does not answer. Nothing was changed.',
      });
      const oauth = await fetch(`${lost.url}/auth/refresh`, {
        method: 'POST',
        body: new URLSearchParams({ refresh_token: 'x' }),
      });
      expect([oauth.status, oauth.headers.get('retry-after')]).to.deep.equal([503, '5']);
      expect(await oauth.json()).to.include({ error: 'temporarily_unavailable' });
    } finally {
      await lost.close();
      await away.destroy();
    }
  });

  it('tells nothing of a bug but that there is one', async () => {
    plane.deps.pages.render = () => {
      throw new Error('the view is broken');
    };
    const body = await json(
      await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
        request(`${plane.url}/`, { headers: { accept: 'application/json', 'x-request-id': 'request-0003' } }, resolve)
          .on('error', reject)
          .end();
      }),
    );
    expect(body).to.deep.equal({
      type: '/problems#internal',
      title: 'Something broke on our side',
      status: 500,
      code: 'internal',
      instance: 'request-0003',
      next_step: 'Try again; tell us the request id if it stays.',
    });
    expect(plane.logs.some((line) => line.includes('the view is broken') && line.includes('request-0003'))).to.equal(
      true,
    );
  });
});
