import { statfs } from 'node:fs/promises';
import { freemem, loadavg, totalmem, uptime } from 'node:os';
import type { BoxStatus } from '../../contract/conductor.ts';
import type { Reachability } from '../reachability.ts';
import type { Middleware } from '../web.ts';

export interface StatusDeps {
  hostname: string;
  version: string;
  /** The model that answers; null when the box has no key for it. */
  findModel: () => string | null;
  countRunning: () => number;
  reachability: Reachability;
}

/** GET /api/status: how the box is doing. Memory and disk as a user of the box can have them. */
export function showStatus(deps: StatusDeps): Middleware {
  return async (ctx) => {
    const disk = await statfs('/');
    const [load = 0] = loadavg();
    ctx.body = {
      hostname: deps.hostname,
      version: deps.version,
      model: deps.findModel(),
      uptime_seconds: Math.round(uptime()),
      load_average: load,
      memory: { total_bytes: totalmem(), free_bytes: freemem() },
      disk: { total_bytes: disk.blocks * disk.bsize, free_bytes: disk.bavail * disk.bsize },
      running: deps.countRunning(),
      unreachable: deps.reachability.list(),
    } satisfies BoxStatus;
  };
}
