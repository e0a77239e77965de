import type { Db } from './connect.ts';

/** Notes that a person uses a browser; answers whether it was known, and whether they are known by any. */
export async function noteBrowser(
  tx: Db,
  userId: string,
  browserHash: string,
  now: Date,
): Promise<{ isKnown: boolean; isFirst: boolean }> {
  const known = await tx('known_browsers').where('user_id', userId).select('browser_hash');
  await tx('known_browsers')
    .insert({ user_id: userId, browser_hash: browserHash, created_at: now, last_used_at: now })
    .onConflict(['user_id', 'browser_hash'])
    .merge({ last_used_at: now });
  return { isKnown: known.some((row) => row.browser_hash === browserHash), isFirst: known.length === 0 };
}

/** Forgets browsers that nobody has signed in with since `before`. */
export async function deleteOldBrowsers(db: Db, before: Date): Promise<number> {
  return db('known_browsers').where('last_used_at', '<', before).delete();
}
