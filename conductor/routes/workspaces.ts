import type { Readable } from 'node:stream';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { FetchRequest, FRAMES_TYPE, ScanRequest, WorkspaceName } from '../../contract/workspaces.ts';
import type { Files } from '../files/client.ts';
import type { FilesRequest } from '../files/envelope.ts';
import { readJsonBody } from '../json-body.ts';
import type { Context } from '../web.ts';
import type { RouteTable } from './routes.ts';

/** A list of 10,000 allowed paths, or of 20,000 contents to fetch. */
const SCAN_BYTES = 2 * 1024 * 1024;
const FETCH_BYTES = 4 * 1024 * 1024;

/** The addresses of workspaces: each is carried on to the program that sees the owner's home. */
export function createWorkspaceRoutes(files: Files): RouteTable {
  return {
    'GET /api/workspaces': async (ctx) => {
      ctx.body = await ask(files, { operation: 'list', workspace: '' });
    },
    'POST /api/workspaces/:name/scan': async (ctx) => {
      const parameters = parseInput(ScanRequest, await readJsonBody(ctx, SCAN_BYTES));
      ctx.body = await ask(files, { operation: 'scan', workspace: readName(ctx), parameters });
    },
    'POST /api/workspaces/:name/contents': async (ctx) => {
      ctx.body = await ask(
        files,
        { operation: 'contents', workspace: readName(ctx), encoding: readEncoding(ctx) },
        ctx.req,
      );
    },
    'POST /api/workspaces/:name/apply': async (ctx) => {
      ctx.body = await ask(
        files,
        { operation: 'apply', workspace: readName(ctx), encoding: readEncoding(ctx) },
        ctx.req,
      );
    },
    'POST /api/workspaces/:name/fetch': async (ctx) => {
      const parameters = parseInput(FetchRequest, await readJsonBody(ctx, FETCH_BYTES));
      await carry(ctx, files, { operation: 'fetch', workspace: readName(ctx), parameters }, FRAMES_TYPE);
    },
    'POST /api/workspaces/:name/snapshot': async (ctx) => {
      ctx.body = await ask(files, { operation: 'snapshot', workspace: readName(ctx) });
    },
    'GET /api/workspaces/:name/changes': async (ctx) => {
      await carry(ctx, files, { operation: 'watch', workspace: readName(ctx) }, 'text/event-stream; charset=utf-8');
    },
  };
}

async function ask(files: Files, request: FilesRequest, body?: Readable): Promise<unknown> {
  const { value, close } = await files.call(request, body);
  close();
  return value;
}

async function carry(ctx: Context, files: Files, request: FilesRequest, type: string): Promise<void> {
  const { stream, close } = await files.call(request);
  ctx.res.once('close', close);
  ctx.set({ 'x-accel-buffering': 'no', 'cache-control': 'no-store, no-transform' });
  ctx.type = type;
  ctx.body = stream;
  ctx.flushHeaders();
}

function readName(ctx: Context): string {
  const { name } = (ctx as unknown as { params: { name: string } }).params;
  return parseInput(WorkspaceName, name);
}

function readEncoding(ctx: Context): 'zstd' | undefined {
  if (!ctx.is(FRAMES_TYPE))
    throw new SpoqError('unsupported_media_type', { detail: `Send ${FRAMES_TYPE}.`, next: 'Use spoq to sync.' });
  const encoding = ctx.get('content-encoding') || 'identity';
  if (encoding === 'identity') return undefined;
  if (encoding === 'zstd') return 'zstd';
  throw new SpoqError('unsupported_media_type', {
    detail: 'The content encoding can be zstd or none.',
    next: 'Use spoq to sync.',
  });
}
