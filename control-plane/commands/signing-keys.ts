import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Jwks } from '../../contract/auth.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import {
  insertSigningKey,
  listPublishedSigningKeys,
  listUnretiredSigningKeys,
  retireOtherSigningKeys,
  type SigningKeyRow,
} from '../db/signing-keys.ts';
import type { Deps } from '../deps.ts';

type KeyDeps = Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>;

/** After so long another key is made. */
const SIGNING_KEY_DAYS = 90;
/** It is published for so long before it signs: boxes ask for the keys every ten minutes. */
const PUBLISH_AHEAD_MINUTES = 15;
/** Clocks of boxes may be behind: a retired key stays published for a little longer than its last token lives. */
const CLOCK_SKEW_SECONDS = 300;

/** The private key that signs now. The first use makes one, and uses after 90 days bring the next one in. */
export async function loadSigningKey(deps: KeyDeps): Promise<{ kid: string; jwk: JWK }> {
  const found = await listUnretiredSigningKeys(deps.db);
  const rows = findChange(deps, found) === undefined ? found : await renewSigningKeys(deps);
  const row = rows.find((one) => isSeasoned(deps, one)) ?? rows.at(-1);
  if (row === undefined) throw new Error('There is no signing key');
  const jwk = JSON.parse(deps.cipher.decrypt(row.private_jwk_sealed, contextOf(row.kid))) as JWK;
  return { kid: row.kid, jwk };
}

/**
 * Retires the keys in use at once and makes another: for operators who fear that one has leaked. A box that has just asked for
 * the keys takes tokens of the new one half a minute later.
 */
export async function rotateSigningKey(deps: KeyDeps): Promise<{ kid: string }> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, 'signing_keys');
    const row = await createSigningKey(deps, tx);
    await retireOtherSigningKeys(tx, row.kid, deps.now());
    return { kid: row.kid };
  });
}

/** The public keys that tokens still in force can have been signed with. */
export async function listPublicKeys(deps: KeyDeps): Promise<Jwks> {
  if (deps.config.JWT_ALGORITHM === 'RS256') await loadSigningKey(deps);
  const tokenLife = (deps.config.JWT_ACCESS_TOKEN_EXPIRY_SECS + CLOCK_SKEW_SECONDS) * 1000;
  const rows = await listPublishedSigningKeys(deps.db, new Date(deps.now().getTime() - tokenLife));
  return { keys: rows.map((row) => ({ ...row.public_jwk, kty: 'RSA', kid: row.kid, alg: row.algorithm, use: 'sig' })) };
}

/** Does what is due, once, however many replicas find it due at the same moment: the others wait and find it done. */
async function renewSigningKeys(deps: KeyDeps): Promise<SigningKeyRow[]> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, 'signing_keys');
    const rows = await listUnretiredSigningKeys(tx);
    const change = findChange(deps, rows);
    if (change === 'make') await createSigningKey(deps, tx);
    else if (change !== undefined) await retireOtherSigningKeys(tx, change.retireAllBut, deps.now());
    return listUnretiredSigningKeys(tx);
  });
}

/** What is due: a key when there is none or the newest is old; the end of the others when the newest has begun to sign. */
function findChange(deps: KeyDeps, rows: SigningKeyRow[]): 'make' | { retireAllBut: string } | undefined {
  const [newest, ...others] = rows;
  if (newest === undefined || ageInMinutes(deps, newest) > SIGNING_KEY_DAYS * 24 * 60) return 'make';
  return others.length > 0 && isSeasoned(deps, newest) ? { retireAllBut: newest.kid } : undefined;
}

async function createSigningKey(deps: KeyDeps, tx: Db): Promise<SigningKeyRow> {
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
  await insertSigningKey(tx, row);
  return row;
}

const contextOf = (kid: string) => `signing_keys:${kid}`;

const isSeasoned = (deps: KeyDeps, row: SigningKeyRow) => ageInMinutes(deps, row) >= PUBLISH_AHEAD_MINUTES;

function ageInMinutes(deps: KeyDeps, row: SigningKeyRow): number {
  return (deps.now().getTime() - row.created_at.getTime()) / 60_000;
}
