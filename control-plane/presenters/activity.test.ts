import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { OPERATIONS } from '../../contract/vps.ts';
import { ACTIVITY_SENTENCES, presentActivity } from './activity.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'control-plane/*.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !/\.test\.ts$|\/testing\/|commands\/audit\.ts$/.test(file));

/** What stands between `${` and `}` where an action is put together, and what it can be. */
const PARTS: Record<string, readonly string[]> = {
  'life.status': ['active', 'past_due', 'cancelled', 'expired'],
  status: ['approved', 'denied'],
  operation: OPERATIONS,
  "box.operation ?? 'operation'": [...OPERATIONS, 'operation'],
  outcome: ['done', 'failed'],
};

interface Written {
  file: string;
  actions: string[];
}

/** The text between the parenthesis at `open` and the one that closes it. */
function readCall(text: string, open: number): string {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (depth === 0) return text.slice(open + 1, at);
  }
  throw new Error('a call without an end');
}

/** `a.${b}` as all that it can be. @throws Error for a part that isn't known */
function expand(template: string): string[] {
  const [, before = '', name = '', after = ''] = /^(.*?)\$\{([^}]+)\}(.*)$/.exec(template) ?? [];
  if (name === '') return [template];
  const values = PARTS[name];
  if (values === undefined) throw new Error(`Say in ${import.meta.filename} what \${${name}} can be.`);
  return values.flatMap((value) => expand(`${before}${value}${after}`));
}

/** Every action that the sources write about a person. */
function listWritten(): Written[] {
  return FILES.flatMap((file) => {
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    return [...text.matchAll(/\brecordAudit(?=\()/g)].flatMap(({ index }) => {
      const call = readCall(text, index + 'recordAudit'.length);
      if (!/\buser_id\b/.test(call)) return [];
      const inline = /\baction: ((?:`[^`]*`|[^,`}])+)/.exec(call)?.[1];
      const said = inline ?? /const action = ([^;]+);/.exec(text)?.[1] ?? '';
      const actions = [...said.matchAll(/'(\w+\.\w+)'|`([^`]+)`/g)].flatMap(([, plain, template]) =>
        expand(plain ?? template ?? ''),
      );
      return [{ file, actions }];
    });
  });
}

describe('what the audit log says of a person', () => {
  const written = listWritten();

  it('is found in the sources, whatever way it is written', () => {
    expect(written.filter(({ actions }) => actions.length === 0)).to.deep.equal([]);
    expect(written.flatMap(({ actions }) => actions)).to.include.members([
      'device.all_revoked',
      'device.denied',
      'box.upgrade_failed',
      'box.rebuild_requested',
      'box.password_failed',
      'subscription.end_taken_back',
      'payment.dispute_closed',
      'user.signed_out',
      'account.exported',
    ]);
  });

  it('has a sentence for every action', () => {
    const missing = written.flatMap(({ file, actions }) =>
      actions.filter((action) => ACTIVITY_SENTENCES[action] === undefined).map((action) => `${action} of ${file}`),
    );
    expect(missing, 'add these to control-plane/presenters/activity.ts').to.deep.equal([]);
  });

  it('has no sentence for what nobody writes', () => {
    const known = new Set(written.flatMap(({ actions }) => actions));
    expect(Object.keys(ACTIVITY_SENTENCES).filter((action) => !known.has(action))).to.deep.equal([]);
  });

  const row = (action: string, detail = {}, actor = 'user:1') =>
    presentActivity(
      { id: '7', at: new Date(0), actor, user_id: '1', action, detail, ip: '192.0.2.1', previous_hash: '', hash: '' },
      '1',
    );

  it('reads as a sentence, with and without what is known of it', () => {
    for (const action of Object.keys(ACTIVITY_SENTENCES))
      expect(row(action).sentence, action)
        .to.match(/^[A-Z][^{}]*\.$/)
        .and.not.match(/undefined|null|NaN|\[object/);
    expect([
      row('device.denied', { device: 'desk' }).sentence,
      row('box.rebuild_failed', { hostname: 'ada.spoq.dev' }).sentence,
      row('subscription.settled', { refunded_amount: 1250, currency: 'usd' }).sentence,
      row('subscription.plan_changed', { plan: 'plus' }).sentence,
      row('thing.undone').sentence,
    ]).to.deep.equal([
      'You did not let the computer “desk” sign in.',
      'The rebuild of ada.spoq.dev did not succeed.',
      'A subscription was ended at Stripe, and $12.50 given back.',
      'You changed the plan to Plus.',
      'This was noted: thing.undone.',
    ]);
  });

  it('says who did it, and from where only when it was the person or their computer', () => {
    const of = (actor: string) => [row('box.restart_requested', {}, actor).by, row('x.y', {}, actor).ip];
    expect(['user:1', 'device', 'system', 'operator', 'user:2'].map(of)).to.deep.equal([
      ['you', '192.0.2.1'],
      ['the computer', '192.0.2.1'],
      ['Spoq', null],
      ['support (an operator)', null],
      ['somebody else', null],
    ]);
  });
});
