import { expect } from 'chai';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { send } from '../testing/client.ts';
import { formatConfig, runConductor } from '../testing/compiled.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import { signToken } from '../testing/tokens.ts';
import { startFiles } from './child.ts';
import { createFiles } from './client.ts';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '..', 'main.ts');

describe('the program that keeps the files, as a child', function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spoq-child-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('answers from the first request on, and ends with the conductor', async () => {
    mkdirSync(join(folder, 'workspaces', 'tides'), { recursive: true });
    const plane = await startControlPlane();
    const config = formatConfig({ jwksUrl: plane.jwksUrl, modelUrl: plane.jwksUrl });
    const conductor = await runConductor([process.execPath, MAIN, '--files', folder], config, {}, folder);
    try {
      const headers = { authorization: `Bearer ${await signToken(plane.key)}` };
      const { status, json } = await send(conductor.remote, { path: '/api/workspaces', headers });
      const tides = { name: 'tides', path: join(folder, 'workspaces', 'tides'), folder: null, synced_at: null };
      expect([status, json]).to.deep.equal([200, { workspaces: [tides] }]);
      expect(await conductor.stop()).to.equal(0);
      expect(readdirSync(join(folder, 'state')).filter((name) => name.endsWith('.sock'))).to.deep.equal([]);
    } finally {
      await conductor.close();
      await plane.close();
    }
  });

  it('has a short socket where that of the state would be too long, and leaves nothing', async () => {
    const state = join(folder, 'a'.repeat(60), 'b'.repeat(60));
    const child = startFiles([process.execPath, MAIN], folder, state);
    await child.listening;
    const { value, close } = await createFiles(child.socket).call({ operation: 'list', workspace: '' });
    close();
    expect(value).to.deep.equal({ workspaces: [] });
    await child.close();
    expect(existsSync(dirname(child.socket))).to.equal(false);
  });

  it('tells when it could not begin', async () => {
    const { listening } = startFiles([process.execPath, '-e', 'process.exit(3)', '--'], folder, join(folder, 'state'));
    expect(await listening.catch(String)).to.equal('Error: conductor files ended (3)');
  });
});
