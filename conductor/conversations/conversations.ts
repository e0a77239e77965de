import type { ConversationEvent, ConversationList, Folder, TurnKind } from '../../contract/conversation.ts';
import type { SpoqError } from '../../contract/errors.ts';
import type { NumberedEvent } from './event-log.ts';
import type { ListOptions } from './list.ts';
import type { Outcome } from './outcome.ts';

export interface NewTurn {
  /** The client's id of it: the same one again is the same turn. */
  request: string;
  /** To go on with; a new one when left out. */
  conversation?: string | undefined;
  kind: TurnKind;
  text: string;
  folder?: Folder | undefined;
  model: string | null;
  /** What is needed to go on with the turn after a crash, as JSON. */
  input?: unknown;
  /** As in the log of requests. */
  requestId: string;
  /** What happens right at its beginning, in the same transaction: events, what the model is told, and what `also` writes. */
  events?: ConversationEvent[];
  messages?: unknown[];
  also?: (conversation: string) => void;
}

/** One ask, run or exec at work. Everything that happens in it is told through `emit`; `end` is called once, whatever happens. */
export interface Turn {
  readonly conversation: string;
  readonly number: number;
  /** Fires when the person interrupts it, when it may not go on, or when the conductor stops; its reason is a SpoqError. */
  readonly signal: AbortSignal;
  /** Words of an answer. Those that come while others are being written go together. Settles when all so far are on the disk. */
  say(text: string): Promise<void>;
  /** Fires a while before `signal` does, when the conductor is about to stop: what can go on later had better pause now. */
  readonly stopping: AbortSignal;
  /** After what was said. Settles when the events are on the disk. */
  emit(...events: ConversationEvent[]): Promise<void>;
  /** `waiting`: for an approval. */
  setState(state: 'running' | 'waiting'): void;
  /** Adds to what the model is told next time. Settles when it is on the disk. */
  remember(messages: unknown[]): Promise<void>;
  /** Events, messages and what `also` writes, in one transaction: after a crash all of it is there, or none. */
  record(entry: { events?: ConversationEvent[]; messages?: unknown[]; also?: () => void }): Promise<void>;
  /** Lets go of it without an end: it goes on, with the same number, when the conductor has started again. */
  park(state: 'parked' | 'waiting'): void;
  /** Writes the last event, with what it took. */
  end(outcome: Outcome, messages?: unknown[]): Promise<void>;
  /** Leaves without an end, where none can be written: who follows it is told so. Does nothing after an end. */
  drop(): void;
}

/** A turn that was found or begun. `live` is there for who begins it. */
export interface Begun {
  conversation: string;
  number: number;
  /** The number of the event before its first one: to follow it from there. */
  after: number;
  live?: Turn;
}

export interface Conversations {
  /** Begins a turn, or finds the one of the same request. Throws `conversation_unknown`, `conversation_busy`, `storage_failed`, `box_restarting`, `too_many_requests`. */
  begin(turn: NewTurn): Promise<Begun>;
  /** The events of a turn, or of the whole conversation, as they come. With a turn, it ends after its last event. */
  follow(conversation: string, after: number, signal: AbortSignal, turn?: number): AsyncGenerator<NumberedEvent>;
  /** Goes on with a turn that was parked, or left waiting. Throws like `begin`. */
  revive(conversation: string, number: number): Turn;
  list(options: ListOptions): ConversationList;
  /** What the model was told and has said so far. */
  recall(conversation: string): unknown[];
  /** Ends what is at work in it, and answers when it has ended; false when nothing is. */
  interrupt(conversation: string, reason: SpoqError): Promise<boolean>;
  /** Throws `conversation_unknown` or `conversation_busy`. */
  remove(conversation: string): void;
  readonly size: number;
  /** Takes no more, lets turns end for `graceMs`, then ends them. */
  stop(graceMs: number): Promise<void>;
}
