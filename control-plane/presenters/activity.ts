import { PLANS } from '../../contract/billing.ts';
import type { AuditDetail, AuditRow } from '../db/audit-log.ts';
import { formatMoney } from './money.ts';
import { OPERATION_NOUNS } from './operations.ts';

type Sentence = string | ((detail: AuditDetail) => string);

/** A line of the page of a person's account. */
export interface Activity {
  /** Of the row; BIGSERIAL as text. */
  id: string;
  at: Date;
  sentence: string;
  /** Who did it. */
  by: string;
  /** From where, when it was the person or a computer of theirs: an operator's address is the operator's. */
  ip: string | null;
}

const OPERATION_WORDS = Object.entries({ ...OPERATION_NOUNS, operation: 'operation' });

/** One plain sentence for every action that the audit log has of people. A test looks for those that are missing. */
export const ACTIVITY_SENTENCES: Readonly<Record<string, Sentence>> = {
  'user.signed_in': ({ username }) => `You signed in with GitHub${quote(username, ' as ')}.`,
  'user.signed_out': 'You signed out of a browser.',
  'user.deletion_asked': 'You asked for your account to be deleted.',
  'user.deleted': 'Your account was deleted.',
  'session.revoked': ({ browser }) => `A browser was signed out from afar${quote(browser, ': ')}.`,
  'account.exported': 'You downloaded all that Spoq knows of you.',

  'device.approved': (detail) => `You let ${nameDevice(detail)} sign in.`,
  'device.denied': (detail) => `You did not let ${nameDevice(detail)} sign in.`,
  'device.signed_in': (detail) => `Signed in: ${nameDevice(detail)}.`,
  'device.revoked': (detail) => `You signed ${nameDevice(detail)} out from afar.`,
  'device.all_revoked': ({ devices }) => `You signed all computers out at once; ${devices ?? 'none'} were signed in.`,
  'refresh_token.revoked': (detail) => `Signed out by itself: ${nameDevice(detail)}.`,
  'refresh_token.reused': (detail) =>
    `An old token was used a second time, which a copy of it would be, so we signed out ${nameDevice(detail)}.`,
  'authorization_code.reused': (detail) =>
    `The code of a sign-in was used a second time, which a copy of it would be, so we signed out ${nameDevice(detail)}.`,
  'ssh_password.set': 'You chose an SSH password.',

  'box.requested': (detail) => `You asked for a box: ${nameBox(detail)}.`,
  'box.retried': (detail) => `You had the set-up of ${nameBox(detail)} begun again.`,
  ...sentencesOf(Object.entries(OPERATION_NOUNS), 'requested', 'was asked for'),
  ...sentencesOf(OPERATION_WORDS, 'done', 'was done'),
  ...sentencesOf(OPERATION_WORDS, 'failed', 'did not succeed'),
  'box.upgraded': 'Your box got a new release of our service.',
  'box.upgrade_failed': 'Your box was to get a new release of our service, and went back to the one it had.',
  'box.deleted': (detail) => `Machine and data of ${nameBox(detail)} were deleted.`,

  'subscription.active': (detail) => `Your subscription is paid: ${namePlan(detail)}.`,
  'subscription.past_due': 'A payment for your subscription failed, and a grace period began.',
  'subscription.cancelled': 'Your subscription ended, and a grace period began.',
  'subscription.expired': 'Your subscription is over, and the box that came with it was given up.',
  'subscription.settled': (detail) => `A subscription was ended at Stripe${describeRefund(detail)}.`,
  'subscription.plan_changed': (detail) => `You changed the plan to ${namePlan(detail)}.`,
  'subscription.plan_taken_back': (detail) =>
    `The plan went back to ${namePlan(detail)}, since the machine could not be brought to the other size.`,
  'subscription.end_asked': 'You asked for your subscription to end with what is paid for.',
  'subscription.end_taken_back': 'You took back that your subscription shall end.',
  'payment.disputed': 'A payment of yours was disputed at the bank, so your subscription ended.',
  'payment.dispute_closed': 'The dispute about a payment of yours was closed.',
  'payment.refunded': ({ amount, currency }) => `You were given back ${money(amount, currency)}.`,
};

function sentencesOf(
  operations: [name: string, noun: string][],
  outcome: string,
  words: string,
): typeof ACTIVITY_SENTENCES {
  return Object.fromEntries(
    operations.map(([name, noun]): [string, Sentence] => [
      `box.${name}_${outcome}`,
      (detail) => `The ${noun} of ${nameBox(detail)} ${words}.`,
    ]),
  );
}

/** A row of the audit log as the person whom it is about reads it. */
export function presentActivity(row: AuditRow, userId: string): Activity {
  const sentence = ACTIVITY_SENTENCES[row.action] ?? `This was noted: ${row.action}.`;
  const isOwn = row.actor === 'device' || row.actor === `user:${userId}`;
  return {
    id: row.id,
    at: row.at,
    sentence: typeof sentence === 'string' ? sentence : sentence(row.detail),
    by: nameActor(row.actor, userId),
    ip: isOwn ? row.ip : null,
  };
}

function nameActor(actor: string, userId: string): string {
  if (actor === `user:${userId}`) return 'you';
  if (actor === 'device') return 'the computer';
  if (actor === 'system') return 'Spoq';
  return actor === 'operator' ? 'support (an operator)' : 'somebody else';
}

function quote(value: AuditDetail[string] | undefined, before: string): string {
  return typeof value === 'string' ? `${before}${value}` : '';
}

function nameDevice({ device }: AuditDetail): string {
  return typeof device === 'string' ? `the computer “${device}”` : 'a computer that gave no name';
}

function nameBox({ hostname }: AuditDetail): string {
  return typeof hostname === 'string' ? hostname : 'your box';
}

function namePlan({ plan }: AuditDetail): string {
  return Object.entries(PLANS).find(([name]) => name === plan)?.[1].name ?? 'a plan that is no more';
}

function describeRefund({ refunded_amount: amount, currency }: AuditDetail): string {
  return typeof amount === 'number' && amount > 0 ? `, and ${money(amount, currency)} given back` : '';
}

function money(amount: AuditDetail[string] | undefined, currency: AuditDetail[string] | undefined): string {
  return typeof amount === 'number' && typeof currency === 'string' ? formatMoney(amount, currency) : 'money';
}
