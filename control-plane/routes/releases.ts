import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Router } from '@koa/router';
import type { Context } from 'koa';
import { SpoqError } from '../../contract/errors.ts';
import { isVersion } from '../../contract/release.ts';
import type { Deps } from '../deps.ts';
import { findVersion, loadRelease, RELEASE_NAME, type Release } from '../releases.ts';
import { createFileDigests, sendFile } from './send-file.ts';

/** A version's own folder never changes; the release itself is replaced by the next one. */
const FOR_EVER = 'public, max-age=31536000, immutable';
const ASK_FIRST = 'no-cache';

const TYPES: Record<string, string> = {
  SHA256SUMS: 'text/plain',
  minisig: 'text/plain',
  pub: 'text/plain',
  json: 'application/json',
};

/** GET /releases/<file>, /releases/<version>/<file>, and /install.sh, which downloads and checks them. */
export function createReleaseRoutes(deps: Pick<Deps, 'config' | 'log'>): Router {
  const router = new Router();
  const { config } = deps;
  const folder = resolve(config.RELEASES_DIR);
  const digests = createFileDigests();

  router.get('/install.sh', (ctx) => {
    ctx.type = 'text/plain; charset=utf-8';
    try {
      const release = loadRelease(config);
      if (release === undefined) return refuse(ctx, 'there is no release here yet');
      const script = renderInstallScript(config.BASE_URL, release);
      ctx.set('Cache-Control', ASK_FIRST);
      ctx.etag = createHash('sha256').update(script).digest('hex');
      ctx.status = 200;
      if (ctx.fresh) ctx.status = 304;
      else ctx.body = script;
    } catch (err) {
      if (!(err instanceof SpoqError)) throw err;
      deps.log.error({ err }, 'the release is not offered: its signature does not hold');
      refuse(ctx, "the release here is not signed with Spoq's key");
    }
  });

  router.get('/releases/:file', async (ctx) => {
    const name = String(ctx['params'].file);
    if (RELEASE_NAME.test(name) && (await send(ctx, join(folder, name), ASK_FIRST))) return;
    throw missing(name);
  });

  router.get('/releases/:version/:file', async (ctx) => {
    const { version, file: name } = ctx['params'] as { version: string; file: string };
    if (!isVersion(version) || !RELEASE_NAME.test(name)) throw missing(name);
    const found = findVersion(folder, version);
    if (found !== undefined && (await send(ctx, join(found.folder, name), found.final ? FOR_EVER : ASK_FIRST))) return;
    throw missing(name);
  });

  function send(ctx: Context, path: string, cacheControl: string): Promise<boolean> {
    const type = TYPES[path.split(/[./]/).at(-1) ?? ''];
    return sendFile(ctx, { path, type: type ?? 'application/octet-stream', cacheControl }, digests);
  }
  return router;
}

function missing(name: string): SpoqError {
  return new SpoqError('not_found', {
    detail: `There is no release named ${RELEASE_NAME.test(name) ? name : 'so'} on this server.`,
    next: 'See /releases/SHA256SUMS for what there is. Whoever runs this server makes releases with `npm run release`.',
  });
}

/** The answer is piped into a shell, whatever its status says: so it is a script as well, and does nothing but say why. */
function refuse(ctx: Context, why: string): void {
  ctx.status = 503;
  ctx.set('Cache-Control', 'no-store');
  ctx.body = `#!/bin/sh\nprintf 'spoq: ${quoteInside(why)}; nothing was installed\\n' >&2\nexit 1\n`;
}

/** The script with our address in it, and with what it shall trust. Throws `release_invalid` as its parts do. */
export function renderInstallScript(baseUrl: string, release: Release): string {
  const values: Record<string, string> = {
    BASE_URL: `'${quoteInside(baseUrl)}'`,
    VERSION: release.version,
    SUMS_SHA256: release.sumsDigest,
    KEY: release.key.text,
    // In base64 the first 12 bytes of a SubjectPublicKeyInfo for Ed25519 (RFC 8410) are these 16 letters.
    KEY_PEM: `MCowBQYDK2VwAyEA${release.key.raw.toString('base64')}`,
  };
  const template = readFileSync(join(import.meta.dirname, '../install.sh'), 'utf8');
  return template.replaceAll(/@([A-Z0-9_]+)@/g, (whole, name: string) => values[name] ?? whole);
}

/** For between single quotes of a shell. */
function quoteInside(text: string): string {
  return text.replaceAll("'", String.raw`'\''`);
}
