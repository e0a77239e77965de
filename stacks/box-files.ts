import { stringify } from 'smol-toml';
import { ConductorConfig, type VpsMarker } from '../contract/files.ts';
import type { BoxSpec } from './spec.ts';
import { fillTemplate, type Templates } from './templates.ts';

/** One file of a box. All belong to root. */
export interface BoxFile {
  path: string;
  /** Octal, four digits. */
  mode: string;
  content: string;
}

/** The keys that a stack makes for its box. */
export interface BoxKeys {
  /** OpenSSH private key. Secret. */
  hostPrivateKey: string;
  hostPublicKey: string;
  /** The stack's own key, by which the control plane gets in. */
  controlPublicKey: string;
}

const ACME_CA_PATH = '/etc/caddy/acme-ca.pem';
/** What keeps the owner's model keys, behind conductor-keys.socket. */
export const KEEP_KEYS_PATH = '/usr/local/lib/spoq/keep-keys.sh';
export const SETUP_PATH = '/usr/local/lib/spoq/setup.sh';

/** Of conductor-files.socket. */
const FILES_SOCKET = '/run/conductor-agents/files.sock';

/** The conductor, what brings it back, what sees the owner's files for it, and what makes the places of runs. */
export const CONDUCTOR_UNITS = [
  'conductor.service',
  'conductor-retry.timer',
  'conductor-watch.service',
  'conductor-watch.timer',
  'conductor-keys.socket',
  'conductor-keys@.service',
  'conductor-work.socket',
  'conductor-work@.service',
  'conductor-files.socket',
  'conductor-files.service',
] as const;

/** What makes the places of runs, beside the units: scripts and settings in the folder of setup.sh. */
export const WORK_FILES = ['launch-work.sh', 'run-confinement.conf'] as const;

/** Every file that a box starts with, the same at every vendor. */
export function listBoxFiles(spec: BoxSpec, keys: BoxKeys, templates: Templates): BoxFile[] {
  const fill = (template: string) => fillTemplate(template, { hostname: spec.hostname, reboot_time: spec.reboot_time });
  const marker: VpsMarker = { vps: true, conductor: 'http://localhost:8080', version: '1.0' };
  return [
    { path: '/etc/conductor/config.toml', mode: '0600', content: stringify(describeConductor(spec)) },
    { path: '/etc/conductor/env', mode: '0600', content: listModelKeys(spec) },
    { path: '/etc/spoq/vps.marker', mode: '0644', content: `${JSON.stringify(marker, null, 2)}\n` },
    { path: '/etc/caddy/Caddyfile', mode: '0644', content: fill(templates['Caddyfile']) },
    ...listAcmeFiles(spec),
    ...CONDUCTOR_UNITS.map((name) => ({
      path: `/etc/systemd/system/${name}`,
      mode: '0644',
      content: templates[name],
    })),
    {
      path: '/etc/systemd/system/caddy.service.d/10-spoq.conf',
      mode: '0644',
      content: templates['caddy-restart.conf'],
    },
    { path: '/etc/motd', mode: '0644', content: fill(templates['motd']) },
    { path: '/etc/apt/apt.conf.d/20spoq-upgrades', mode: '0644', content: fill(templates['20spoq-upgrades']) },
    { path: '/etc/ssh/sshd_config.d/10-spoq.conf', mode: '0644', content: fill(templates['sshd.conf']) },
    { path: '/etc/ssh/spoq_host_ed25519_key', mode: '0600', content: endLine(keys.hostPrivateKey) },
    { path: '/etc/ssh/spoq_host_ed25519_key.pub', mode: '0644', content: endLine(keys.hostPublicKey) },
    { path: '/etc/ssh/spoq_control_keys', mode: '0644', content: endLine(`restrict ${keys.controlPublicKey}`) },
    { path: '/etc/cloud/cloud.cfg.d/99-spoq.cfg', mode: '0644', content: LATER_BOOTS },
    { path: '/usr/local/lib/spoq/SHA256SUMS', mode: '0644', content: listDigests(spec) },
    { path: '/usr/local/lib/spoq/setup.conf', mode: '0644', content: describeSetup(spec) },
    { path: KEEP_KEYS_PATH, mode: '0755', content: templates['keep-keys.sh'] },
    ...WORK_FILES.map((name) => ({ path: `/usr/local/lib/spoq/${name}`, mode: '0644', content: templates[name] })),
    { path: SETUP_PATH, mode: '0755', content: fill(templates['setup.sh']) },
    // Both are gone when setup.sh has done its work.
    { path: '/var/lib/spoq/password', mode: '0600', content: `spoq:${spec.password_crypt}\n` },
    ...(spec.report === undefined
      ? []
      : [{ path: '/var/lib/spoq/boot-token', mode: '0600', content: `Authorization: Bearer ${spec.report.token}\n` }]),
  ];
}

/** For a certificate authority other than Caddy's own choice. The Caddyfile imports whatever is in that folder. */
function listAcmeFiles({ acme }: BoxSpec): BoxFile[] {
  if (acme === undefined) return [];
  const trusted = acme.ca_pem === undefined ? '' : `trusted_roots ${ACME_CA_PATH}\n`;
  return [
    { path: '/etc/caddy/acme.d/directory.conf', mode: '0644', content: `dir ${acme.directory_url}\n${trusted}` },
    ...(acme.ca_pem === undefined ? [] : [{ path: ACME_CA_PATH, mode: '0644', content: acme.ca_pem }]),
  ];
}

/** For cloud-init, wherever the image has it: names are setup.sh's, and stay. */
const LATER_BOOTS = '#cloud-config\n{"preserve_hostname": true, "manage_etc_hosts": false}\n';

function describeSetup({ hostname, releases, report }: BoxSpec): string {
  const values = {
    SPOQ_HOSTNAME: hostname,
    SPOQ_RELEASES_URL: releases.base_url,
    SPOQ_REPORT_URL: report?.url ?? '',
  };
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quoteForShell(value)}\n`)
    .join('');
}

function describeConductor({ owner_id, hostname, auth, ai }: BoxSpec): ConductorConfig {
  const { issuer, algorithm, jwks_url, jwt_secret, revocations_url } = auth;
  const keys = algorithm === 'RS256' ? { jwks_url } : { jwt_secret, revocations_url };
  const config = ConductorConfig.parse({
    server: {},
    auth: { owner_id, hostname, issuer, algorithm, ...keys },
    files: { socket: FILES_SOCKET },
    ai,
  });
  // What is undefined has no line; smol-toml refuses it otherwise.
  return JSON.parse(JSON.stringify(config)) as ConductorConfig;
}

function listModelKeys({ model_keys: keys }: BoxSpec): string {
  const lines = [
    keys.anthropic && `ANTHROPIC_API_KEY=${keys.anthropic}`,
    keys.openai && `OPENAI_API_KEY=${keys.openai}`,
  ];
  return lines
    .filter((line) => line !== undefined)
    .map(endLine)
    .join('');
}

/** As `sha256sum` writes them. The only ones that setup.sh believes: a list that lies where the files are proves nothing. */
function listDigests({ releases }: BoxSpec): string {
  return Object.entries(releases.sha256)
    .map(([name, digest]) => `${digest}  ${name}\n`)
    .join('');
}

/** A word that any POSIX shell reads as exactly `value`. */
export function quoteForShell(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

function endLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
