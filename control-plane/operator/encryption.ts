import { SpoqError } from '../../contract/errors.ts';
import { readEncryptionStatus, rotateEncryption, type EncryptionStatus } from '../commands/rotate-encryption.ts';
import type { Deps } from '../deps.ts';
import { printTable } from './print.ts';

export const ENCRYPTION_ACTIONS = ['status', 'rotate'] as const;
export type EncryptionAction = (typeof ENCRYPTION_ACTIONS)[number];

/**
 * Tells by which keys the database is sealed; `rotate` seals everything with the first of ENCRYPTION_KEY before.
 * @throws SpoqError `cancelled` when it is interrupted: what is sealed anew stays so
 */
export async function runEncryption(
  deps: Pick<Deps, 'cipher' | 'db' | 'now'>,
  action: EncryptionAction,
  { signal, say }: { signal: AbortSignal; say: (text: string) => void },
): Promise<EncryptionStatus> {
  if (action === 'status') return readEncryptionStatus(deps);
  try {
    const { status } = await rotateEncryption(deps, {
      signal,
      tell: ({ column, resealed, unreadable }) =>
        say(`${column}: ${resealed} sealed anew${unreadable === 0 ? '' : `, ${unreadable} that no key opens`}`),
    });
    return status;
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new SpoqError('cancelled', {
      detail: 'What was sealed anew stays so; both keys are needed until all of it is.',
      next: 'Go on with `npm run operator -- encryption rotate`.',
      cause,
    });
  }
}

export function printEncryption({ key_id, columns, left }: EncryptionStatus): string {
  const rows = columns.flatMap(({ column, keys }) =>
    Object.entries(keys).map(([id, count]) => [column, id, String(count), id === key_id ? 'seals' : '']),
  );
  const table = rows.length === 0 ? 'Nothing is sealed yet.' : printTable(['COLUMN', 'KEY', 'VALUES', ''], rows);
  const end =
    left === 0
      ? `Everything is sealed with the key ${key_id}, the first of ENCRYPTION_KEY. Every other key may be removed from it.`
      : `${left} value${left === 1 ? ' is' : 's are'} sealed with other keys than ${key_id}: keep those in ENCRYPTION_KEY.`;
  return `${table}\n${end}`;
}
