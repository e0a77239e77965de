import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Jwks } from '../../contract/auth.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import {
  findActiveSigningKey,
  insertSigningKey,
  listPublishedSigningKeys,
  retireSigningKeys,
  type SigningKeyRow,
} from '../db/signing-keys.ts';
import type { Deps } from '../deps.ts';

type KeyDeps = Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>;

/** A key signs for so long; then the next token brings a new one. */
const SIGNING_KEY_DAYS = 90;
/** Clocks of boxes may be behind: a retired key stays published for a little longer than its last token lives. */
const CLOCK_SKEW_SECONDS = 300;

/** The private key that signs now. The first use makes one, and so does the first use after 90 days. */
export async function loadSigningKey(deps: KeyDeps): Promise<{ kid: string; jwk: JWK }> {
  const found = await findActiveSigningKey(deps.db);
  const row = found !== undefined && !isOld(deps, found) ? found : await renewSigningKey(deps);
  const jwk = JSON.parse(deps.cipher.decrypt(row.private_jwk_sealed, contextOf(row.kid))) as JWK;
  return { kid: row.kid, jwk };
}

/** Retires the key in use at once and makes another: for operators who fear that it has leaked. */
export async function rotateSigningKey(deps: KeyDeps): Promise<{ kid: string }> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, 'signing_keys');
    return replaceSigningKey(deps, tx);
  });
}

/** The public keys that tokens still in force can have been signed with. */
export async function listPublicKeys(deps: KeyDeps): Promise<Jwks> {
  if (deps.config.JWT_ALGORITHM === 'RS256') await loadSigningKey(deps);
  const tokenLife = (deps.config.JWT_ACCESS_TOKEN_EXPIRY_SECS + CLOCK_SKEW_SECONDS) * 1000;
  const rows = await listPublishedSigningKeys(deps.db, new Date(deps.now().getTime() - tokenLife));
  return { keys: rows.map((row) => ({ ...row.public_jwk, kty: 'RSA', kid: row.kid, alg: row.algorithm, use: 'sig' })) };
}

/** One key, however many replicas find none at the same moment: the others wait for the lock and take what they find then. */
async function renewSigningKey(deps: KeyDeps): Promise<SigningKeyRow> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, 'signing_keys');
    const found = await findActiveSigningKey(tx);
    return found !== undefined && !isOld(deps, found) ? found : replaceSigningKey(deps, tx);
  });
}

async function replaceSigningKey(deps: KeyDeps, tx: Db): Promise<SigningKeyRow> {
  const pair = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk, 'sha256');
  const row: SigningKeyRow = {
    kid,
    algorithm: 'RS256',
    public_jwk: publicJwk,
    private_jwk_sealed: deps.cipher.encrypt(JSON.stringify(await exportJWK(pair.privateKey)), contextOf(kid)),
    created_at: deps.now(),
    retired_at: null,
  };
  await retireSigningKeys(tx, deps.now());
  await insertSigningKey(tx, row);
  return row;
}

const contextOf = (kid: string) => `signing_keys:${kid}`;

function isOld(deps: KeyDeps, row: SigningKeyRow): boolean {
  return deps.now().getTime() - row.created_at.getTime() > SIGNING_KEY_DAYS * 86_400_000;
}
