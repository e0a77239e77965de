import { expect } from 'chai';
import { redactText } from './secret-text.ts';

/** Made up on the spot, in pieces, so that no scanner takes this file for a leak. */
const random = (length: number): string => 'aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA'.repeat(4).slice(0, length);

const SECRETS: [string, string][] = [
  ['an AWS key', `AKIA${'ABCDEFGH23456777'}`],
  ['a GitHub token', `ghp_${random(36)}`],
  ['a GitHub token', `github_pat_${random(40)}`],
  ['a GitLab token', `glpat-${random(20)}`],
  ['a Stripe key', `sk_live_${random(24)}`],
  ['a Stripe key', `whsec_${random(32)}`],
  ['a Slack token', `xoxb-${'1234567890'}-${random(20)}`],
  ['a Google key', `AIza${random(35)}`],
  ['an Anthropic key', `sk-ant-api03-${random(40)}`],
  ['an OpenAI key', `sk-proj-${random(40)}`],
  ['an npm token', `npm_${random(36)}`],
  ['a Hugging Face token', `hf_${random(34)}`],
  ['a Spoq token', `spoq_${random(43)}`],
  ['a JSON Web Token', `eyJ${random(20)}.eyJ${random(30)}.${random(40)}`],
];

describe('redactText', () => {
  for (const [kind, secret] of SECRETS) {
    it(`withholds ${kind}: ${secret.slice(0, 9)}…`, () => {
      expect(redactText(`one\nkey is ${secret} here`)).to.deep.equal({
        text: `one\nkey is [withheld by spoq: looks like ${kind}] here`,
        withheld: [{ kind, line: 2 }],
      });
    });
  }

  it('withholds a private key whole and keeps the number of lines', () => {
    const key = ['-----BEGIN OPENSSH PRIVATE KEY-----', random(64), random(64), '-----END OPENSSH PRIVATE KEY-----'];
    expect(redactText(['a', ...key, 'b'].join('\n'))).to.deep.equal({
      text: 'a\n[withheld by spoq: looks like a private key]\n\n\n\nb',
      withheld: [{ kind: 'a private key', line: 2 }],
    });
  });

  it('withholds a private key on one line, and one whose end is missing', () => {
    const escaped = JSON.stringify({ key: `-----BEGIN PRIVATE KEY-----\n${random(64)}\n-----END PRIVATE KEY-----\n` });
    expect(redactText(escaped).text).to.equal('{"key":"[withheld by spoq: looks like a private key]\\n"}');
    expect(redactText(`-----BEGIN RSA PRIVATE KEY-----\n${random(64)}\n${random(64)}`).text).to.not.contain(random(10));
  });

  const NOTE = '[withheld by spoq: looks like a password or key]';
  const WITHHELD = [
    ["password = 'Tr0ub4dor&3'", "password = '[withheld by spoq: looks like a password or key]'"],
    ['DB_PASSWORD=x9!kLm2#pQ', 'DB_PASSWORD=[withheld by spoq: looks like a password or key]'],
    ['  api_key: 9f8e7d6c5b4a39281706f5e4', '  api_key: [withheld by spoq: looks like a password or key]'],
    ['{"client_secret": "q8Zt-4hVn2LwX0"}', '{"client_secret": "[withheld by spoq: looks like a password or key]"}'],
    ['export AUTH_TOKEN=abc123def456ghi7', 'export AUTH_TOKEN=[withheld by spoq: looks like a password or key]'],
    [
      'postgres://app:h7Gq2mXz@db:5432/app',
      'postgres://app:[withheld by spoq: looks like a password in a URL]@db:5432/app',
    ],
    [
      `Authorization: Bearer ${random(30)}`,
      'Authorization: Bearer [withheld by spoq: looks like an authorization header]',
    ],
    ["define( 'DB_PASSWORD', 'h7Gq2mXz9p' );", `define( 'DB_PASSWORD', '${NOTE}' );`],
    ['env.setdefault("SECRET_KEY", "a8F3kd92LsPq0Zx7")', `env.setdefault("SECRET_KEY", "${NOTE}")`],
    ['password: str = "h7Gq2mXz9p"', `password: str = "${NOTE}"`],
    ["const apiKey: string | null = 'a8F3kd92LsPq0Zx7';", `const apiKey: string | null = '${NOTE}';`],
    ['const API_KEY: &str = "a8F3kd92LsPq0Zx7";', `const API_KEY: &str = "${NOTE}";`],
    ['<add key="ApiKey" value="a8F3kd92LsPq0Zx7" />', `<add key="ApiKey" value="${NOTE}" />`],
    ['<db.password>h7Gq2mXz9p</db.password>', `<db.password>${NOTE}</db.password>`],
    ['AccountName=a;AccountKey=a8F3kd92LsPq0Zx7+w==;Suffix=b', `AccountName=a;AccountKey=${NOTE};Suffix=b`],
    ['machine git.example login me password h7Gq2mXz9p', `machine git.example login me password ${NOTE}`],
    ['curl -fsS -u admin:h7Gq2mXz9p https://a.example', `curl -fsS -u admin:${NOTE} https://a.example`],
  ] as const;
  for (const [text, expected] of WITHHELD) {
    it(`withholds the value alone: ${text.slice(0, 20)}…`, () => expect(redactText(text).text).to.equal(expected));
  }

  const KEPT = [
    'password = process.env.DB_PASSWORD2',
    'const token = await getToken(session2);',
    'token: string; secret?: number1234',
    'password: changeme',
    'Keeps hashes of a password: argon2id to check it',
    "secret = 'github-client-secret'",
    'const key = `spoq_${randomToken()}`;',
    'spoq_provisioning_duration_seconds 12',
    'postgres://postgres:postgres@localhost/app',
    'see https://example.com/path?token=1',
    "t('password', 'login.password2'); fail('token', 'Token 12 is not valid')",
    '<password>${env.DB_PASSWORD2}</password><token>changeme</token>',
    'function check(password: string, salt = "none"): boolean',
    'docker run -u node:1000 image; date -u +%s:%N',
    '"integrity": "sha512-kAm1Xh2Zq9o0PzQn3v=="',
    'sk-learn-contrib-project-template',
    '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----',
    "if (line.startsWith('-----BEGIN PRIVATE KEY-----')) throw new Error();",
  ];
  for (const text of KEPT) {
    it(`keeps ${text.slice(0, 40)}`, () => expect(redactText(text)).to.deep.equal({ text, withheld: [] }));
  }

  it('finds several, in order of lines', () => {
    const text = `A_TOKEN=${random(20)}\nplain\nAKIA${'ABCDEFGH23456777'}\n`;
    expect(redactText(text).withheld).to.deep.equal([
      { kind: 'a password or key', line: 1 },
      { kind: 'an AWS key', line: 3 },
    ]);
  });

  it('takes linear time on hostile text', () => {
    const started = performance.now();
    for (const piece of [
      '-----BEGIN PRIVATE KEY-----',
      'token',
      'a://',
      'password="',
      'eyJaaaaaaaa.',
      '  - ',
      'bearer ',
      'password: ',
      '<token>',
      '"token",',
      'token" value=',
      'machine a login b ',
      ' -u a:',
    ]) {
      redactText(piece.repeat(Math.ceil(256_000 / piece.length)));
    }
    expect(performance.now() - started).to.be.below(10_000);
  });
});
