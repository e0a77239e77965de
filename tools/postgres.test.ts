import { expect } from 'chai';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { listenOnFreePort } from '../test/harness/listen.ts';
import { findFreePort } from './ports.ts';
import { startPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';

describe('startPostgres', () => {
  let dir: string;
  let port: number;
  before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'spoq-pg-'));
    chmodSync(dir, 0o700); // as below root's home: an account that is not ours cannot get in
    port = await findFreePort();
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const start = (): Promise<Postgres> =>
    startPostgres({
      dataDir: path.join(dir, 'data'),
      port,
      password: 'p4ss',
      logFile: path.join(dir, 'log'),
      env: process.env,
      fast: true,
    });
  async function query(url: string, sql: string): Promise<unknown[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  it('keeps what was stored over a restart, and takes no notice of a stale pid file', async () => {
    const first = await start();
    await first.createDatabase('spoq');
    await first.createDatabase('spoq');
    await query(first.url('spoq'), 'create table kept as select 42 as answer');
    await first.stop();
    writeFileSync(path.join(dir, 'data', 'postmaster.pid'), '1073741824\n/nowhere\n');
    const second = await start();
    expect(await query(second.url('spoq'), 'select answer from kept')).to.deep.equal([{ answer: 42 }]);
    await second.stop();
  });

  it('lets nobody in without the password', async () => {
    const server = await start();
    const error = await query(server.url('postgres').replace('p4ss', 'guess'), 'select 1').catch(
      (reason: unknown) => reason,
    );
    await server.stop();
    expect(error).to.be.an('error').with.property('code', '28P01'); // invalid_password
  });

  it('says that the port is in use, and what to do', async () => {
    const blocker = createServer((socket) => socket.resume()); // listens to everything and says nothing
    const original = port;
    ({ port } = await listenOnFreePort(blocker));
    const error = await start().catch((reason: unknown) => reason);
    await new Promise((resolve) => blocker.close(resolve));
    const message = `Port ${port} is in use, so Postgres cannot start. Set SPOQ_PORT to move all of Spoq's ports.`;
    port = original;
    expect(error).to.be.an('error').with.property('message', message);
  });
});
