import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setPassword } from '../../control-plane/commands/set-password.ts';
import { provisionBox } from '../../control-plane/commands/provision-box.ts';
import { loadConfig } from '../../control-plane/config.ts';
import { createDeps } from '../../control-plane/create-deps.ts';
import type { ProviderName } from '../../contract/vps.ts';
import type { Deps } from '../../control-plane/deps.ts';
import { REGIONS } from '../../control-plane/regions/regions.ts';
import { upsertSubscription } from '../../control-plane/db/subscriptions.ts';
import { findBox, type UserVpsRow } from '../../control-plane/db/user-vps.ts';
import { upsertUser, type UserRow } from '../../control-plane/db/users.ts';
import { createEngine } from '../../control-plane/engine/create-engine.ts';
import type { VendorMachine } from '../../control-plane/engine/engine.ts';
import { createEngineEnvironment } from '../../control-plane/engine/environment.ts';
import type { DnsRecord } from '../../sandbox/cloudflare/state.ts';
import type { Fault, FaultRequest } from '../../sandbox/faults.ts';
import type { RequestEntry } from '../../sandbox/request-log.ts';
import type { TemporaryRun } from '../../tools/temporary-run.ts';
import { waitFor } from './wait.ts';

/** A run seen from behind the counter: its database, and what the vendors really have. */
export interface OperatorSide {
  deps: Deps;
  /** Somebody who has paid, signed in and chosen a password: ready to ask for a box. */
  subscribe(login: string): Promise<UserRow>;
  requestBox(user: UserRow, options?: { provider?: ProviderName; retry?: boolean }): Promise<UserVpsRow>;
  /** Waits until the box has one of `statuses`; fails with its events when that takes too long. */
  awaitBox(id: string, statuses: UserVpsRow['status'][], deadlineMs?: number): Promise<UserVpsRow>;
  addFault(fault: FaultRequest): Promise<Fault>;
  clearFaults(): Promise<void>;
  setDelays(delays: Record<string, number>): Promise<void>;
  requests(vendor: string): Promise<RequestEntry[]>;
  /** Every machine that the vendor has, ended renewals included. */
  instances(provider: ProviderName): Promise<VendorMachine[]>;
  /** Names of the stacks that the engine's backend holds. */
  stacks(): Promise<string[]>;
  /** Addresses of the A records of a name. */
  lookUp(hostname: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Of a machine whose box does not come up. */
const CONSOLE_LINES = 60;
const LOG_LINES = 12;

/** Opens the back office of a run. */
export async function openOperatorSide(run: TemporaryRun): Promise<OperatorSide> {
  const deps = createDeps(loadConfig({ ...run.environment, LOG_LEVEL: 'silent' }), 'web');
  const engine = createEngine({ env: createEngineEnvironment(deps.config, run.environment) });
  await deps.boss.start();
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${run.urls.page}/api${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    deps,
    async subscribe(login) {
      const now = deps.now();
      const person = { github_id: randomUUID(), username: login, email: `${login}@example.com`, avatar_url: null };
      const user = await upsertUser(deps.db, person, now);
      const facts = {
        stripe_customer_id: null,
        stripe_subscription_id: null,
        expires_at: null,
        cancel_at: null,
        grace_started_at: null,
        suspends_at: null,
        grace_ends_at: null,
      };
      await upsertSubscription(deps.db, user.id, { ...facts, status: 'active', plan: 'basic' }, now);
      await setPassword({ ...deps, knownPassword: () => false }, user, 'tides-at-Brest-42!', '127.0.0.1');
      return user;
    },
    requestBox(user, { provider = deps.config.VPS_PROVIDER, retry = false } = {}) {
      const there = { ...deps, config: { ...deps.config, VPS_PROVIDER: provider } };
      return provisionBox(there, user, { region: REGIONS[provider][0].id, retry, ip: '127.0.0.1' });
    },
    async awaitBox(id, statuses, deadlineMs = 60_000) {
      try {
        const is = async () => {
          const box = await findBox(deps.db, id);
          return box !== undefined && statuses.includes(box.status) && box;
        };
        return await waitFor(`a box that is ${statuses.join(' or ')}`, is, deadlineMs);
      } catch (cause) {
        const events = await deps.db('vps_events').where('user_vps_id', id).orderBy('seq');
        const told = events.map(({ step, state, message }) => `${step} ${state}: ${message}`).join('\n');
        // A sandbox that is gone has nothing to add.
        const listed = await call('GET', '/machines').catch(() => []);
        const machines = listed as { name: string; status: string; console: string[] }[];
        const shown = machines
          .filter(({ name }) => name.startsWith(`box-${id}`))
          .map(({ name, status, console }) => `${name} is ${status}:\n${console.slice(-CONSOLE_LINES).join('\n')}`);
        const log = readFileSync(path.join(run.folder.logs, 'control-plane.log'), 'utf8');
        shown.push(`The control plane said last:\n${log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')}`);
        throw new Error(`${(cause as Error).message}. It told:\n${told}\n${shown.join('\n')}`, { cause });
      }
    },
    addFault: (fault) => call('POST', '/faults', fault) as Promise<Fault>,
    clearFaults: async () => void (await call('DELETE', '/faults')),
    setDelays: async (delays) => void (await call('POST', '/delays', delays)),
    requests: (vendor) => call('GET', `/requests?vendor=${vendor}`) as Promise<RequestEntry[]>,
    instances: (provider) => engine.inventory(provider),
    stacks: async () => (await engine.listStacks()).map(({ stack }) => stack),
    async lookUp(hostname) {
      const { records } = (await call('GET', '/state/cloudflare')) as { records: DnsRecord[] };
      return records.filter(({ type, name }) => type === 'A' && name === hostname).map(({ content }) => content);
    },
    async close() {
      await engine.close();
      await deps.boss.stop({ graceful: false });
      await deps.db.destroy();
    },
  };
}
