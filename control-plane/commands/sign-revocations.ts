import type { RevocationClaims } from '../../contract/auth.ts';
import { listRevokedFamilies } from '../db/refresh-tokens.ts';
import { findLiveBoxByHostname } from '../db/user-vps.ts';
import { findUser } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { signForBox } from './sign-for-box.ts';
import { tokenLifeMs } from './signing-keys.ts';

/** Boxes ask twice a minute; nobody keeps an old list for longer than this. */
const LIST_SECONDS = 120;
/** A list of these has 20 kB. Above it all devices of the person have to renew their tokens instead. */
const MOST_LISTED = 500;

/**
 * The signed list of what the box of that host name has to refuse; undefined when there is no such box. It tells a stranger
 * that devices were signed out, and how many, in the last quarter of an hour: device ids are random.
 */
export async function signRevocations(
  deps: Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>,
  hostname: string,
): Promise<string | undefined> {
  const box = await findLiveBoxByHostname(deps.db, hostname);
  const owner = box === undefined ? undefined : await findUser(deps.db, box.user_id);
  if (box === undefined || owner === undefined) return undefined;
  const now = deps.now();
  const since = new Date(now.getTime() - tokenLifeMs(deps));
  const revoked = await listRevokedFamilies(deps.db, owner.id, since);
  const isLong = revoked.length > MOST_LISTED;
  const notBefore = isLong ? revoked[0]?.revoked_at : owner.devices_signed_out_at;
  const issuedAt = Math.floor(now.getTime() / 1000);
  const claims: RevocationClaims = {
    iss: deps.config.BASE_URL,
    aud: box.hostname,
    iat: issuedAt,
    exp: issuedAt + LIST_SECONDS,
    revoked: isLong ? [] : revoked.map((one) => one.family_id),
    // Rounded up: tokens carry whole seconds, and one of the same second may have been issued before.
    ...(notBefore != null && notBefore > since ? { not_before: Math.ceil(notBefore.getTime() / 1000) } : {}),
  };
  return signForBox(deps, box, 'revocations+jwt', claims);
}
