import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Store } from '../../state.ts';
import { run } from './run.ts';

/** Which of the sandbox's networks this state folder has; its machines' addresses are in it, so it keeps it. */
export interface NetworkState {
  number: number | null;
}

/** A bridge on this computer that machines hang on. Nothing behind it leads out. */
export interface Network {
  bridge: string;
  /** This computer's own address on it. */
  gateway: string;
  /** The first three numbers of every address on it. */
  prefix: string;
  /** Takes the bridge away. */
  close(): Promise<void>;
}

/** RFC 2544's range for tests: 198.18.0.0/15 is nobody's, so a mistake reaches no stranger. One /24 for each sandbox. */
const NETWORKS = 512;
const INTERFACES = '/sys/class/net';
const BRIDGE = /^spoq(\d{1,3})$/;

/** Whoever has a bridge leaves its process id on it. */
const aliasOf = (pid: number): string => `spoq sandbox ${pid}`;

/**
 * Makes the bridge of this state folder, a new one or the one it had before. Making an interface is atomic, so two sandboxes
 * never share one. Bridges of sandboxes that were killed are taken away first.
 */
export async function openNetwork(store: Store<NetworkState>): Promise<Network> {
  await sweepBridges();
  const former = store.data.number;
  for (const number of former === null ? listNumbers() : [former]) {
    const bridge = `spoq${number}`;
    if (existsSync(`${INTERFACES}/${bridge}`)) continue;
    const made = await run('ip', ['link', 'add', bridge, 'type', 'bridge']).then(
      () => true,
      (error: unknown) => {
        if (existsSync(`${INTERFACES}/${bridge}`)) return false; // somebody was quicker
        throw error;
      },
    );
    if (!made) continue;
    const prefix = `198.${18 + (number >> 8)}.${number & 255}`;
    await run('ip', ['link', 'set', bridge, 'alias', aliasOf(process.pid)]);
    await run('ip', ['address', 'add', `${prefix}.1/24`, 'dev', bridge]);
    await run('ip', ['link', 'set', bridge, 'up']);
    store.update((data) => {
      data.number = number;
    });
    return { bridge, gateway: `${prefix}.1`, prefix, close: () => removeBridge(bridge) };
  }
  throw new Error(
    former === null
      ? `All ${NETWORKS} networks of sandboxes are in use on this computer`
      : `The network of this sandbox's machines (spoq${former}) is in use by another one. End that one, or begin anew with another state folder`,
  );
}

/** All of them, beginning anywhere: a sandbox that is off shall find its own free when it comes back. */
function listNumbers(): number[] {
  const first = randomInt(NETWORKS);
  return Array.from({ length: NETWORKS }, (_, index) => (first + index) % NETWORKS);
}

/** Removes the bridges whose sandbox is gone. */
async function sweepBridges(): Promise<void> {
  for (const name of readdirSync(INTERFACES)) {
    if (!BRIDGE.test(name)) continue;
    const [, pid] = /^spoq sandbox (\d+)$/.exec(readAlias(name)) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await removeBridge(name);
  }
}

function readAlias(name: string): string {
  try {
    return readFileSync(`${INTERFACES}/${name}/ifalias`, 'utf8').trim();
  } catch {
    return ''; // it went away in this moment
  }
}

async function removeBridge(name: string): Promise<void> {
  await run('ip', ['link', 'delete', name]).catch((error: unknown) => {
    if (existsSync(`${INTERFACES}/${name}`)) throw error;
  });
}
