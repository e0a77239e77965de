import { expect } from 'chai';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIRST_RUN_UID, MAX_RUNS } from '../conductor/guards/peer.ts';
import { CONDUCTOR_UNITS } from './box-files.ts';
import { loadTemplates } from './templates.ts';

const templates = loadTemplates();
const unit = templates['conductor.service'];

/** The settings of a unit file, by section. */
function listSettings(text: string): string[] {
  let section = '';
  return text.split('\n').flatMap((line) => {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
    const name = /^(\w+)=/.exec(line)?.[1];
    return name === undefined ? [] : [`${section}.${name}`];
  });
}

describe('the units of a box', () => {
  before(function () {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) this.skip();
  });

  it('leave the conductor an exposure of 2.0 at most', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'conductor.service');
      const rate = (text: string): number | null => {
        execFileSync('tee', [file], { input: text, stdio: ['pipe', 'ignore', 'inherit'] });
        return spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', file]).status;
      };
      expect(rate(unit)).to.equal(0);
      expect(rate(unit.replaceAll(/^(SystemCallFilter|PrivateUsers|RestrictNamespaces)=.*$/gm, ''))).to.equal(1);
    });
  });

  it('leave a run an exposure of 2.0 at most, and its launcher little more than root needs', async () => {
    await withFolder(async (folder) => {
      const rate = async (text: string, threshold: number): Promise<number | null> => {
        const file = join(folder, 'rated.service');
        await writeFile(file, text);
        return spawnSync('systemd-analyze', ['security', '--offline=true', `--threshold=${threshold}`, file]).status;
      };
      const confined = `[Service]\nExecStart=/bin/true\nUser=spoq\n${templates['run-confinement.conf']}`;
      expect(await rate(confined, 20)).to.equal(0);
      expect(
        await rate(confined.replaceAll(/^(PrivateNetwork|SystemCallFilter|RestrictNamespaces)=.*$/gm, ''), 20),
      ).to.equal(1);
      expect(await rate(templates['conductor-work@.service'], 22)).to.equal(0);
    });
  });

  it('confine a run by settings that systemd knows, each of them', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'confined.service');
      const verify = async (settings: string): Promise<string> => {
        await writeFile(file, `[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n${settings}`);
        return spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' }).stderr;
      };
      expect(await verify(templates['run-confinement.conf'])).to.equal('');
      expect(await verify(`${templates['run-confinement.conf']}ProtectEverything=yes\n`)).to.include(
        'ProtectEverything',
      );
    });
  });

  it('give runs the accounts that the conductor refuses', () => {
    const script = templates['launch-work.sh'];
    expect([/^FIRST_UID=(\d+)$/m, /^MAX_RUNS=(\d+)$/m].map((each) => Number(each.exec(script)?.[1]))).to.deep.equal([
      FIRST_RUN_UID,
      MAX_RUNS,
    ]);
  });

  it("leave what sees the owner's files an exposure of 2.5 at most", async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'conductor-files.service');
      const rate = async (text: string): Promise<number | null> => {
        await writeFile(file, text);
        return spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=25', file]).status;
      };
      const text = templates['conductor-files.service'];
      expect(await rate(text)).to.equal(0);
      expect(await rate(text.replaceAll(/^(SystemCallFilter|PrivateNetwork|IPAddressDeny)=.*$/gm, ''))).to.equal(1);
    });
  });

  it('are read by systemd without a word', async () => {
    await withFolder(async (folder) => {
      // What a box has and this machine may not: the executable, and Caddy.
      const caddy = '[Service]\nExecStart=/bin/true\n';
      await mkdir(join(folder, 'caddy.service.d'));
      await writeFile(join(folder, 'caddy.service'), caddy);
      await writeFile(join(folder, 'caddy.service.d', '10-spoq.conf'), templates['caddy-restart.conf']);
      const verify = async (text: string): Promise<string> => {
        for (const name of CONDUCTOR_UNITS) {
          const content = name === 'conductor.service' ? text : templates[name];
          await writeFile(
            join(folder, name),
            content.replaceAll(/\/usr\/local\/(bin\/conductor|lib\/spoq\/keep-keys\.sh)/g, '/bin/true'),
          );
        }
        const units = [...CONDUCTOR_UNITS, 'caddy.service'].map((name) => join(folder, name));
        const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' });
        return `${status}: ${stderr}`;
      };
      expect(await verify(unit)).to.equal('0: ');
      expect(await verify(unit.replace('\n[Service]\n', '\n[Service]\nStartLimitIntervalSec=60\n'))).to.include(
        'StartLimitIntervalSec',
      );
    });
  });

  it('have their start limit where it counts', () => {
    const settings = listSettings(unit);
    expect(settings).to.include.members(['Unit.StartLimitIntervalSec', 'Unit.StartLimitBurst']);
    expect(settings.filter((name) => name.startsWith('Service.StartLimit'))).to.deep.equal([]);
  });

  it('let a conductor end by itself before it is killed', () => {
    const seconds = (pattern: RegExp): number => Number(pattern.exec(unit)?.[1]);
    expect(seconds(/^TimeoutStopSec=(\d+)$/m)).to.be.above(seconds(/^ExecStart=.* --grace (\d+)$/m) + 5);
  });
});

async function withFolder(check: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'spoq-units-'));
  try {
    await check(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
