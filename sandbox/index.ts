import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino, type Logger } from 'pino';
import { createClock, type Clock } from './clock.ts';
import { createControlServer } from './control.ts';
import { DEFAULT_DELAYS, type Delays } from './delays.ts';
import { createBootedInternet, type BootedOptions } from './booted-internet.ts';
import { createFaults, type Faults } from './faults.ts';
import { createMachines, type Machines, type MachinesState } from './machines/machines.ts';
import { createProcessInternet } from './internet.ts';
import type { NetworkState } from './machines/nspawn/network.ts';
import { openPort } from './ports.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import { openStore } from './state.ts';
import { createVendorServer, VENDOR_NAMES, type Vendor, type VendorName } from './vendor.ts';
import { VENDORS } from './vendors.ts';

export interface SandboxOptions {
  /** Holds everything that outlives a restart. */
  stateDir: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** Begin of a block of ports (the page takes the second); 0, the default, takes free ones. */
  ports?: number;
  /** Default all. */
  vendors?: readonly VendorName[];
  /** What machines are made of; conductor processes from the repository's own sources when left out. */
  machines?: MachineOptions;
  delays?: Partial<Delays>;
  logger?: Logger;
  /** Where Stripe's events go. */
  webhook?: { url: string; secret?: string };
  /** The DNS zone that exists at Cloudflare, and so the domain of boxes. Default spoq.localhost. */
  zone?: string;
}

/** Conductor processes, by their command and its first arguments; or systems that boot. */
export type MachineOptions =
  | { conductor: readonly string[] }
  | Pick<BootedOptions, 'tree' | 'pebble' | 'limit' | 'controlPlane' | 'outside' | 'certificateSeconds'>;

export interface Sandbox {
  /** Base URLs of `page`, `edge` and every vendor. */
  urls: Record<string, string>;
  /** Every environment variable that a control plane needs to use the sandbox. */
  credentials: Record<string, string>;
  /** What a vendor holds, as GET /api/state/<vendor> shows it; undefined for one that isn't here. */
  state(vendor: VendorName): unknown;
  faults: Faults;
  requests: RequestLog;
  machines: Machines;
  delays: Delays;
  clock: Clock;
  /** Ends every server, timer and child. State stays. */
  close(): Promise<void>;
}

/** What boxes, and nobody else, are told of where models are. */
const MODEL_URLS = ['ANTHROPIC_BASE_URL', 'OPENAI_BASE_URL'] as const;
/** The repository's own conductor. */
const CONDUCTOR = [process.execPath, fileURLToPath(new URL('../conductor/main.ts', import.meta.url))];

/** Starts the vendors, their machines, the front door and the page. Rejects when a port is taken, leaving nothing. */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { stateDir, host = '127.0.0.1', ports = 0, zone = 'spoq.localhost' } = options;
  const wanted = options.machines ?? { conductor: CONDUCTOR };
  const log = options.logger ?? pino({ level: 'silent' });
  const names = VENDOR_NAMES.filter((name) => (options.vendors ?? VENDOR_NAMES).includes(name));
  const open = <T extends object>(name: string, initial: () => T) => openStore(join(stateDir, `${name}.json`), initial);
  const clock = createClock(open('clock', () => ({ offset_ms: 0 })));
  const delays = { ...DEFAULT_DELAYS, ...options.delays };
  const [faults, requests] = [createFaults(), createRequestLog()];
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closers.splice(0).toReversed()) await end();
  };
  const urls: Record<string, string> = {};
  const credentials: Record<string, string> = {};
  const vendors = new Map<VendorName, Vendor>();
  const urlOf = (name: VendorName): string => {
    const url = urls[name];
    if (url === undefined) throw new Error(`The sandbox runs no ${name}`);
    return url;
  };

  const internet =
    'tree' in wanted
      ? await createBootedInternet({
          ...wanted,
          stateDir,
          log,
          store: open<NetworkState>('network', () => ({ number: null })),
        })
      : createProcessInternet(wanted.conductor);
  closers.push(internet.close);
  const machines = createMachines({
    folder: join(stateDir, 'machines'),
    store: open<MachinesState>('machines', () => ({ records: [] })),
    kind: internet.kind,
    log,
  });
  closers.push(() => machines.close());

  try {
    for (const name of names) {
      const entry = VENDORS[name];
      const context = { name, clock, delays, url: urlOf, log: log.child({ vendor: name }), webhook: options.webhook };
      const openVendorStore = <T extends object>(initial: () => T) => open(name, initial);
      const vendor = await entry.create({ ...context, openStore: openVendorStore }, { machines, zone });
      if (vendor.close) closers.push(() => vendor.close?.() ?? Promise.resolve());
      const server = await openPort(ports, name, (port) =>
        vendor.serve
          ? vendor.serve({ host, port })
          : createVendorServer({ name, routes: vendor.routes, host, port, requests, faults, log }),
      );
      closers.push(() => server.close());
      vendors.set(name, vendor);
      urls[name] = server.url;
      Object.assign(credentials, entry.addresses(server.url), vendor.credentials);
    }
    const cloudflare = vendors.get('cloudflare');
    const resolve = (name: string): string[] => cloudflare?.resolve?.(name) ?? [];
    const { edge, variables } = await internet.connect({
      zone,
      host,
      resolve,
      findFront: (ipv4) => machines.findFront(ipv4),
      openEdge: (openAt) => openPort(ports, 'edge', openAt),
      models: Object.fromEntries(MODEL_URLS.flatMap((name) => (credentials[name] ? [[name, credentials[name]]] : []))),
      onClose: (end) => void closers.push(end),
    });
    urls['edge'] = edge.url;
    if (cloudflare) Object.assign(credentials, variables);
    const page = await openPort(ports, 'page', (port) =>
      createControlServer({ vendors, urls, faults, requests, machines, delays, clock, log }, { host, port }),
    );
    closers.push(() => page.close());
    urls['page'] = page.url;
  } catch (error) {
    await close();
    throw error;
  }
  const state = (name: VendorName): unknown => vendors.get(name)?.inspect?.();
  return { urls, credentials, state, faults, requests, machines, delays, clock, close };
}
