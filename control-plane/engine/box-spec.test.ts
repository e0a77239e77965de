import { expect } from 'chai';
import { createCipher } from '../cipher.ts';
import { loadConfig } from '../config.ts';
import { createJwtSecret } from '../jwt-secret.ts';
import { sealPasswordCrypt } from '../password/hash.ts';
import { createTestEnvironment } from '../testing/environment.ts';
import { buildBoxSpec, type BoxRow } from './box-spec.ts';

describe('buildBoxSpec', () => {
  const config = loadConfig({
    ...createTestEnvironment('postgres://nowhere/spoq'),
    BASE_URL: 'https://spoq.dev',
    BOX_CONTROL_PLANE_URL: 'https://inside.spoq.dev',
  });
  const cipher = createCipher(config.ENCRYPTION_KEY.reveal());
  const ids = { id: '1f0e8a52-9c8d-4a77-8a0d-2d4f5b6c7d8e', user_id: '0b6e3f57-1c1f-4a57-9d0e-6a0b7d3e2f11' };
  const createRow = (change: Partial<BoxRow> = {}): BoxRow => ({
    ...ids,
    provider: 'contabo',
    region: 'EU',
    hostname: 'alice.spoq.dev',
    plan: 'basic',
    ip_address: null,
    status: 'ready',
    operation: null,
    operation_number: 0,
    operation_failure: null,
    machine: 0,
    move: null,
    ssh_password_crypt: sealPasswordCrypt(cipher, ids.user_id, '$6$salt$hash'),
    jwt_secret: createJwtSecret(cipher, ids.id),
    ...change,
  });

  it('sends boxes to where they reach the control plane, and leaves the issuer to people', () => {
    const { auth, releases, report } = buildBoxSpec({ config, cipher }, createRow(), { bootToken: 't'.repeat(43) });
    expect(auth).to.deep.include({
      issuer: 'https://spoq.dev',
      jwks_url: 'https://inside.spoq.dev/.well-known/jwks.json',
    });
    expect(releases.base_url).to.equal('https://inside.spoq.dev/releases');
    expect(report).to.deep.equal({ url: 'https://inside.spoq.dev/api/boot/reports', token: 't'.repeat(43) });
  });

  it('gives a box with a secret of its own the place of its revocations', () => {
    const { auth } = buildBoxSpec({ config: { ...config, JWT_ALGORITHM: 'HS256' }, cipher }, createRow());
    expect({ ...auth, jwt_secret: '' }).to.deep.equal({
      issuer: 'https://spoq.dev',
      algorithm: 'HS256',
      jwt_secret: '',
      revocations_url: 'https://inside.spoq.dev/.well-known/revocations/alice.spoq.dev.jwt',
    });
  });

  it('says the same of the same row, and no report without a token', () => {
    const row = createRow();
    expect(buildBoxSpec({ config, cipher }, row)).to.deep.equal(buildBoxSpec({ config, cipher }, row));
    expect(buildBoxSpec({ config, cipher }, row).report).to.equal(undefined);
  });

  it('lets updates reboot a box at night where it stands', () => {
    const at = (provider: BoxRow['provider'], region: string) =>
      buildBoxSpec({ config, cipher }, createRow({ provider, region })).reboot_time;
    expect([at('contabo', 'EU'), at('contabo', 'US-west'), at('contabo', 'JPN'), at('hostinger', 'gru')]).to.deep.equal(
      ['03:00', '12:00', '19:00', '07:00'],
    );
    expect(at('hostinger', 'a new one')).to.equal('04:00');
  });
});
