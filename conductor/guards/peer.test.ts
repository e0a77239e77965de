import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import Koa from 'koa';
import { openListeners } from '../listeners.ts';
import { createProblemWriter } from '../problems.ts';
import { createRequestLog } from '../request-log.ts';
import { createTestLog } from '../testing/start-conductor.ts';
import type { RequestState } from '../web.ts';
import { createLocalGuard } from './local-guard.ts';
import { findOwner, FIRST_RUN_UID, isRun, MAX_RUNS } from './peer.ts';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000   998        0 4712 1 0000 20 4 30 10 -1
   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0000 20 4 30 10 -1
   3: 0100007F:C351 0100007F:1F90 04 00000000:00000000 01:00000014 00000000     0        0 0 1 0000 20 4 30 10 -1
  sl  local_address                         remote_address                        st tx_queue rx_queue
   4: 0000000000000000FFFF00000200007F:C352 0000000000000000FFFF00000100007F:1F90 01 0:0 00:0 0 1900000007 0 4714 1
`;

describe('who asks on the local listener', () => {
  it('is who holds the other end of the connection', () => {
    const find = (address: string, port: number) => findOwner(TABLE, { address, port, to: 8080 });
    expect(find('127.0.0.1', 50_000)).to.deep.equal({ uid: 1000 });
    expect(find('::ffff:127.0.0.2', 50_002)).to.deep.equal({ uid: 1_900_000_007 });
    expect(find('127.0.0.1', 50_001), 'let go before it was looked up').to.equal('gone');
    expect(find('127.0.0.1', 50_003)).to.equal('gone');
    expect(find('::1', 50_000)).to.equal('gone');
    expect(
      [FIRST_RUN_UID - 1, FIRST_RUN_UID, FIRST_RUN_UID + MAX_RUNS - 1, FIRST_RUN_UID + MAX_RUNS].map(isRun),
    ).to.deep.equal([false, true, true, false]);
  });

  it('is served, but for a run', async function () {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return this.skip();
    const dir = mkdtempSync(path.join(tmpdir(), 'peer-'));
    let hasRuns = true;
    const app = new Koa<RequestState>();
    app.use(createRequestLog(createTestLog([]), 'local'));
    app.use(createProblemWriter(createTestLog([])));
    app.use(createLocalGuard({ hasRuns: () => hasRuns }));
    app.use((ctx) => void (ctx.body = 'served'));
    const listeners = await openListeners(
      { local: app, remote: app },
      { port: 0, socket: path.join(dir, 'remote.sock') },
    );
    const askAs = async (uid: number): Promise<string> => {
      const setpriv = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
      const { stdout } = await promisify(execFile)('setpriv', [
        ...setpriv,
        'curl',
        '-s',
        `http://localhost:${listeners.port}/`,
      ]);
      return stdout;
    };
    try {
      expect([await askAs(0), await askAs(1000)]).to.deep.equal(['served', 'served']);
      expect(JSON.parse(await askAs(FIRST_RUN_UID))).to.deep.include({
        code: 'forbidden',
        detail: 'This address serves programs of this machine only, and the request comes from a run.',
      });
      hasRuns = false;
      expect(await askAs(FIRST_RUN_UID)).to.equal('served'); // nobody looks when there is no run
    } finally {
      await listeners.close(0);
      rmSync(dir, { recursive: true });
    }
  });
});
