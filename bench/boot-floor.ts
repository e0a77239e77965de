import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderName } from '../contract/vps.ts';
import { createSshKeyPair } from '../stacks/provider/ssh-key.ts';
import { createBootWorld } from '../test/harness/boot-world.ts';
import type { BootedBox } from '../test/harness/boot-world.ts';
import type { BootedMachines } from '../test/harness/machines.ts';
import { runCommand } from '../tools/run-command.ts';

const CHECK = path.join(import.meta.dirname, '..', 'stacks', 'check-box', 'main.ts');
const POLL_MS = 20;
const DEADLINE_SECONDS = 120;

/** Machines that are given what a box is given, by nobody but their vendor. */
export interface BootFloor {
  /** Boots one and takes it away; milliseconds from power on until it has set itself up and answers with a valid certificate. */
  measure(provider: ProviderName): Promise<number>;
  close(): Promise<void>;
}

/** Opens a sandbox of its own for them, with a stand-in for the control plane that has the executables and takes reports. */
export async function openBootFloor(machines: BootedMachines): Promise<BootFloor> {
  const world = await createBootWorld({ machines, refusals: 0 });
  const { credentials, urls, machines: all } = world.sandbox;
  const keys = await Promise.all(['host', 'control'].map(createSshKeyPair));
  const [host, control] = keys;
  if (host === undefined || control === undefined) throw new Error('There are no keys');
  let count = 0;

  const untilItAnswers = async (url: string, address: string): Promise<void> => {
    const { code, stderr } = await runCommand(process.execPath, [CHECK], {
      env: {
        SPOQ_BOX_URL: url,
        SPOQ_BOX_ADDRESS: address,
        PROVISION_POLL_MS: String(POLL_MS),
        PROVISION_DEADLINE_SECONDS: String(DEADLINE_SECONDS),
        NODE_EXTRA_CA_CERTS: credentials['NODE_EXTRA_CA_CERTS'],
      },
    });
    if (code !== 0) throw new Error(stderr.trim());
  };
  return {
    async measure(provider) {
      count += 1;
      const hostname = `floor${count}.spoq.localhost`;
      const url = `https://${hostname}:${new URL(urls['edge'] ?? '').port}`;
      const boxKeys = {
        hostPrivateKey: host.privateKey,
        hostPublicKey: host.publicKey,
        controlPublicKey: control.publicKey,
      };
      const box = await world.boot(provider, boxKeys, { hostname, url });
      await Promise.all([untilItAnswers(url, box.address), untilReported(box)]);
      const took = performance.now() - box.poweredAt;
      all.destroy(box.id);
      await all.settled();
      return took;
    },
    close: world.close,
  };
}

/** Its last step is done, which it tells by itself: to look inside would take from its time. */
async function untilReported({ reports, log }: BootedBox): Promise<void> {
  for (const until = Date.now() + DEADLINE_SECONDS * 1000; !reports.includes('caddy done'); await sleep(POLL_MS)) {
    if (Date.now() > until || reports.some((report) => report.endsWith(' failed')))
      throw new Error(`The machine was not set up: ${reports.at(-1) ?? 'it told nothing'}. ${log()}`);
  }
}
