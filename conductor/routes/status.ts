import { statfs } from 'node:fs/promises';
import { freemem, loadavg, totalmem, uptime } from 'node:os';
import type { BoxStatus } from '../../contract/conductor.ts';
import { CONVERSATION_LIMITS } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { Budget } from '../budget/budget.ts';
import type { FindCertificate } from '../certificate.ts';
import type { Conversations } from '../conversations/conversations.ts';
import type { Reachability } from '../reachability.ts';
import type { FindVersions } from '../system.ts';
import type { Middleware } from '../web.ts';

export interface StatusDeps {
  hostname: string;
  version: string;
  /** The model that answers; null when the box has no key for it. */
  findModel: () => string | null;
  conversations: Conversations;
  budget: Budget;
  findCertificate: FindCertificate;
  findVersions: FindVersions;
  reachability: Reachability;
}

/** GET /api/status: how the box is doing. Memory and disk as a user of the box can have them. */
export function showStatus(deps: StatusDeps): Middleware {
  return async (ctx) => {
    const [disk, certificate, versions] = await Promise.all([statfs('/'), deps.findCertificate(), deps.findVersions()]);
    const [load = 0] = loadavg();
    ctx.body = {
      hostname: deps.hostname,
      version: deps.version,
      model: deps.findModel(),
      uptime_seconds: Math.round(uptime()),
      load_average: load,
      memory: { total_bytes: totalmem(), free_bytes: freemem() },
      disk: { total_bytes: disk.blocks * disk.bsize, free_bytes: disk.bavail * disk.bsize },
      running: deps.conversations.size,
      versions: { conductor: deps.version, ...versions },
      certificate,
      ...readStored(deps),
      unreachable: deps.reachability.list(),
    } satisfies BoxStatus;
  };
}

/** What is in the database. A box whose disk is full or fails must still say so: then it is left out. */
function readStored({ budget, conversations }: StatusDeps): Pick<BoxStatus, 'budget' | 'work'> {
  try {
    const { day, month } = budget.report();
    // Those that wait are few and may be old; at most 128 are at work at once.
    const { conversations: latest } = conversations.list({ limit: CONVERSATION_LIMITS.listed });
    const work = latest
      .filter(({ state }) => state === 'running' || state === 'waiting')
      .map(({ id, title, state, last_kind, updated_at }) => ({ id, title, state, last_kind, updated_at }));
    return { budget: { day, month }, work };
  } catch (error) {
    if (error instanceof SpoqError && error.code === 'storage_failed') return {};
    throw error;
  }
}
