import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createClock, type Clock } from './clock.ts';
import { DEFAULT_DELAYS, type Delays } from './delays.ts';
import { createFaults, type Faults } from './faults.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import { openStore } from './state.ts';
import { createVendorServer, type CreateVendor, type Vendor, type VendorName } from './vendor.ts';

/** One vendor on a free port, as tests use it. */
export interface RunningVendor {
  url: string;
  vendor: Vendor;
  requests: RequestLog;
  faults: Faults;
  clock: Clock;
  delays: Delays;
  /** Ends it and starts it anew from its state, on another port. */
  restart(): Promise<RunningVendor>;
  /** Ends it and forgets its state. */
  close(): Promise<void>;
}

export interface RunVendorOptions {
  delays?: Partial<Delays>;
  webhook?: { url: string; secret?: string };
  receiverNow?: () => Date;
  stateDir?: string;
}

const NO_DELAYS = Object.fromEntries(Object.keys(DEFAULT_DELAYS).map((name) => [name, 0])) as unknown as Delays;

/** Runs a single vendor without a sandbox around it; nothing takes time unless `delays` says so. */
export async function runVendor(
  name: VendorName,
  create: CreateVendor,
  options: RunVendorOptions = {},
): Promise<RunningVendor> {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), `spoq-${name}-`));
  const log = pino({ level: 'silent' });
  const clock = createClock(openStore(join(stateDir, 'clock.json'), () => ({ offset_ms: 0 })));
  const delays = { ...NO_DELAYS, ...options.delays };
  const requests = createRequestLog();
  const faults = createFaults();
  let url = '';
  const vendor = await create({
    name,
    openStore: (initial) => openStore(join(stateDir, `${name}.json`), initial),
    clock,
    delays,
    url: () => url,
    log,
    webhook: options.webhook,
    receiverNow: options.receiverNow,
  });
  const at = { host: '127.0.0.1', port: 0 };
  const server = vendor.serve
    ? await vendor.serve(at)
    : await createVendorServer({ name, routes: vendor.routes, ...at, requests, faults, log });
  url = server.url;
  const end = async (): Promise<void> => {
    await server.close();
    await vendor.close?.();
  };
  return {
    url,
    vendor,
    requests,
    faults,
    clock,
    delays,
    async restart() {
      await end();
      return runVendor(name, create, { ...options, stateDir });
    },
    async close() {
      await end();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
