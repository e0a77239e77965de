import type { Db } from './connect.ts';

/** A column of what is sealed with ENCRYPTION_KEY. */
export interface SealedColumn {
  table: string;
  column: string;
  /** What names a row. */
  key: string;
  /** The column that its context ends with; see the `contextOf` of whoever seals it. */
  of: string;
  context: string;
}

/** All of them. A test compares this with the schema and with what is really written. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'signing_keys', column: 'private_jwk_sealed', key: 'kid', of: 'kid', context: 'signing_keys' },
  { table: 'ssh_passwords', column: 'crypt_sealed', key: 'user_id', of: 'user_id', context: 'ssh_passwords.crypt' },
  { table: 'user_vps', column: 'ssh_password_crypt', key: 'id', of: 'user_id', context: 'ssh_passwords.crypt' },
  { table: 'user_vps', column: 'jwt_secret', key: 'id', of: 'id', context: 'user_vps.jwt_secret' },
  { table: 'refresh_tokens', column: 'successor_sealed', key: 'id', of: 'id', context: 'refresh_tokens.successor' },
  { table: 'boot_tokens', column: 'token_sealed', key: 'user_vps_id', of: 'user_vps_id', context: 'boot_tokens' },
];

export interface SealedValue {
  /** Of the row. */
  key: string;
  sealed: string;
  context: string;
}

/** Up to `limit` values that another key than `keyId` has sealed, of rows after `after`. */
export async function listValuesOfOtherKeys(
  db: Db,
  { table, column, key, of, context }: SealedColumn,
  options: { keyId: string; after: string; limit: number },
): Promise<SealedValue[]> {
  const rows = await db(table)
    .select({ key, sealed: column, of })
    .whereNotNull(column)
    .whereRaw('?? NOT LIKE ?', [column, `v2.${options.keyId}.%`])
    .whereRaw('??::text > ?', [key, options.after])
    .orderByRaw('??::text', [key])
    .limit(options.limit);
  return rows.map((row) => ({ key: String(row.key), sealed: String(row.sealed), context: `${context}:${row.of}` }));
}

/** Puts `sealed` in the place of what was read; false when somebody has written another value meanwhile. */
export async function replaceSealedValue(
  db: Db,
  { table, column, key }: SealedColumn,
  value: SealedValue,
  sealed: string,
): Promise<boolean> {
  return (
    (await db(table)
      .where({ [key]: value.key, [column]: value.sealed })
      .update({ [column]: sealed })) === 1
  );
}

/** How many values of a column each key has sealed. `v1`: before keys had ids. `none`: not sealed at all. */
export async function countSealedValues(
  db: Db,
  { table, column }: SealedColumn,
): Promise<{ key_id: string; count: number }[]> {
  const kind = `CASE WHEN ?? LIKE 'v2.%' THEN split_part(??, '.', 2) WHEN ?? LIKE 'v1.%' THEN 'v1' ELSE 'none' END`;
  const { rows } = await db.raw<{ rows: { key_id: string; count: string }[] }>(
    `SELECT ${kind} AS key_id, count(*) FROM ?? WHERE ?? IS NOT NULL GROUP BY 1 ORDER BY 1`,
    [column, column, column, table, column],
  );
  return rows.map(({ key_id, count }) => ({ key_id, count: Number(count) }));
}
