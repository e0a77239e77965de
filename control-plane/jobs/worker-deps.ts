import type { Deps } from '../deps.ts';
import type { Mailer } from '../integrations/smtp.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import type { BoxSpec, Engine } from '../engine/engine.ts';

/** What jobs are given. */
export interface WorkerDeps extends Deps {
  engine: Engine;
  /** Undefined where there is no mail server: then mails are only written down. */
  mailer?: Mailer | undefined;
  /** Everything that the stack of a box must know. */
  buildSpec: (box: UserVpsRow, options?: BuildSpecOptions) => BoxSpec;
}

export interface BuildSpecOptions {
  /** For a box that is about to boot for the first time. */
  bootToken?: string;
  /** Another release than the one that the box has. */
  version?: string;
}

/** One attempt at a job. */
export interface Attempt {
  boxId: string;
  /** Aborted when the job's lease is lost, or the worker is about to end. */
  signal: AbortSignal;
  /** When the work was asked for. */
  askedAt: Date;
  /** Marks the job as done in a transaction, so that its result and its end commit together. */
  settle: (tx: Deps['db']) => Promise<void>;
}

/** Another run has taken this box over: whatever this one does no longer counts. */
export class LeaseLostError extends Error {
  constructor(boxId: string) {
    super(`another run has taken over box ${boxId}`);
    this.name = 'LeaseLostError';
  }
}
