import { createServer } from 'node:http';
import Koa, { type Context } from 'koa';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';
import { createProblemMiddleware } from '../middleware/problem.ts';
import { createPages } from '../pages/pages.ts';
import { createReleaseRoutes } from '../routes/releases.ts';
import { parseRange } from '../routes/send-file.ts';

export interface ReleaseServer {
  url: string;
  /** What stands between us and who downloads: by the last part of the path, in place of our answer. */
  tampered: Map<string, (ctx: Context) => void>;
  /** Paths that were asked for. */
  asked: string[];
  close: () => Promise<void>;
}

/** The real routes of releases over HTTP. `publicKey` is RELEASES_PUBLIC_KEY. */
export async function startReleaseServer(folder: string, publicKey: string): Promise<ReleaseServer> {
  const server = createServer();
  const { url } = await listenOnFreePort(server);
  const log = { error: () => {}, warn: () => {} };
  const config = { RELEASES_DIR: folder, RELEASES_PUBLIC_KEY: publicKey, BASE_URL: url };
  type Needs = Parameters<typeof createReleaseRoutes>[0] & Parameters<typeof createProblemMiddleware>[0];
  const deps = { log, config, pages: createPages() } as unknown as Needs;
  const tampered: ReleaseServer['tampered'] = new Map();
  const asked: string[] = [];
  const app = new Koa();
  app.on('error', () => {});
  app.use(createProblemMiddleware(deps));
  app.use((ctx, next) => {
    asked.push(ctx.path);
    const act = tampered.get(ctx.path.split('/').at(-1) ?? '');
    return act === undefined ? next() : act(ctx);
  });
  app.use(createReleaseRoutes(deps).routes());
  server.on('request', app.callback());
  return { url, tampered, asked, close: () => closeServer(server) };
}

/** Announces the whole and breaks off in the middle. */
export function cutOff(content: Buffer): (ctx: Context) => void {
  return (ctx) => {
    ctx.respond = false;
    ctx.res.writeHead(200, { 'content-length': content.length });
    ctx.res.write(content.subarray(0, content.length / 2), () => ctx.res.destroy());
  };
}

/**
 * Announces the whole from where it is asked for, and breaks off after `bytes`, every other time before the first of them: only who
 * goes on from there ever has it all.
 */
export function cutEvery(content: Buffer, bytes: number): (ctx: Context) => void {
  let count = 0;
  return (ctx) => {
    const most = count++ % 2 === 0 ? 0 : bytes;
    const asked = parseRange(ctx.get('Range'), content.length);
    const start = typeof asked === 'object' ? asked.start : 0;
    const rest = content.subarray(start);
    const range = `bytes ${start}-${content.length - 1}/${content.length}`;
    ctx.respond = false;
    ctx.res.writeHead(start === 0 ? 200 : 206, {
      'content-length': rest.length,
      ...(start === 0 ? {} : { 'content-range': range }),
    });
    if (most > 0 && rest.length <= most) ctx.res.end(rest);
    else ctx.res.write(rest.subarray(0, most), () => ctx.res.destroy());
  };
}
