import { expect } from 'chai';
import { SpoqError } from '../contract/errors.ts';
import { loadConfig } from './config.ts';
import type { ConfigSources } from './config.ts';

const OWNER = '3f0c9f5e-6f6b-4c39-9c4d-0a7d3c2b1a10';
const SECRET = 'a-secret-of-this-box-and-no-other-one';
const AUTH = `[auth]
owner_id = "${OWNER}"
hostname = "alice.spoq.dev"
issuer = "https://spoq.dev"
`;
const GOOD = `${AUTH}jwks_url = "https://spoq.dev/.well-known/jwks.json"\n`;

function readFaults(sources: Partial<ConfigSources>): { field: string; message: string }[] {
  try {
    loadConfig({ toml: GOOD, path: 'config.toml', env: {}, ...sources });
  } catch (error) {
    if (error instanceof SpoqError) return error.faults;
    throw error;
  }
  return [];
}

describe('configuration', () => {
  it('has defaults for everything but who the box belongs to', () => {
    expect(loadConfig({ toml: GOOD, path: 'config.toml', env: {} })).to.deep.equal({
      port: 8080,
      socket: '/run/conductor/remote.sock',
      ownerId: OWNER,
      hostname: 'alice.spoq.dev',
      issuer: 'https://spoq.dev',
      keys: { algorithm: 'RS256', jwksUrl: 'https://spoq.dev/.well-known/jwks.json' },
      revocationsUrl: 'https://spoq.dev/.well-known/revocations/alice.spoq.dev.jwt',
      ai: {
        provider: 'anthropic',
        model: undefined,
        providers: [
          { name: 'anthropic', kind: 'anthropic', baseUrl: undefined, key: undefined, models: [] },
          { name: 'openai', kind: 'openai', baseUrl: undefined, key: undefined, models: [] },
        ],
        fallback: [],
        aliases: {},
        prices: {},
        maxOutputTokens: 8192,
        stallMs: 120_000,
      },
      budget: { day: 10_000_000, month: 100_000_000, conversation: 5_000_000 },
      filesSocket: undefined,
      rules: { allow: [], ask: [], deny: [] },
      servers: [],
      logLevel: 'info',
    });
  });

  it('takes what the file, the flags and the environment say', () => {
    const toml = `${AUTH}algorithm = "HS256"
jwt_secret = "${SECRET}"
revocations_url = "https://inside.spoq.dev/list.jwt"

[server]
port = 9000
socket = "/run/from-file.sock"

[ai]
provider = "openai"
model = "gpt-x"
max_output_tokens = 100
timeout_seconds = 1.5
anthropic_base_url = "https://not-this.test"
openai_base_url = "https://models.test/v1"
fallback = ["anthropic/claude-haiku-5-5", "local/qwen"]
aliases = { fast = "local/qwen" }

[ai.providers.local]
base_url = "http://127.0.0.1:11434/v1"
models = ["qwen"]

[prices."local/qwen"]
input = 0
output = 0

[prices."gpt-x"]
input = 1
cached_input = 0.1
output = 2

[budget]
day_usd = 2.5
conversation_usd = 0

[rules]
deny = ["shell(git push)"]

[mcp.issues]
command = "issues"
args = ["--stdio"]
`;
    const env = { OPENAI_API_KEY: 'sk-o', ANTHROPIC_API_KEY: 'sk-a', LOG_LEVEL: 'warn' };
    expect(loadConfig({ toml, path: 'config.toml', port: '0', socket: '/tmp/x.sock', env })).to.deep.equal({
      port: 0,
      socket: '/tmp/x.sock',
      ownerId: OWNER,
      hostname: 'alice.spoq.dev',
      issuer: 'https://spoq.dev',
      keys: { algorithm: 'HS256', secret: SECRET },
      revocationsUrl: 'https://inside.spoq.dev/list.jwt',
      ai: {
        provider: 'openai',
        model: 'gpt-x',
        providers: [
          { name: 'anthropic', kind: 'anthropic', baseUrl: 'https://not-this.test', key: 'sk-a', models: [] },
          { name: 'openai', kind: 'openai', baseUrl: 'https://models.test/v1', key: 'sk-o', models: [] },
          { name: 'local', kind: 'compatible', baseUrl: 'http://127.0.0.1:11434/v1', key: undefined, models: ['qwen'] },
        ],
        fallback: ['anthropic/claude-haiku-5-5', 'local/qwen'],
        aliases: { fast: 'local/qwen' },
        prices: { 'local/qwen': { input: 0, output: 0 }, 'gpt-x': { input: 1, cached_input: 0.1, output: 2 } },
        maxOutputTokens: 100,
        stallMs: 1500,
      },
      budget: { day: 2_500_000, month: 100_000_000, conversation: 0 },
      filesSocket: undefined,
      rules: { allow: [], ask: [], deny: ['shell(git push)'] },
      servers: [{ name: 'issues', command: 'issues', args: ['--stdio'], env: {} }],
      logLevel: 'warn',
    });
  });

  it('takes no provider that there is not, and none of one of its own twice', () => {
    const ai = (text: string): unknown => readFaults({ toml: `${GOOD}\n[ai]\n${text}` });
    expect(ai('provider = "other"')).to.deep.equal([
      { field: 'ai.provider', message: 'must be one of anthropic, openai' },
    ]);
    expect(ai('[ai.providers.openai]\nbase_url = "http://localhost:1"')).to.deep.equal([
      { field: 'ai.providers.openai', message: 'is there already; its address is ai.openai_base_url' },
    ]);
    expect(ai('provider = "local"\n[ai.providers.local]\nbase_url = "http://localhost:1"')).to.deep.equal([
      { field: 'ai.model', message: 'needed when ai.provider is local' },
    ]);
  });

  it('names every fault at once', () => {
    const toml = `[server]
host = "0.0.0.0"
port = 70000

[auth]
owner_id = "alice"
issuer = "spoq.dev"

[ai]
provider = "Other"
max_output_tokens = 0

[budget]
day_usd = -1

[prices.m]
input = 1
`;
    const fields = readFaults({ toml, port: 'http', env: { LOG_LEVEL: 'loud' } }).map(({ field }) => field);
    expect(fields).to.deep.equal([
      '--port',
      'LOG_LEVEL',
      'server.host',
      'server.port',
      'auth.owner_id',
      'auth.hostname',
      'auth.issuer',
      'ai.provider',
      'ai.max_output_tokens',
      'budget.day_usd',
      'prices.m.output',
    ]);
  });

  const faults: {
    name: string;
    sources: Partial<ConfigSources>;
    fault: { field: string; message: string | RegExp };
  }[] = [
    {
      name: 'no JWKS',
      sources: { toml: AUTH },
      fault: { field: 'auth.jwks_url', message: 'needed when auth.algorithm is RS256' },
    },
    {
      name: 'a rule that is none',
      sources: { toml: `${GOOD}[rules]\nask = ["shel(ls)"]\n` },
      fault: { field: 'rules.ask', message: /'shel\(ls\)' is no rule/ },
    },
    {
      name: 'a server without a command',
      sources: { toml: `${GOOD}[mcp.x]\nargs = []\n` },
      fault: { field: 'mcp.x.command', message: /string/ },
    },
    {
      name: 'no secret',
      sources: { toml: `${AUTH}algorithm = "HS256"\n` },
      fault: { field: 'auth.jwt_secret', message: 'needed when auth.algorithm is HS256' },
    },
    {
      name: 'a short secret',
      sources: { toml: `${AUTH}algorithm = "HS256"\njwt_secret = "short"\n` },
      fault: { field: 'auth.jwt_secret', message: /32/ },
    },
    {
      name: 'keys over plain HTTP',
      sources: { toml: `${AUTH}jwks_url = "http://spoq.dev/jwks.json"\n` },
      fault: { field: 'auth.jwks_url', message: 'must be https, or http to this machine' },
    },
    {
      name: 'keys from a file',
      sources: { toml: `${AUTH}jwks_url = "file:///etc/passwd"\n` },
      fault: { field: 'auth.jwks_url', message: 'must be https, or http to this machine' },
    },
    { name: 'a negative port', sources: { port: '-1' }, fault: { field: '--port', message: /65535/ } },
    { name: 'a port too high', sources: { port: '65536' }, fault: { field: '--port', message: /65535/ } },
    { name: 'no port in --port', sources: { port: '' }, fault: { field: '--port', message: /65535/ } },
  ];
  for (const { name, sources, fault } of faults) {
    it(`refuses ${name}`, () => {
      const [first, ...others] = readFaults(sources);
      expect(others).to.deep.equal([]);
      expect(first?.field).to.equal(fault.field);
      expect(first?.message).to.match(
        fault.message instanceof RegExp ? fault.message : new RegExp(`^${fault.message}$`),
      );
    });
  }

  for (const host of ['127.0.0.1:4000', 'localhost:4000', 'spoq.localhost:4000', '[::1]:4000']) {
    it(`takes keys over plain HTTP from this machine: ${host}`, () => {
      expect(readFaults({ toml: `${AUTH}jwks_url = "http://${host}/.well-known/jwks.json"\n` })).to.deep.equal([]);
    });
  }

  it('says where the TOML is broken without showing the line, which may hold a secret', () => {
    const [fault] = readFaults({ toml: `[auth]\njwt_secret = "${SECRET}\n` });
    expect(fault?.field).to.equal('file');
    expect(fault?.message).to.match(/TOML/);
    expect(JSON.stringify(fault)).not.to.include(SECRET);
  });
});
