import { expect } from 'chai';
import { describeProcess } from './testing/process-scenes.ts';
import { runSpoq, SOURCE_PROGRAM, startSpoq } from './testing/run-spoq.ts';
import { createTemporaryFolder } from './testing/temporary-folder.ts';
import { createCredentials, createTokens, writeCredentials } from './testing/sign-in.ts';
import { sendJson, startFakeServer } from './testing/fake-server.ts';
import { VERSION } from './version.ts';

const STATUS = {
  hostname: 'alice.spoq.localhost',
  version: '0.1.0',
  model: 'claude-test',
  uptime_seconds: 1,
  load_average: 0,
  memory: { total_bytes: 8e9, free_bytes: 5e9 },
  disk: { total_bytes: 1e11, free_bytes: 8e10 },
  running: 0,
  unreachable: [],
};

describe('node cli/main.ts', () => {
  describeProcess(() => SOURCE_PROGRAM);

  it('tells its version', async () => {
    expect(await runSpoq(['--version'], { cwd: '/', env: {} })).to.deep.equal({
      code: 0,
      out: `${VERSION}\n`,
      err: '',
    });
  });

  it('renews the sign-in once when ten processes find it run out at the same moment, and signs nobody out', async () => {
    await using folder = await createTemporaryFolder();
    let renewed = 0;
    let vps_hostname = '';
    await using server = await startFakeServer({
      'POST /auth/refresh': ({ body }, response) => {
        // As the control plane does when its 30 s of grace are over: an old token ends the sign-in.
        if (!body.includes('refresh_token=refresh-1&')) return sendJson(response, 400, { error: 'invalid_grant' });
        renewed += 1;
        return sendJson(
          response,
          200,
          createTokens({ vps_hostname, refresh_token: 'refresh-2', access_token: 'access-2' }),
        );
      },
      'GET /api/status': ({ headers }, response) =>
        headers.authorization === 'Bearer access-2' ? sendJson(response, 200, STATUS) : sendJson(response, 403, {}),
    });
    vps_hostname = server.url;
    const home = `${folder.path}/home`;
    await writeCredentials(
      `${home}/credentials`,
      createCredentials({ vps_hostname, expires_at: '2020-01-01T00:00:00Z' }),
    );
    const env = { SPOQ_URL: server.url, SPOQ_HOME: home };
    const all = await Promise.all(Array.from({ length: 10 }, () => runSpoq(['status', '--json'], { cwd: '/', env })));
    expect(all.map(({ code, err }) => [code, err])).to.deep.equal(all.map(() => [0, '']));
    expect(renewed).to.equal(1);
  });

  it('leaves nothing behind when init is interrupted', async () => {
    await using folder = await createTemporaryFolder();
    await using server = await startFakeServer({
      'POST /auth/device': (_, response) =>
        sendJson(response, 200, {
          device_code: 'd',
          user_code: 'A-B-C',
          verification_uri: server.url,
          verification_uri_complete: `${server.url}/?code=A-B-C`,
          expires_in: 900,
          interval: 900,
        }),
    });
    const spoq = startSpoq(['init'], { cwd: '/', env: { SPOQ_URL: server.url, SPOQ_HOME: `${folder.path}/home` } });
    await spoq.waitForOut('A-B-C\n');
    spoq.child.kill('SIGTERM');
    const { code, err } = await spoq.ended;
    expect([code, err]).to.deep.equal([143, 'Waiting...\nStopped.\n']);
    expect(await runSpoq(['status'], { cwd: '/', env: { SPOQ_HOME: `${folder.path}/home` } })).to.deep.equal({
      code: 4,
      out: '',
      err: "✗ This computer is not signed in.\n  Run 'spoq init' first.\n",
    });
  });
});
