import {
  announceSigningKey,
  listSigningKeys,
  replaceSigningKeys,
  type SigningKeyView,
} from '../commands/signing-keys.ts';
import type { WorkerDeps } from '../jobs/worker-deps.ts';
import { printTable } from './print.ts';
import type { Agree } from './rollout.ts';

export const KEY_ACTIONS = ['list', 'rotate'] as const;
export type KeyAction = (typeof KEY_ACTIONS)[number];

const AHEAD = `Another key is published now and signs in 15 minutes, when every box has it.
The one that signs today stays published until its last token has expired. Nobody is signed out, and no token is refused.`;
const NOW = `Another key signs at once, and every other is taken back with the tokens that it signed.
Within a minute boxes refuse those; programs renew them by themselves, and nobody is signed out. A box that has asked for the keys in the
last half minute refuses new tokens until that is over.`;

/**
 * Shows the keys that sign tokens, or brings the next one in, and answers all of them.
 * @throws SpoqError `conflict` in HS256 mode, and what `agree` throws
 */
export async function runKeys(
  deps: WorkerDeps,
  action: KeyAction,
  flags: { now?: boolean },
  agree: Agree,
): Promise<SigningKeyView[]> {
  if (action === 'rotate') {
    await agree(flags.now === true ? NOW : AHEAD);
    await (flags.now === true ? replaceSigningKeys : announceSigningKey)(deps);
  }
  return listSigningKeys(deps);
}

export function printKeys(keys: SigningKeyView[]): string {
  if (keys.length === 0) return 'There are no keys yet: the first token makes one.';
  const rows = keys.map((key) => [key.kid, describeState(key), formatTime(key.created_at)]);
  return printTable(['KEY', 'STATE', 'MADE'], rows);
}

function describeState({ state, signs_at: signsAt, published_until: until }: SigningKeyView): string {
  if (signsAt !== null) return `${state}: signs from ${formatTime(signsAt)}`;
  return until === null ? state : `${state}: its tokens end by ${formatTime(until)}`;
}

const formatTime = (at: Date) => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
