import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { chooseMachines, machineArguments, parseMachineKind, rememberedKind, rememberKind } from './machines.ts';
import { createTerminal } from './terminal.ts';

describe('kinds of machines', () => {
  const terminal = createTerminal({ write: () => {} });

  it('takes the two there are, and names them when it is another', () => {
    expect([parseMachineKind(undefined), parseMachineKind(''), parseMachineKind('nspawn')]).to.deep.equal([
      undefined,
      undefined,
      'nspawn',
    ]);
    expect(() => parseMachineKind('docker')).to.throw(
      "SPOQ_SANDBOX_MACHINES is 'docker'; it is one of nspawn, process.",
    );
  });

  it('says what stands in the way of machines that boot, and has processes instead unless it was told not to', async () => {
    const deps = { root: '/', env: { PATH: '' }, terminal };
    const choice = await chooseMachines(deps);
    const reason = choice.because;
    expect(choice).to.deep.equal({ kind: 'process', because: reason });
    if (process.platform === 'linux' && process.getuid?.() === 0)
      expect(reason).to.equal(
        'systemd-container, debootstrap, iproute2, util-linux, openssh-client, rsync must be installed first',
      );
    else expect(reason).to.match(/^they need (Linux|root)$/);
    const refusal = await chooseMachines(deps, 'nspawn').catch((error: Error) => error.message);
    expect(refusal).to.equal(`Machines that boot can't be had here: ${reason}.`);
  });

  it('keeps the kind of a state folder', () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'spoq-kind-'));
    try {
      expect(rememberedKind(dir)).to.equal(undefined);
      mkdirSync(path.join(dir, 'sandbox'));
      writeFileSync(path.join(dir, 'sandbox', 'machines.json'), '{}');
      expect(rememberedKind(dir), 'boxes from before there was a choice').to.equal('process');
      rememberKind(dir, 'nspawn');
      expect(rememberedKind(dir)).to.equal('nspawn');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('tells the sandbox what its machines need', () => {
    const options = { conductor: ['node', 'c.ts'], baseUrl: 'http://localhost:4000', outside: ['api.anthropic.com'] };
    const words = (text: string): string[] => text.split(' ');
    expect(machineArguments({ kind: 'process', because: '' }, options)).to.deep.equal(
      words('--conductor node --conductor c.ts'),
    );
    const tree = { root: '/t/root', tools: '/t/tools' };
    expect(machineArguments({ kind: 'nspawn', because: '', tree, limit: 3 }, options)).to.deep.equal(
      words(
        '--tree /t/root --pebble /t/tools/usr/bin/pebble --limit 3 --control-plane http://localhost:4000 --outside api.anthropic.com',
      ),
    );
  });
});
