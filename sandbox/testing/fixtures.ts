import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSandbox, type Sandbox, type SandboxOptions } from '../index.ts';

/** The command that stands for a conductor in these tests. */
export const CONDUCTOR = [
  process.execPath,
  fileURLToPath(new URL('../machines/fixtures/conductor.ts', import.meta.url)),
];

const QUICK = { provisioning_ms: 0, installing_ms: 0, action_ms: 0, address_ms: 0 } as const;

/** A folder that is removed by `remove`. */
export function makeFolder(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-sandbox-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A sandbox of the vendors that rent out machines and name them, in which nothing takes time. */
export function startSandbox(stateDir: string, options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  return createSandbox({
    stateDir,
    vendors: ['contabo', 'hostinger', 'cloudflare'],
    machines: { conductor: CONDUCTOR },
    delays: QUICK,
    ...options,
  });
}

/** A request to a vendor of the sandbox: status and parsed body. */
export interface Answer {
  status: number;
  body: unknown;
}

export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

async function send(url: string, method: string, headers: Record<string, string>, body: unknown): Promise<Answer> {
  const answer = await fetch(url, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** A Contabo client with a fresh token. */
export async function signInContabo({ credentials }: Pick<Sandbox, 'credentials'>): Promise<Call> {
  const answer = await fetch(credentials['CONTABO_AUTH_URL'] ?? '', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      client_id: credentials['CONTABO_CLIENT_ID'] ?? '',
      client_secret: credentials['CONTABO_CLIENT_SECRET'] ?? '',
      username: credentials['CONTABO_API_USER'] ?? '',
      password: credentials['CONTABO_API_PASSWORD'] ?? '',
    }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const base = credentials['CONTABO_API_URL'] ?? '';
  return (method, path, body) =>
    send(base + path, method, { authorization: `Bearer ${token}`, 'x-request-id': randomUUID() }, body);
}

export function signInHostinger({ credentials }: Pick<Sandbox, 'credentials'>): Call {
  const headers = { authorization: `Bearer ${credentials['HOSTINGER_API_KEY']}` };
  return (method, path, body) => send(`${credentials['HOSTINGER_API_URL']}${path}`, method, headers, body);
}

export function signInCloudflare({ credentials }: Pick<Sandbox, 'credentials'>): Call {
  const headers = { authorization: `Bearer ${credentials['CLOUDFLARE_API_TOKEN']}` };
  return (method, path, body) => send(`${credentials['CLOUDFLARE_API_URL']}${path}`, method, headers, body);
}

/** First boot's files, as Spoq writes them. */
export const FILES = [
  { path: '/etc/conductor/config.toml', mode: '0640', content: '[server]\nport = 8080\n' },
  { path: '/etc/conductor/env', mode: '0600', content: 'ANTHROPIC_API_KEY=sk-one\nOPENAI_API_KEY="sk two"\n' },
  {
    path: '/etc/spoq/vps.marker',
    mode: '0644',
    content: '{"vps":true,"conductor":"http://localhost:8080","version":"0.1.0"}',
  },
] as const;

/** Contabo's user-data with those files. */
export function makeUserData(files: readonly { path: string; mode: string; content: string }[] = FILES): string {
  const write_files = files.map(({ path, mode, content }) => ({
    path,
    permissions: mode,
    owner: 'root:root',
    encoding: 'b64',
    content: Buffer.from(content).toString('base64'),
  }));
  return `#cloud-config\n${JSON.stringify({ hostname: 'alice', write_files, runcmd: ['touch /tmp/never'] })}\n`;
}

/** Hostinger's post-install script with those files. */
export function makePostInstall(files: readonly { path: string; mode: string; content: string }[] = FILES): string {
  const blocks = files.map(({ path, mode, content }) => {
    const lines =
      Buffer.from(content)
        .toString('base64')
        .match(/.{1,24}/g) ?? [];
    return `write_file ${mode} root:root ${path} <<'SPOQ_FILE'\n${lines.join('\n')}\nSPOQ_FILE\n`;
  });
  return `#!/bin/bash\nset -eu\nwrite_file() { base64 -d > "$3"; }\n${blocks.join('\n')}systemctl start conductor\n`;
}

/** Asks the front door for a path of a box, by the box's name. */
export function askEdge(
  sandbox: Pick<Sandbox, 'urls'>,
  host: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method: body === undefined ? 'GET' : 'POST', headers: { host, ...headers } };
    const request = httpRequest(`${sandbox.urls['edge']}${path}`, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) : text }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The text of a file, or undefined. */
export function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
