import {
  countSealedValues,
  listValuesOfOtherKeys,
  replaceSealedValue,
  SEALED_COLUMNS,
  type SealedColumn,
} from '../db/sealed-columns.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';

/** So many rows are read at once. */
const BATCH = 200;

type RotateDeps = Pick<Deps, 'cipher' | 'db' | 'now'>;

/** What a column holds, by the key that sealed it. */
export interface ColumnKeys {
  /** `<table>.<column>` */
  column: string;
  /** Key id to number of values; `v1` and `none` as countSealedValues says. */
  keys: Record<string, number>;
}

export interface EncryptionStatus {
  /** Of the key that seals: the first of ENCRYPTION_KEY. */
  key_id: string;
  columns: ColumnKeys[];
  /** Values that another key has sealed. */
  left: number;
}

/** By which keys the database is sealed. */
export async function readEncryptionStatus({ cipher, db }: Pick<Deps, 'cipher' | 'db'>): Promise<EncryptionStatus> {
  const columns: ColumnKeys[] = [];
  let left = 0;
  for (const column of SEALED_COLUMNS) {
    const counts = await countSealedValues(db, column);
    for (const { key_id, count } of counts) if (key_id !== cipher.keyId) left += count;
    const keys = Object.fromEntries(counts.map(({ key_id, count }) => [key_id, count]));
    columns.push({ column: toName(column), keys });
  }
  return { key_id: cipher.keyId, columns, left };
}

/** How a column comes along. */
export interface Progress {
  column: string;
  resealed: number;
  /** No key of ENCRYPTION_KEY opens them: they stay as they are. */
  unreadable: number;
}

/**
 * Seals every value anew that another key than the first has sealed. Ends after what is there now, may be ended at any moment and
 * begun again, and changes nothing that is written meanwhile.
 * @param tell after each batch and at the end of each column
 */
export async function rotateEncryption(
  deps: RotateDeps,
  { signal, tell }: { signal: AbortSignal; tell: (progress: Progress) => void },
): Promise<{ status: EncryptionStatus; progress: Progress[] }> {
  const all: Progress[] = [];
  for (const column of SEALED_COLUMNS) all.push(await resealColumn(deps, column, signal, tell));
  const resealed = all.reduce((sum, one) => sum + one.resealed, 0);
  const status = await readEncryptionStatus(deps);
  if (resealed > 0)
    await deps.db.transaction((tx) =>
      recordAudit(tx, {
        at: deps.now(),
        actor: 'operator',
        action: 'encryption.rotated',
        detail: { key_id: status.key_id, resealed: String(resealed), left: String(status.left) },
      }),
    );
  return { status, progress: all };
}

async function resealColumn(
  { cipher, db }: RotateDeps,
  column: SealedColumn,
  signal: AbortSignal,
  tell: (progress: Progress) => void,
): Promise<Progress> {
  const progress = { column: toName(column), resealed: 0, unreadable: 0 };
  for (let after = ''; ;) {
    signal.throwIfAborted();
    const values = await listValuesOfOtherKeys(db, column, { keyId: cipher.keyId, after, limit: BATCH });
    for (const value of values) {
      const plain = tryDecrypt(cipher, value.sealed, value.context);
      if (plain === undefined) progress.unreadable += 1;
      else if (await replaceSealedValue(db, column, value, cipher.encrypt(plain, value.context)))
        progress.resealed += 1;
    }
    tell({ ...progress });
    const last = values.at(-1);
    if (last === undefined || values.length < BATCH) return progress;
    after = last.key;
  }
}

/** Undefined is counted and told: one value of a key that is gone must not keep all others from being sealed anew. */
function tryDecrypt(cipher: Deps['cipher'], sealed: string, context: string): string | undefined {
  try {
    return cipher.decrypt(sealed, context);
  } catch {
    return undefined;
  }
}

function toName({ table, column }: SealedColumn): string {
  return `${table}.${column}`;
}
