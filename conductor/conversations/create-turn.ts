import type { ConversationEvent } from '../../contract/conversation.ts';
import type { SpoqError } from '../../contract/errors.ts';
import type { Store } from '../store/store.ts';
import type { Turn } from './conversations.ts';
import type { EventLog } from './event-log.ts';
import { describeOutcome } from './outcome.ts';
import { closeTurn, insertMessages } from './turn-rows.ts';

export interface TurnDeps {
  store: Store;
  log: EventLog;
  now: () => number;
  signal: AbortSignal;
  stopping: AbortSignal;
  leave: () => void;
  onPark: () => void;
}

/** A turn that has taken its place. */
export function createTurn(deps: TurnDeps, conversation: string, number: number): Turn {
  const { store, log, now, signal, stopping, onPark } = deps;
  let hasLeft = false;
  // Once: the next turn may have begun.
  const leave = (): void => {
    if (!hasLeft) deps.leave();
    hasLeft = true;
  };
  const setState = (state: string): void =>
    store.run('UPDATE turns SET state = ? WHERE conversation = ? AND number = ?', state, conversation, number);
  let unsaid = '';
  let saying: Promise<void> | undefined;
  const takeUnsaid = (): ConversationEvent[] => {
    const text = unsaid;
    unsaid = '';
    return text === '' ? [] : [{ type: 'text', text }];
  };
  const write = async (): Promise<void> => {
    await log.append(conversation, number, takeUnsaid());
    if (unsaid !== '') await write();
  };
  return {
    conversation,
    number,
    signal,
    say(text) {
      unsaid += text;
      saying ??= write().finally(() => (saying = undefined));
      return saying;
    },
    stopping,
    async emit(...events) {
      await log.append(conversation, number, [...takeUnsaid(), ...events]);
    },
    setState,
    async record({ events = [], messages = [], also }) {
      await log.append(conversation, number, [...takeUnsaid(), ...events], () => {
        insertMessages(store, conversation, number, messages);
        also?.();
      });
    },
    park(state) {
      try {
        setState(state);
        onPark();
      } finally {
        leave();
      }
    },
    drop: leave,
    remember: (messages) => store.soon(() => insertMessages(store, conversation, number, messages)),
    async end(outcome, messages = []) {
      try {
        const state = 'failure' in outcome ? readEndState(outcome.failure) : 'done';
        await log.append(conversation, number, [...takeUnsaid(), describeOutcome(outcome)], () => {
          closeTurn(store, conversation, number, state, now());
          insertMessages(store, conversation, number, messages);
          store.run(
            'UPDATE turns SET input_tokens = ?, output_tokens = ?, cost_micros = ? WHERE conversation = ? AND number = ?',
            outcome.input_tokens ?? null,
            outcome.output_tokens ?? null,
            outcome.cost_micros ?? null,
            conversation,
            number,
          );
        });
      } finally {
        leave();
      }
    },
  };
}

/** What was cut off by the box itself can be gone on with. */
function readEndState(failure: SpoqError): string {
  return failure.code === 'box_restarting' || failure.code === 'turn_interrupted' ? 'interrupted' : 'failed';
}
