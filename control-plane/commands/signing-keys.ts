import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Jwks } from '../../contract/auth.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import {
  insertSigningKey,
  listAllSigningKeys,
  listPublishedSigningKeys,
  listUnretiredSigningKeys,
  retireOtherSigningKeys,
  withdrawOtherSigningKeys,
  type SigningKeyRow,
} from '../db/signing-keys.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';

type KeyDeps = Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>;

/** After so long another key is made. */
const SIGNING_KEY_DAYS = 90;
/** It is published for so long before it signs: boxes ask for the keys every ten minutes. */
const PUBLISH_AHEAD_MINUTES = 15;
/** Clocks of boxes may be behind: to them a token lives for a little longer. */
const CLOCK_SKEW_SECONDS = 300;

/** The private key that signs now. The first use makes one, and uses after 90 days bring the next one in. */
export async function loadSigningKey(deps: KeyDeps): Promise<{ kid: string; jwk: JWK }> {
  const found = await listUnretiredSigningKeys(deps.db);
  const rows = findChange(deps, found) === undefined ? found : await renewSigningKeys(deps);
  const row = findSigner(deps, rows);
  if (row === undefined) throw new Error('There is no signing key');
  const jwk = JSON.parse(deps.cipher.decrypt(row.private_jwk_sealed, contextOf(row.kid))) as JWK;
  return { kid: row.kid, jwk };
}

/**
 * Brings the next key in before its time: it is published now and signs after 15 minutes, when every box has it. Nobody's token
 * is refused meanwhile. One that is already on its way stays the next one. Answers when it signs.
 * @throws SpoqError `conflict` in HS256 mode
 */
export async function announceSigningKey(deps: KeyDeps): Promise<{ kid: string; signs_at: Date }> {
  refuseSecrets(deps);
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, 'signing_keys');
    const [newest, ...others] = await listUnretiredSigningKeys(tx);
    if (newest !== undefined && others.length > 0 && !isSeasoned(deps, newest))
      return { kid: newest.kid, signs_at: signsAt(newest) };
    const row = await createSigningKey(deps, tx);
    await recordRotation(deps, tx, row.kid, 'signing_key.announced');
    return { kid: row.kid, signs_at: newest === undefined ? row.created_at : signsAt(row) };
  });
}

/**
 * For keys that may have leaked: makes another that signs at once, and takes all others back, with every token that they signed.
 * Devices renew those by themselves. Boxes hear of it when they read the next list of revocations, within a minute.
 * @throws SpoqError `conflict` in HS256 mode
 */
export async function replaceSigningKeys(deps: KeyDeps): Promise<{ kid: string; signs_at: Date }> {
  refuseSecrets(deps);
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, 'signing_keys');
    const row = await createSigningKey(deps, tx);
    await retireOtherSigningKeys(tx, row.kid, deps.now());
    await withdrawOtherSigningKeys(tx, row.kid, deps.now());
    await recordRotation(deps, tx, row.kid, 'signing_key.replaced');
    return { kid: row.kid, signs_at: row.created_at };
  });
}

/** A key as operators see it; nothing of it but its name. */
export interface SigningKeyView {
  kid: string;
  /** `coming`: published, and signs later. `retired`: signs nothing; published while `published_until` is ahead. */
  state: 'coming' | 'signing' | 'retired' | 'withdrawn';
  created_at: Date;
  /** When one that is coming begins. */
  signs_at: Date | null;
  /** When the last token of a retired one has expired. */
  published_until: Date | null;
}

/** Every key there ever was, the newest first. */
export async function listSigningKeys(deps: KeyDeps): Promise<SigningKeyView[]> {
  const rows = await listAllSigningKeys(deps.db);
  const unretired = rows.filter((row) => row.retired_at === null);
  const change = findChange(deps, unretired);
  // What the next token will find: a key whose time has come signs, and those before it don't.
  const inUse = typeof change === 'object' ? unretired.filter((row) => row.kid === change.retireAllBut) : unretired;
  const signer = findSigner(deps, inUse);
  return rows.map((row) => {
    const base = { kid: row.kid, created_at: row.created_at, signs_at: null, published_until: null };
    if (row.withdrawn_at !== null) return { ...base, state: 'withdrawn' };
    if (row.kid === signer?.kid) return { ...base, state: 'signing' };
    if (inUse.includes(row)) return { ...base, state: 'coming', signs_at: signsAt(row) };
    const retiredAt = (row.retired_at ?? deps.now()).getTime();
    return { ...base, state: 'retired', published_until: new Date(retiredAt + tokenLifeMs(deps)) };
  });
}

/** The public keys that tokens still in force can have been signed with. */
export async function listPublicKeys(deps: KeyDeps): Promise<Jwks> {
  if (deps.config.JWT_ALGORITHM === 'RS256') await loadSigningKey(deps);
  const rows = await listPublishedSigningKeys(deps.db, new Date(deps.now().getTime() - tokenLifeMs(deps)));
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
    withdrawn_at: null,
  };
  await insertSigningKey(tx, row);
  return row;
}

function refuseSecrets({ config }: KeyDeps): void {
  if (config.JWT_ALGORITHM === 'RS256') return;
  throw new SpoqError('conflict', {
    detail: 'Tokens are signed with a secret of each box (JWT_ALGORITHM is HS256): there are no keys.',
    next: 'Nothing was changed.',
  });
}

async function recordRotation(deps: KeyDeps, tx: Db, kid: string, action: string): Promise<void> {
  await recordAudit(tx, { at: deps.now(), actor: 'operator', action, detail: { kid } });
}

/** The newest that has been published for long enough; the oldest where none has. */
function findSigner(deps: KeyDeps, rows: SigningKeyRow[]): SigningKeyRow | undefined {
  return rows.find((row) => isSeasoned(deps, row)) ?? rows.at(-1);
}

const contextOf = (kid: string) => `signing_keys:${kid}`;

const isSeasoned = (deps: KeyDeps, row: SigningKeyRow) => ageInMinutes(deps, row) >= PUBLISH_AHEAD_MINUTES;

const signsAt = (row: SigningKeyRow) => new Date(row.created_at.getTime() + PUBLISH_AHEAD_MINUTES * 60_000);

/** So long after it was signed, a token may still be taken by some box. */
export const tokenLifeMs = (deps: Pick<Deps, 'config'>) =>
  (deps.config.JWT_ACCESS_TOKEN_EXPIRY_SECS + CLOCK_SKEW_SECONDS) * 1000;

function ageInMinutes(deps: KeyDeps, row: SigningKeyRow): number {
  return (deps.now().getTime() - row.created_at.getTime()) / 60_000;
}
