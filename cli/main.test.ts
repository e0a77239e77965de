import { expect } from 'chai';
import { describeProcess } from './testing/process-scenes.ts';
import { runSpoq, SOURCE_PROGRAM, startSpoq } from './testing/run-spoq.ts';
import { createTemporaryFolder } from './testing/temporary-folder.ts';
import { sendJson, startFakeServer } from './testing/fake-server.ts';
import { VERSION } from './version.ts';

describe('node cli/main.ts', () => {
  describeProcess(() => SOURCE_PROGRAM);

  it('tells its version', async () => {
    expect(await runSpoq(['--version'], { cwd: '/', env: {} })).to.deep.equal({
      code: 0,
      out: `${VERSION}\n`,
      err: '',
    });
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
