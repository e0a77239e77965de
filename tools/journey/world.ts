import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isLocalhostName } from '../../contract/loopback.ts';
import type { CommandResult } from '../run-command.ts';
import { runCommand } from '../run-command.ts';
import type { TemporaryRun } from '../temporary-run.ts';
import { createPerson } from './person.ts';
import type { Page, Person } from './person.ts';
import { runSpoq, startSpoq } from './spoq.ts';
import type { RunningSpoq, SpoqResult } from './spoq.ts';

/** A request that a vendor of the sandbox got. */
export interface VendorRequest {
  method: string;
  path: string;
  request_body: unknown;
  status: number;
}

/** The Spoq that a story is played at. */
export type Stage = Pick<TemporaryRun, 'baseUrl' | 'urls' | 'environment' | 'prepared' | 'scratch'>;

/** What the steps of a story share. */
export interface World {
  root: string;
  run: Stage;
  /** Where the box is. */
  provider: 'contabo' | 'hostinger';
  person: Person;
  /** Where the person is. */
  page: Page | undefined;
  login: string;
  hostname: string;
  /** argv of the spoq that is used; the installed one, once it is installed. */
  spoq: readonly string[];
  repository: string;
  startSpoq(args: readonly string[]): RunningSpoq;
  runSpoq(args: readonly string[]): Promise<SpoqResult>;
  /** `npm run operator -- <args>`. */
  operator(args: readonly string[]): Promise<CommandResult>;
  /** A JSON document of the sandbox's control API. */
  sandbox(pathname: string): Promise<unknown>;
  requests(vendor: string): Promise<VendorRequest[]>;
}

/** Somebody who is about to sign up at `run`. */
export function createWorld(root: string, run: Stage, provider: World['provider']): World {
  const repository = path.join(run.scratch, 'tides');
  const home = path.join(run.scratch, 'home');
  const base = run.environment;
  const roots = base['NODE_EXTRA_CA_CERTS'];
  const env = {
    PATH: base['PATH'],
    HOME: home,
    SPOQ_HOME: path.join(home, '.spoq'),
    SPOQ_URL: run.baseUrl,
    ...(roots === undefined ? {} : { NODE_EXTRA_CA_CERTS: roots }),
    NO_COLOR: '1',
  };
  const options = (): { spoq: readonly string[]; cwd: string; env: NodeJS.ProcessEnv } => ({
    spoq: world.spoq,
    cwd: repository,
    env,
  });
  const sandbox = async (pathname: string): Promise<unknown> => {
    const response = await fetch(`${run.urls.page}/api${pathname}`);
    if (!response.ok) throw new Error(`the sandbox answered ${response.status} to ${pathname}`);
    return response.json();
  };
  const world: World = {
    root,
    run,
    provider,
    person: createPerson(),
    page: undefined,
    login: '',
    hostname: '',
    spoq: run.prepared.spoq,
    repository,
    startSpoq: (args) => startSpoq(options(), args),
    runSpoq: (args) => runSpoq(options(), args),
    operator: (args) =>
      runCommand(process.execPath, [path.join(root, 'control-plane', 'operator.ts'), ...args], {
        cwd: root,
        env: base,
        timeoutMs: 120_000,
      }),
    sandbox,
    requests: async (vendor) => (await sandbox(`/requests?vendor=${vendor}`)) as VendorRequest[],
  };
  return world;
}

/** What GET /api/vps/status tells its owner. */
export type BoxView = Record<'status' | 'hostname' | 'url' | 'ip_address' | 'ssh_host_key_fingerprint', string>;

export async function readBox(world: World): Promise<BoxView> {
  const response = await world.person.open(`${world.run.baseUrl}/api/vps/status`, { accept: 'application/json' });
  return (await response.json()) as BoxView;
}

/**
 * GET of a box's address. Names below localhost are dialled on 127.0.0.1 (RFC 6761 §6.3), since few resolvers know them, with the
 * name in `Host`.
 */
export function getFromBox(
  url: string,
  roots?: string,
  more: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const { protocol, hostname, host, port, pathname } = new URL(url);
  const client = protocol === 'https:' ? https : http;
  const ca = roots === undefined ? undefined : readFileSync(roots);
  const address = isLocalhostName(hostname) ? '127.0.0.1' : hostname;
  return new Promise((resolve, reject) => {
    const options = {
      host: address,
      port,
      path: pathname,
      headers: { ...more, host },
      servername: hostname,
      ca,
      agent: false,
    };
    const request = client.get(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.once('error', reject);
  });
}
