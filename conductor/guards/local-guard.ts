import type { IncomingMessage } from 'node:http';
import { SpoqError } from '../../contract/errors.ts';
import { readHeaderValues } from '../web.ts';
import { findPeer, isRun } from './peer.ts';
import type { FindPeer } from './peer.ts';
import type { Middleware } from '../web.ts';

/** Set by proxies (RFC 7239, RFC 9110 §7.6.3, and by custom) and by browsers: neither belongs on this listener. */
const FOREIGN_HEADERS = ['origin', 'forwarded', 'via', 'x-real-ip'];
const LOCAL_HOST = /^(localhost|127\.0\.0\.1)(:\d{1,5})?$/i;

export interface LocalGuardDeps {
  /** Whether a run is open: only then is it worth the time to look who asks. */
  hasRuns: () => boolean;
  findPeer?: FindPeer;
}

/**
 * The local listener trusts its peer, so it takes only what a program of this machine would send: nothing that came
 * through a proxy, from a web page, or for another name (a name that an attacker resolves to 127.0.0.1). And nothing of a run,
 * though none has a way here: what runs on the box must not approve itself.
 */
export function createLocalGuard({ hasRuns, findPeer: find = findPeer }: LocalGuardDeps): Middleware {
  return async (ctx, next) => {
    const reason = findForeignSign(ctx.req) ?? (hasRuns() ? await findRunSign(ctx.req, find) : undefined);
    if (reason === undefined) return next();
    throw new SpoqError('forbidden', {
      detail: `This address serves programs of this machine only, and the request ${reason}.`,
      next: 'From another computer, use the https address of the box.',
    });
  };
}

/** Who has let the connection go doesn't wait for an answer, and doesn't say whose it was. */
async function findRunSign({ socket }: IncomingMessage, find: FindPeer): Promise<string | undefined> {
  const peer = await find(socket);
  if (peer === 'unknown') return undefined;
  if (peer === 'gone') return 'comes from a connection that is gone';
  return isRun(peer.uid) ? 'comes from a run' : undefined;
}

function findForeignSign(req: IncomingMessage): string | undefined {
  for (const name of Object.keys(req.headers)) {
    if (FOREIGN_HEADERS.includes(name) || name.startsWith('x-forwarded')) return `has a header ${name}`;
  }
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none') return 'comes from a web page';
  const [host, ...others] = readHeaderValues(req, 'host');
  if (host === undefined || others.length > 0 || !LOCAL_HOST.test(host)) return 'is not for localhost';
  return undefined;
}
