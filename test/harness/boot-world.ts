import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BOOT_REPORTS_PATH, BootReport } from '../../contract/boot.ts';
import type { ProviderName } from '../../contract/vps.ts';
import { createSandbox, type Sandbox } from '../../sandbox/index.ts';
import type { BoxKeys } from '../../stacks/box-files.ts';
import { renderUserData } from '../../stacks/render.ts';
import type { BoxSpec } from '../../stacks/spec.ts';
import { loadTemplates, type Templates } from '../../stacks/templates.ts';
import { createSpec } from '../../stacks/testing/specs.ts';
import type { Inside } from './box-tree.ts';
import { closeServer, listenOnFreePort } from './listen.ts';
import { bootedMachines, type BootedMachines, execInside } from './machines.ts';
import { waitFor } from './wait.ts';

const RELEASES = path.join(import.meta.dirname, '..', '..', 'dist', 'release');
/** For a machine among a dozen that boot; one that fails says so in its log, which ends the wait. */
const SET_UP_MS = 200_000;

/** A machine that was given a box's document. */
export interface BootedBox extends Inside {
  id: string;
  address: string;
  /** When it was switched on, by performance.now(). */
  poweredAt: number;
  token: string;
  document: string;
  /** What it has reported, `step state`, as far as it was taken. */
  reports: string[];
  /** The last lines that came with a step that failed. */
  log(): string;
  /** Resolves when setup.sh has ended. */
  untilSetUp(): Promise<void>;
}

export interface BootOptions {
  /** Where its name leads to; nowhere if null. Default: to it. */
  record?: string | null;
  templates?: Templates;
}

export interface BootWorld {
  sandbox: Sandbox;
  boot(provider: ProviderName, keys: BoxKeys, changes?: Partial<BoxSpec>, options?: BootOptions): Promise<BootedBox>;
  /** Makes an A record at Cloudflare. */
  point(hostname: string, address: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Machines that boot with the document that a stack would give them, and a stand-in for the control plane: it serves the
 * executables of this clone and takes reports. The first `refusals` reports of each machine are refused: it must send them again.
 * `certificateSeconds`: how long certificates are valid, years when left out.
 */
export async function createBootWorld({
  machines: choice = bootedMachines(),
  refusals = 2,
  certificateSeconds,
}: { machines?: BootedMachines; refusals?: number; certificateSeconds?: number } = {}): Promise<BootWorld> {
  const boxes: Heard = new Map();
  const server = createServer((request, response) => void answer(request, response, boxes));
  const { url } = await listenOnFreePort(server);
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-boot-'));
  const { tree } = choice;
  const pebble = path.join(tree.tools, 'usr/bin/pebble');
  const machines = { tree: tree.root, pebble, limit: 6, controlPlane: url, outside: [], certificateSeconds };
  const sandbox = await createSandbox({ stateDir: folder, machines }).catch(async (error: unknown) => {
    await closeServer(server);
    throw error;
  });
  const point = async (name: string, content: string): Promise<void> => {
    const { CLOUDFLARE_API_URL, CLOUDFLARE_API_TOKEN, CLOUDFLARE_ZONE_ID } = sandbox.credentials;
    const { ok, status } = await fetch(`${CLOUDFLARE_API_URL}/zones/${CLOUDFLARE_ZONE_ID}/dns_records`, {
      method: 'POST',
      headers: { authorization: `Bearer ${CLOUDFLARE_API_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'A', name, content, ttl: 60 }),
    });
    if (!ok) throw new Error(`Cloudflare made no record of ${name}: status ${status}`);
  };
  let count = 0;
  return {
    sandbox,
    point,
    async boot(provider, keys, changes = {}, { record, templates = loadTemplates() } = {}) {
      count += 1;
      const token = `spoq_boot_${String(count).padStart(43, '0')}`;
      const controlPlane = sandbox.credentials['BOX_CONTROL_PLANE_URL'] ?? '';
      const spec = createSpec({
        provider,
        hostname: 'alice.spoq.localhost',
        url: 'https://alice.spoq.localhost',
        releases: { base_url: `${controlPlane}/releases`, sha256: readDigests() },
        report: { url: controlPlane + BOOT_REPORTS_PATH, token },
        acme: readAcme(sandbox.credentials),
        ...changes,
      });
      const document = renderUserData(spec, keys, templates);
      const heard = { reports: [] as string[], logs: [] as string[], refusals };
      boxes.set(`Bearer ${token}`, heard);
      const id = `${provider}-${count}`;
      const { ipv4: address } = sandbox.machines.create(id, provider, spec.stack);
      sandbox.machines.reinstall(id, { kind: provider === 'contabo' ? 'user-data' : 'post-install', text: document });
      if (record !== null) await point(spec.hostname, record ?? address);
      const poweredAt = performance.now();
      sandbox.machines.power(id, true);
      await waitFor(`${id} to boot`, () => sandbox.machines.findLeader(id), SET_UP_MS);
      const exec: Inside['exec'] = async (script) => execInside(sandbox.machines.findLeader(id) ?? 0, script);
      const said = async (): Promise<string> => (await exec('cat /var/log/spoq-setup.log')).stdout;
      const untilSetUp = async (): Promise<void> => {
        const hasEnded = async () => /^spoq-setup: \S+ (done$|failed: )/m.test(await said());
        await waitFor(`${id} to be set up`, hasEnded, SET_UP_MS).catch(async (cause: unknown) => {
          const console = sandbox.machines.list().find((machine) => machine.id === id)?.console ?? [];
          throw new Error(`${id} was not set up: ${[...console, await said()].slice(-25).join('\n')}`, { cause });
        });
        const isIdle = async () => (await exec('flock -n /run/spoq-setup.lock true')).code === 0;
        await waitFor(`${id} to have reported`, isIdle, SET_UP_MS);
      };
      const log = (): string => heard.logs.join('\n');
      return { id, exec, address, poweredAt, token, document, reports: heard.reports, log, untilSetUp };
    },
    async close() {
      await sandbox.close();
      await closeServer(server);
      rmSync(folder, { recursive: true });
    },
  };
}

function readDigests(): Record<string, string> {
  const lines = readFileSync(path.join(RELEASES, 'SHA256SUMS'), 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/\s+/).toReversed() as [string, string]));
}

/** The sandbox's certificate authority, as a control plane would read it from its environment. */
function readAcme(variables: Record<string, string>): BoxSpec['acme'] {
  const caFile = variables['ACME_CA_FILE'] ?? '';
  return { directory_url: variables['ACME_DIRECTORY_URL'] ?? '', ca_pem: readFileSync(caFile, 'utf8') };
}

type Heard = Map<string, { reports: string[]; logs: string[]; refusals: number }>;

async function answer(request: IncomingMessage, response: ServerResponse, boxes: Heard): Promise<void> {
  if (request.method === 'GET') {
    createReadStream(path.join(RELEASES, path.basename(request.url ?? '')))
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
    return;
  }
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const box = boxes.get(request.headers.authorization ?? '');
  if (box === undefined || request.url !== BOOT_REPORTS_PATH) {
    response.writeHead(403).end();
    return;
  }
  if (box.refusals > 0) {
    box.refusals -= 1;
    response.writeHead(503).end();
    return;
  }
  const report = BootReport.parse(Object.fromEntries(new URLSearchParams(body)));
  box.reports.push(`${report.step} ${report.state}`);
  if (report.log !== '') box.logs.push(report.log);
  response.writeHead(204).end();
}
