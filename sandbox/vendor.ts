import { createServer, type Server } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import Koa from 'koa';
import type { Logger } from 'pino';
import type { Clock } from './clock.ts';
import type { Delays } from './delays.ts';
import type { Faults } from './faults.ts';
import { injectFaults } from './inject-faults.ts';
import { parseBody, type RequestState } from './parse-body.ts';
import { recordRequests, type RequestLog } from './request-log.ts';
import type { Store } from './state.ts';

/** Every vendor of the sandbox, in the order of their ports. */
export const VENDOR_NAMES = [
  'stripe',
  'github',
  'contabo',
  'hostinger',
  'cloudflare',
  'anthropic',
  'openai',
  'mail',
] as const;
export type VendorName = (typeof VENDOR_NAMES)[number];

/** Those that speak HTTP: their requests are recorded, and faults can strike them. */
export const HTTP_VENDOR_NAMES = VENDOR_NAMES.filter((name) => name !== 'mail');

/** What an emulator is given. Everything that differs between a test and a laptop comes in here. */
export interface VendorContext {
  name: VendorName;
  /** Opens the vendor's persisted state, `<stateDir>/<vendor>.json`; `initial` is used when there is none yet. */
  openStore<T extends object>(initial: () => T): Store<T>;
  /** The sandbox's time, which can be moved forward. Use it for everything that a vendor dates or lets expire. */
  clock: Clock;
  /** How long things take, in milliseconds. Read a value when it is needed: it can be changed while running. */
  delays: Delays;
  /** Base URL of a vendor, without a trailing slash. Known only once all vendors listen: call it while answering. */
  url(vendor: VendorName): string;
  log: Logger;
  /** Where Stripe sends its events, when the sandbox was told; the secret is the vendor's to invent when left out. */
  webhook?: { url: string; secret?: string };
  /** The time by which a receiver of events checks the age of a signature: the machine's, unless a test has moved its clock. */
  receiverNow?: () => Date;
}

/** An emulator: how it answers, and what a control plane must know to use it. */
export type Vendor = VendorFacts & (VendorRoutes | VendorService);

interface VendorRoutes {
  /** All routes of the vendor. `ctx.state` holds the parsed body: see RequestState. */
  routes: Koa.Middleware<RequestState>;
  serve?: undefined;
}

interface VendorService {
  routes?: undefined;
  /** A server of its own, for what isn't HTTP: mail. Rejects with the system's error when the port is taken. */
  serve(at: { host: string; port: number }): Promise<VendorServer>;
}

interface VendorFacts {
  /** Environment variables other than URLs that make a control plane use this vendor, e.g. {STRIPE_SECRET_KEY: …}. */
  credentials: Record<string, string>;
  /** Counts for the sandbox's page, e.g. {customers: 3}. */
  summarize?(): Record<string, number>;
  /** The persisted state as GET /api/state/<vendor> shows it. Leave secrets out. */
  inspect?(): unknown;
  /** Answers DNS: the addresses of a name. Only Cloudflare has it. */
  resolve?(name: string): string[];
  /** The names that lead to an address. Only Cloudflare has it. */
  namesOf?(ipv4: string): string[];
  /** The mails that were sent, newest first, for the page and GET /api/mails. Only mail has it. */
  mails?(): SandboxMail[];
  /** Ends timers and children. Runs after the server closed. */
  close?(): Promise<void>;
}

/** A mail that was kept instead of delivered. */
export interface SandboxMail {
  id: string;
  at: string;
  from: string;
  to: string[];
  subject: string;
  text: string;
}

export type CreateVendor = (context: VendorContext) => Vendor | Promise<Vendor>;

export interface VendorServer {
  name: VendorName;
  url: string;
  close(): Promise<void>;
}

export interface VendorServerOptions {
  name: VendorName;
  routes: Koa.Middleware<RequestState>;
  host: string;
  /** 0 takes a free port. */
  port: number;
  requests: RequestLog;
  faults: Faults;
  log: Logger;
}

/**
 * Puts a vendor's routes on a real port of their own: body parsed with the raw bytes kept, every request recorded,
 * faults injected around the routes. Resolves when it listens; rejects with the system's error when the port is taken.
 */
export async function createVendorServer(options: VendorServerOptions): Promise<VendorServer> {
  const app = new Koa<RequestState>();
  app.on('error', (error: unknown) => options.log.error({ err: error, vendor: options.name }, 'vendor failed'));
  app.use(recordRequests(options));
  app.use(parseBody);
  app.use(injectFaults(options));
  app.use(options.routes);
  const server = createServer(app.callback());
  const port = await listen(server, options.host, options.port);
  return { name: options.name, url: `http://${options.host}:${port}`, close: () => closeServer(server) };
}

/** Listens and answers the port that was taken. */
export async function listen(server: NetServer, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

/** Ends a server and every connection it still has. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeAllConnections();
  await closed;
}
