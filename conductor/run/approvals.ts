import { randomUUID } from 'node:crypto';
import type { Decision } from '../../contract/run.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { Turn } from '../conversations/conversations.ts';
import type { Store } from '../store/store.ts';

/** What is asked of the person. */
export interface Question {
  call: string;
  tool: string;
  title: string;
  /** What "always" would allow; none where no rule can say it. */
  always: string[];
}

/** Questions to the person, on the disk until they are answered. Their ids are told to clients alone. */
export interface Approvals {
  /** Asks, or goes on waiting for the answer to what was asked before. Rejects with the reason of `signal`. */
  request(turn: Turn, workspace: string, question: Question, signal: AbortSignal): Promise<Decision>;
  /** What a turn had asked before the conductor was started again can be answered at once. */
  revive(turn: Turn, workspace: string): void;
  /** The turn has ended. */
  forget(conversation: string): void;
  /** The first answer counts. Throws `approval_unknown`, and `approval_decided` with what was decided. */
  answer(conversation: string, id: string, decision: Decision, by: string): Promise<void>;
  /** What was answered with "always" in this workspace, as rules. */
  listAllowed(workspace: string): string[];
}

interface Pending {
  turn: Turn;
  workspace: string;
  always: string[];
  answer: (decision: Decision) => void;
}

/** Answers over the box's database. `now`: milliseconds. */
export function createApprovals(store: Store, now: () => number): Approvals {
  const pending = new Map<string, Pending>();
  /** Those of which the answer is being written down. */
  const deciding = new Map<string, Promise<void>>();

  const find = (conversation: string, call: string): { id: string; decision: Decision | undefined } | undefined => {
    const row = store.get('SELECT id, decision FROM approvals WHERE conversation = ? AND call = ?', conversation, call);
    return row === undefined ? undefined : { id: String(row['id']), decision: readDecision(row['decision']) };
  };
  const listAllowed = (workspace: string): string[] =>
    store.all('SELECT rule FROM allowed WHERE workspace = ? ORDER BY at', workspace).map((row) => String(row['rule']));

  return {
    listAllowed,

    revive(turn, workspace) {
      const sql = 'SELECT id, rule FROM approvals WHERE conversation = ? AND turn = ? AND decision IS NULL';
      for (const row of store.all(sql, turn.conversation, turn.number)) {
        const always = JSON.parse(String(row['rule'])) as string[];
        // Whoever asks again finds the answer on the disk.
        pending.set(String(row['id']), { turn, workspace, always, answer: () => undefined });
      }
    },

    forget(conversation) {
      for (const [id, { turn }] of pending) if (turn.conversation === conversation) pending.delete(id);
    },

    async request(turn, workspace, question, signal) {
      const known = find(turn.conversation, question.call);
      if (known?.decision !== undefined) return known.decision;
      const id = known?.id ?? randomUUID();
      const { promise, resolve, reject } = Promise.withResolvers<Decision>();
      const { call, tool, title, always } = question;
      pending.set(id, { turn, workspace, always, answer: resolve });
      const stop = (): void => reject(signal.reason);
      try {
        if (known === undefined) {
          const rule = always.join(', ');
          await turn.record({
            events: [{ type: 'approval_request', approval: id, call, tool, title, rule }],
            also: () =>
              store.run(
                'INSERT INTO approvals (id, conversation, turn, call, rule) VALUES (?, ?, ?, ?, ?)',
                id,
                turn.conversation,
                turn.number,
                call,
                JSON.stringify(always),
              ),
          });
        }
        signal.addEventListener('abort', stop, { once: true });
        if (signal.aborted) stop();
        return await promise;
      } finally {
        signal.removeEventListener('abort', stop);
        promise.catch(() => undefined);
        pending.delete(id);
      }
    },

    async answer(conversation, id, decision, by) {
      await deciding.get(id);
      const row = store.get('SELECT decision FROM approvals WHERE id = ? AND conversation = ?', id, conversation);
      if (row === undefined) throw new SpoqError('approval_unknown');
      const decided = readDecision(row['decision']);
      if (decided !== undefined)
        throw new SpoqError('approval_decided', { detail: `It was answered with "${decided}".` });
      const waiting = pending.get(id);
      if (waiting === undefined) throw new SpoqError('approval_decided', { detail: 'Nothing waits for it any more.' });
      const { turn, workspace, always } = waiting;
      const write = turn.record({
        events: [{ type: 'approval', approval: id, decision, by }],
        also() {
          store.run('UPDATE approvals SET decision = ? WHERE id = ?', decision, id);
          if (decision !== 'always') return;
          for (const rule of always)
            store.run('INSERT OR IGNORE INTO allowed (workspace, rule, at) VALUES (?, ?, ?)', workspace, rule, now());
        },
      });
      deciding.set(
        id,
        write.catch(() => undefined),
      );
      try {
        await write;
      } finally {
        deciding.delete(id);
      }
      pending.get(id)?.answer(decision);
    },
  };
}

function readDecision(value: unknown): Decision | undefined {
  return value === 'allow' || value === 'always' || value === 'deny' ? value : undefined;
}
