import { randomUUID } from 'node:crypto';
import { PROVIDERS } from '../contract/vps.ts';
import type { ProviderName } from '../contract/vps.ts';
import { listVpsEvents } from '../control-plane/db/vps-events.ts';
import { DEFAULT_DELAYS } from '../sandbox/delays.ts';
import type { MachineView } from '../sandbox/machines/machines.ts';
import { execInside } from '../test/harness/machines.ts';
import type { BootedMachines } from '../test/harness/machines.ts';
import { openOperatorSide } from '../test/harness/operator-side.ts';
import type { OperatorSide } from '../test/harness/operator-side.ts';
import { waitFor } from '../test/harness/wait.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { openBootFloor } from './boot-floor.ts';
import { splitWay } from './click-share.ts';
import type { ClickToReady } from './click-share.ts';
import type { EngineBench } from './engine.ts';

const { provisioning_ms, installing_ms } = DEFAULT_DELAYS;
/** What the sandbox's vendors wait before they switch a machine on: Contabo shows an installation of its own. */
const VENDOR_MS: Record<ProviderName, number> = {
  contabo: provisioning_ms + installing_ms,
  hostinger: provisioning_ms,
};
const BOX_MS = 120_000;

export interface ClickBenchOptions {
  /** All of Spoq on machines that boot, with the sandbox's own delays. */
  run: TemporaryRun;
  machines: BootedMachines;
  engine: EngineBench;
  rounds: number;
  onRound(round: number): void;
}

/** A box at each vendor and what it can't do without, in turn: the engine, the machine, all of Spoq. */
export async function measureClicks({
  run,
  machines,
  engine,
  rounds,
  onRound,
}: ClickBenchOptions): Promise<ClickToReady[]> {
  const floor = await openBootFloor(machines);
  const side = await openOperatorSide(run);
  const rows = PROVIDERS.map((provider): ClickToReady => {
    return { provider, click: [], vendor_ms: VENDOR_MS[provider], boot: [], engine: [], steps: {} };
  });
  try {
    // Engine and plugins that have just been started are slow once; the floor is taken without that.
    for (const { provider } of rows) await engine.lean(provider);
    for (let round = 0; round < rounds; round++) {
      onRound(round);
      for (const row of rows) {
        row.engine.push(await engine.lean(row.provider));
        row.boot.push(await floor.measure(row.provider));
        const { took, steps } = await clickOnce(run, side, row.provider);
        row.click.push(took);
        for (const [name, ms] of Object.entries(steps)) (row.steps[name] ??= []).push(ms);
      }
    }
  } finally {
    await side.close();
    await floor.close();
  }
  return rows;
}

/** Somebody new asks for a box. It is switched off afterwards, so that the next ones have this computer to themselves. */
async function clickOnce(
  run: TemporaryRun,
  side: OperatorSide,
  provider: ProviderName,
): Promise<{ took: number; steps: Record<string, number> }> {
  const user = await side.subscribe(`click-${randomUUID().slice(0, 8)}`);
  const clickedAt = Date.now();
  const { id } = await side.requestBox(user, { provider });
  const box = await side.awaitBox(id, ['ready', 'failed'], BOX_MS);
  const took = Date.now() - clickedAt;
  if (box.status === 'failed') throw new Error(`The box at ${provider} could not be made: ${box.failure}`);
  const steps = splitWay(clickedAt, await listVpsEvents(side.deps.db, id));
  await switchOff(run, box.ip_address);
  return { took, steps };
}

async function switchOff(run: TemporaryRun, address: string | null): Promise<void> {
  const find = async (): Promise<MachineView | undefined> => {
    const views = (await (await fetch(`${run.urls.page}/api/machines`)).json()) as MachineView[];
    return views.find(({ ipv4 }) => ipv4 === address);
  };
  const leader = Number(/\d+/.exec((await find())?.root ?? '')?.[0]);
  await execInside(leader, 'systemctl poweroff');
  await waitFor('the machine to be off', async () => (await find())?.status === 'off', BOX_MS);
}
