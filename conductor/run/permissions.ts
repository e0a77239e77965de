import type { Turn } from '../conversations/conversations.ts';
import type { Approvals, Question } from './approvals.ts';
import { decide } from './rules/decide.ts';
import type { Action } from './rules/decide.ts';
import { parseRule } from './rules/rules.ts';
import type { RuleSet } from './rules/rules.ts';

/** The rules of config.toml. */
export interface RuleTexts {
  allow: string[];
  ask: string[];
  deny: string[];
}

/** The turn goes on after the next start: nothing is wrong. */
export class Parked extends Error {
  readonly state: 'parked' | 'waiting';

  constructor(state: 'parked' | 'waiting') {
    super('it goes on after the next start');
    this.state = state;
  }
}

/** Whether something may be done, and why not. */
export type Permission = { allowed: true } | { allowed: false; why: string; summary: string };

export interface Permissions {
  /** Decides by rule, and asks the person where the rules say so. Rejects with `Parked` or the reason of the turn's signal. */
  request(action: Action | undefined, question: Omit<Question, 'always'>): Promise<Permission>;
  /** How long the person was waited for so far. */
  waitedMs(): number;
  /** For connections to the outside: the same host is asked for once at a time. */
  connect(host: string): Promise<'allow' | 'deny'>;
}

export interface PermissionDeps {
  approvals: Approvals;
  turn: Turn;
  workspace: string;
  configured: RuleTexts;
  /** Of this run. */
  given: { allow: string[]; deny: string[] };
  signal: AbortSignal;
}

/** What one turn may do. */
export function createPermissions(deps: PermissionDeps): Permissions {
  const { approvals, turn, workspace, configured, given } = deps;
  const fixed = {
    deny: [...configured.deny, ...given.deny].map(parseRule),
    ask: configured.ask.map(parseRule),
    allow: configured.allow.map(parseRule),
  };
  const granted = given.allow.map(parseRule);
  const asking = new Map<string, Promise<'allow' | 'deny'>>();
  let waiting = 0;
  let waitedMs = 0;

  const ask = async (question: Question): Promise<Permission> => {
    waiting += 1;
    if (waiting === 1) turn.setState('waiting');
    const signal = AbortSignal.any([deps.signal, turn.stopping]);
    const began = performance.now();
    try {
      const decision = await approvals.request(turn, workspace, question, signal);
      if (decision !== 'deny') return { allowed: true };
      return { allowed: false, why: 'The developer said no.', summary: 'not done: the answer was no' };
    } catch (error) {
      if (signal.aborted && turn.stopping.aborted && !deps.signal.aborted) throw new Parked('waiting');
      throw error;
    } finally {
      waiting -= 1;
      waitedMs += performance.now() - began;
      if (waiting === 0 && !turn.stopping.aborted) turn.setState('running');
    }
  };
  const request: Permissions['request'] = async (action, question) => {
    if (action === undefined) return { allowed: true };
    const rules: RuleSet = { ...fixed, granted: [...granted, ...approvals.listAllowed(workspace).map(parseRule)] };
    const { verdict, always, by } = decide(rules, action);
    if (verdict === 'allow') return { allowed: true };
    if (verdict === 'deny') {
      const why = `The rule ${by ?? ''} of the developer denies it.`;
      return { allowed: false, why, summary: `not done: the rule ${by ?? ''} denies it` };
    }
    return ask({ ...question, always });
  };
  return {
    request,
    waitedMs: () => waitedMs,
    connect(host) {
      const title = `Connect to ${host}`;
      const known = asking.get(host);
      if (known !== undefined) return known;
      const decision = request(
        { tool: 'network', host },
        { call: `network:${turn.number}:${host}`, tool: 'network', title },
      )
        .then(({ allowed }) => (allowed ? ('allow' as const) : ('deny' as const)))
        // It ends with the run; what wanted it ends as well.
        .catch((): 'deny' => 'deny')
        .finally(() => asking.delete(host));
      asking.set(host, decision);
      return decision;
    },
  };
}
