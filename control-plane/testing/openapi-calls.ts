import type { TestDatabase } from '../../test/harness/database.ts';
import type { BoxWorld } from './box-world.ts';
import type { Browser } from './browser.ts';
import type { TestControlPlane } from './control-plane.ts';
import type { GithubServer } from './github-server.ts';

export interface CallContext {
  world: BoxWorld;
  database: TestDatabase;
  github: GithubServer;
  plane: TestControlPlane;
  /** Signed in, with a box that is ready. */
  browser: Browser;
  userId: string;
}

/** Sends a request to the operation at hand and compares the answer with the document. */
export type Send = (init?: {
  /** With its parameters filled in; the operation's own path when it has none. */
  path?: string;
  browser?: Browser;
  headers?: Record<string, string>;
  body?: string | URLSearchParams | undefined;
}) => Promise<Response>;

/** By operation id: requests that together earn every answer that the document tells of. */
export type Calls = Record<string, (send: Send, context: CallContext) => Promise<void>>;

/** What a form of our own pages brings. */
export const OWN_PAGE = { 'sec-fetch-site': 'same-origin', accept: 'text/html' };

/** Fills a limit up, so that the next request is one too many. */
export async function exhaust(database: TestDatabase, key: string): Promise<void> {
  const full = { key, points: 10_000, expire: Date.now() + 60_000 };
  await database.db('rate_limits').insert(full).onConflict('key').merge();
}
