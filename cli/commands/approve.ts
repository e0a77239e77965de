import type { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { ApprovalDecided } from '../../contract/run.ts';
import type { Decision } from '../../contract/run.ts';
import type { BoxAccess } from '../box/connection.ts';
import { fetchJson } from '../box/fetch-json.ts';
import type { OnWait } from '../box/patience.ts';
import type { CliDeps } from '../deps.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';

export interface ApproveOptions {
  json: boolean;
  /** Answer all with "once", without asking. */
  yes: boolean;
  /** Fail where there is nobody to ask. */
  wait: boolean;
}

/** Answers what a run asks for, while its events go on. */
export interface Approver {
  take(event: ConversationEvent): Promise<void>;
  /** Rejects when the person has left a question, or nobody can be asked. Never settles else. */
  readonly failed: Promise<never>;
  end(): void;
}

type Request = Extract<ConversationEvent, { type: 'approval_request' }>;

/** Asks on the terminal where there is one; else says how it is answered elsewhere. */
export function createApprover(
  deps: CliDeps,
  box: BoxAccess,
  conversation: () => string,
  options: ApproveOptions,
  onWait: OnWait,
): Approver {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const asking = new Map<string, AbortController>();
  const canAsk = deps.stdin.isTTY && deps.stderr.isTTY && !options.json;
  // One question at a time, whatever comes meanwhile.
  let last: Promise<void> = Promise.resolve();

  const answer = async (approval: string, decision: Decision): Promise<void> => {
    const body = JSON.stringify({ decision, by: deps.hostname.slice(0, 100) });
    const path = `/api/conversations/${conversation()}/approvals/${approval}`;
    try {
      await fetchJson(deps, box, { method: 'POST', path, body }, ApprovalDecided, onWait);
    } catch (error) {
      // Another device was first: the events tell what it said.
      if (!(error instanceof SpoqError) || error.code !== 'approval_decided') throw error;
    }
  };
  const ask = async ({ approval, title, rule }: Request, signal: AbortSignal): Promise<void> => {
    const choices = [
      { value: 'allow', text: 'yes, this once' },
      ...(rule === '' ? [] : [{ value: 'always', text: `yes, always in this workspace: ${sanitizeLine(rule)}` }]),
      { value: 'deny', text: 'no' },
    ];
    try {
      const question = `Allow this?\n  ${sanitizeLine(title)}`;
      await answer(approval, (await deps.choose(question, choices, signal)) as Decision);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      asking.delete(approval);
    }
  };
  return {
    failed,
    async take(event) {
      if (event.type === 'approval') asking.get(event.approval)?.abort();
      if (event.type !== 'approval_request') return;
      if (options.yes) return answer(event.approval, 'allow');
      if (canAsk) {
        const stop = new AbortController();
        asking.set(event.approval, stop);
        last = last.then(() => ask(event, AbortSignal.any([stop.signal, deps.signal]))).catch(reject);
        return;
      }
      if (!options.wait) throw new SpoqError('approval_needed', { detail: `It asks: ${sanitizeLine(event.title)}` });
      const id = conversation().slice(0, 8);
      await onWait(`It waits for an answer: ${sanitizeLine(event.title)}\nAnswer in a terminal: spoq attach ${id}`);
    },
    end() {
      for (const stop of asking.values()) stop.abort();
    },
  };
}
