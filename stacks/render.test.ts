import { expect } from 'chai';
import * as fc from 'fast-check';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse as parseToml } from 'smol-toml';
import { SpoqError } from '../contract/errors.ts';
import { ConductorConfig, VpsMarker } from '../contract/files.ts';
import { PROVIDERS } from '../contract/vps.ts';
import { parseFirstBoot } from '../sandbox/machines/first-boot.ts';
import { listBoxFiles, quoteForShell } from './box-files.ts';
import { renderUserData } from './render.ts';
import { type BoxSpec, parseBoxSpec } from './spec.ts';
import { fillTemplate, loadTemplates } from './templates.ts';
import { getCloudInit } from './testing/cloud-init.ts';
import { createSpec, KEYS } from './testing/specs.ts';

const templates = loadTemplates();

/** The files that a machine of this specification would find, by path. */
function readFiles(spec: BoxSpec): Record<string, string> {
  const text = renderUserData(spec, KEYS, templates);
  const files = parseFirstBoot({ kind: spec.provider === 'contabo' ? 'user-data' : 'post-install', text });
  return Object.fromEntries(files.map(({ path, content }) => [path, content.toString()]));
}

const LIST = 'https://inside.spoq.dev/.well-known/revocations/alice.spoq.dev.jwt';

describe('renderUserData', () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
  const words = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter((text) => !/[\p{Cc}\u2028\u2029]/u.test(text));
  const anySpec = fc
    .record({
      provider: fc.constantFrom(...PROVIDERS),
      hostname: label.map((name) => `${name}.spoq.dev`),
      crypt: fc.stringMatching(/^\$6\$[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}$/),
      model: words,
      key: fc.stringMatching(/^[A-Za-z0-9._~+/=:@%-]{1,80}$/),
      secret: fc.stringMatching(/^[\x20-\x7e]{32,60}$/),
    })
    .map(({ provider, hostname, crypt, model, key, secret }) =>
      createSpec({
        provider,
        hostname,
        password_crypt: crypt,
        ai: { provider: 'openai', model },
        model_keys: { openai: key },
        auth: { issuer: 'https://spoq.dev', algorithm: 'HS256', jwt_secret: secret, revocations_url: LIST },
      }),
    );

  it('gives a machine back every value as it was', () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const files = readFiles(spec);
        expect(ConductorConfig.parse(parseToml(files['/etc/conductor/config.toml'] ?? ''))).to.deep.equal({
          server: { host: '127.0.0.1', port: 8080, socket: '/run/conductor/remote.sock' },
          auth: {
            owner_id: spec.owner_id,
            hostname: spec.hostname,
            issuer: spec.auth.issuer,
            algorithm: 'HS256',
            jwt_secret: spec.auth.jwt_secret,
            revocations_url: LIST,
          },
          files: { socket: '/run/conductor-agents/files.sock' },
          ai: { provider: 'openai', model: spec.ai.model, max_output_tokens: 8192, timeout_seconds: 120 },
          rules: { allow: [], ask: [], deny: [] },
          mcp: {},
        });
        expect(files['/etc/conductor/env']).to.equal(`OPENAI_API_KEY=${spec.model_keys.openai}\n`);
        expect(VpsMarker.parse(JSON.parse(files['/etc/spoq/vps.marker'] ?? ''))).to.deep.equal({
          vps: true,
          conductor: 'http://localhost:8080',
          version: '1.0',
        });
        expect(files['/etc/ssh/spoq_host_ed25519_key']).to.equal(KEYS.hostPrivateKey);
        expect(files['/etc/caddy/Caddyfile']?.split('\n')).to.include(`${spec.hostname} {`);
      }),
      { numRuns: 200 },
    );
  });

  it('gives both vendors the same files', () => {
    const byVendor = PROVIDERS.map((provider) => readFiles(createSpec({ provider })));
    expect(byVendor[0]).to.deep.equal(byVendor[1]);
    expect(Object.keys(byVendor[0] ?? {}).toSorted()).to.deep.equal(
      listBoxFiles(createSpec(), KEYS, templates)
        .map(({ path }) => path)
        .toSorted(),
    );
  });

  it('gives Contabo a document that leaves everything but the files to setup.sh', () => {
    const spec = createSpec({ hostname: 'no.spoq.dev' });
    const [first, ...rest] = renderUserData(spec, KEYS, templates).split('\n');
    const { write_files: _, ...document } = JSON.parse(rest.join('\n')) as Record<string, unknown>;
    expect(first).to.equal('#cloud-config');
    expect(document).to.deep.equal({
      preserve_hostname: true,
      users: [{ name: 'root' }],
      runcmd: [['bash', '/usr/local/lib/spoq/setup.sh']],
    });
  });

  it('gives Hostinger a script below its limit, which bash can read', () => {
    const script = renderUserData(createSpec({ provider: 'hostinger' }), KEYS, templates);
    expect(Buffer.byteLength(script)).to.be.below(32 * 1024);
    execFileSync('bash', ['-n'], { input: script });
    expect(script).not.to.include('$6$salt$hash').and.not.to.include('BEGIN OPENSSH');
  });

  it('writes files, whose bash function does what it says', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spoq-render-'));
    try {
      const script = renderUserData(createSpec({ provider: 'hostinger' }), KEYS, templates);
      const [writes = ''] = script.split('\nbash ');
      const owner = `${process.getuid?.()}:${process.getgid?.()}`;
      const here = writes.replaceAll(/^(write_file \d+) root:root \//gm, `$1 ${owner} ${folder}/`);
      execFileSync('bash', [], { input: here });
      const dated = new Date(2020, 1, 1);
      await utimes(join(folder, 'etc/motd'), dated, dated);
      execFileSync('bash', [], { input: here });
      expect((await stat(join(folder, 'etc/motd'))).mtime, 'written again').to.deep.equal(dated);
      const { stdout } = await promisify(execFile)('sh', [
        '-c',
        `cd ${quoteForShell(folder)} && find . -type f -exec stat -c '%a %n' {} +`,
      ]);
      const expected = listBoxFiles(createSpec({ provider: 'hostinger' }), KEYS, templates).map(
        ({ path, mode }) => `${Number(mode)} .${path}`,
      );
      expect(stdout.trim().split('\n').toSorted()).to.deep.equal(expected.toSorted());
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("passes cloud-init's own schema check, which finds a planted fault", async function () {
    this.timeout(120_000);
    const cloudInit = await getCloudInit(process.env);
    if (cloudInit === undefined) return this.skip();
    const folder = await mkdtemp(join(tmpdir(), 'spoq-schema-'));
    const file = join(folder, 'user-data');
    try {
      const userData = renderUserData(createSpec(), KEYS, templates);
      await writeFile(file, userData);
      expect(await cloudInit.check(file)).to.match(/Valid (cloud-config|schema)/);
      await writeFile(file, userData.replace('"users"', '"uzers"').replace('"runcmd": [', '"runcmd": 7, "x": ['));
      expect(await cloudInit.check(file).catch((error: Error) => error.message)).to.match(/runcmd/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('lets Caddy speak to the socket that wants tokens, and to nothing else', () => {
    const proxied = templates['Caddyfile'].split('\n').filter((line) => /^\s*reverse_proxy/.test(line));
    expect(proxied).to.deep.equal(['\treverse_proxy unix//run/conductor/remote.sock {']);
  });
});

describe('parseBoxSpec', () => {
  it('names every fault at once and no value', () => {
    const wrong = {
      ...createSpec(),
      stack: 'box',
      hostname: 'a b',
      region: 'EU\n',
      password_crypt: 'hunter2hunter2',
      model_keys: {},
      url: 'ftp://x',
    };
    const error = caught(() => parseBoxSpec(wrong));
    expect(error.faults.map(({ field }) => field).toSorted()).to.deep.equal([
      'hostname',
      'model_keys',
      'password_crypt',
      'region',
      'stack',
      'url',
    ]);
    expect(error.message).not.to.include('hunter2');
  });

  it('wants what the algorithm and the model provider need', () => {
    const spec = createSpec();
    const error = caught(() =>
      parseBoxSpec({ ...spec, auth: { issuer: 'https://spoq.dev', algorithm: 'HS256' }, ai: { provider: 'openai' } }),
    );
    expect(error.faults).to.deep.equal([
      { field: 'auth.jwt_secret', message: 'is missing, and tokens are HS256' },
      { field: 'model_keys.openai', message: 'is missing, and the box asks this provider' },
    ]);
  });

  it('refuses names that a program would take for an option, or a shell for a command', () => {
    const names = [
      '-oProxyCommand=reboot',
      '$(reboot)',
      '`reboot`',
      'a;reboot',
      'a b',
      "'",
      'a\0b',
      '--help',
      '../x',
      '.',
    ];
    for (const name of names) {
      const wrong = { ...createSpec(), hostname: `${name}.spoq.dev`, stack: name };
      const fields = caught(() => parseBoxSpec(wrong)).faults.map(({ field }) => field);
      expect(fields.toSorted(), name).to.deep.equal(['hostname', 'stack']);
      expect(caught(() => parseBoxSpec({ ...createSpec(), hostname: name })).faults, name).to.have.length(1);
    }
  });

  it('refuses control characters wherever they are', () => {
    for (const character of ['\0', '\n', '\r', '\u001b', '\u007f', '\u0085', '\u2028'])
      for (const key of ['region', 'product', 'image', 'password_crypt'] as const)
        expect(() => parseBoxSpec({ ...createSpec(), [key]: `$6$a${character}b` }), key).to.throw(SpoqError);
  });
});

describe('fillTemplate', () => {
  it('fills in, and refuses what it does not know or what is not one line', () => {
    expect(fillTemplate('{{a}} {{b}} {{a}}', { a: '1', b: '$&' })).to.equal('1 $& 1');
    expect(() => fillTemplate('{{a}}', {})).to.throw('A template asks for a');
    expect(() => fillTemplate('{{a}}', { a: 'x\ny' })).to.throw('control character');
  });

  it('quotes words so that a shell reads them as they are', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes('\0')),
        (text) => {
          expect(execFileSync('sh', ['-c', `printf %s ${quoteForShell(text)}`]).toString()).to.equal(text);
        },
      ),
      { numRuns: 30 },
    );
  });
});

function caught(action: () => unknown): SpoqError {
  try {
    action();
  } catch (error) {
    if (error instanceof SpoqError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
