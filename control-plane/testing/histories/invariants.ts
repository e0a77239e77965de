import { expect } from 'chai';
import type Stripe from 'stripe';
import type { StripeState } from '../../../sandbox/stripe/state.ts';
import { EDGES } from '../../billing/life.ts';
import { verifyAudit } from '../../commands/audit.ts';
import type { AuditRow } from '../../db/audit-log.ts';
import type { SubscriptionRow } from '../../db/subscriptions.ts';
import type { UserVpsRow } from '../../db/user-vps.ts';
import { isMachineOf } from '../../engine/engine.ts';
import { DAY_SECONDS, type HistoryWorld } from './history-world.ts';

/** What was seen of a history so far. */
export interface Witness {
  /** When each person's grace period was last seen to end. */
  graceEnds: Map<string, Date>;
  terminated: Set<string>;
}

export const createWitness = (): Witness => ({ graceEnds: new Map(), terminated: new Set() });

/** What holds at every moment, whatever has just happened. */
export async function checkAlways(world: HistoryWorld, witness: Witness): Promise<void> {
  const { db, now } = world.box.cp.deps;
  const boxes: UserVpsRow[] = await db('user_vps');
  const subscriptions: SubscriptionRow[] = await db('subscriptions');
  const leaving = new Set((await db('users').whereNotNull('deletion_asked_at')).map(({ id }) => String(id)));
  const byUser = new Map(subscriptions.map((row) => [row.user_id, row]));
  for (const machine of world.box.engine.machines) {
    const owners = boxes.filter((box) => isMachineOf(`box-${box.id}`, machine.name));
    if (owners.length === 0) expect(machine.name, 'a machine is nobody’s').to.match(/^released/);
    expect(owners.length, `${machine.name} has one box`).to.be.at.most(1);
    for (const { user_id, status } of owners) {
      if (status === 'terminated') expect.fail(`${machine.name} lives on after its box`);
      expect(byUser.has(user_id), `${machine.name} has an owner who has paid`).to.equal(true);
    }
  }
  for (const box of boxes) {
    const living = world.box.engine.machines.filter(({ name }) => isMachineOf(`box-${box.id}`, name));
    expect(living.length, `box ${box.id} has one machine, or two while it moves`).to.be.at.most(
      box.move === null ? 1 : 2,
    );
    if (box.status !== 'terminated' || witness.terminated.has(box.id)) continue;
    witness.terminated.add(box.id);
    // By its owner's wish, said twice over.
    if (leaving.has(box.user_id)) continue;
    const ends = witness.graceEnds.get(box.user_id);
    expect(ends, `box ${box.id} was deleted without a grace period`).not.to.equal(undefined);
    expect(now().getTime(), 'nothing is deleted inside the grace period').to.be.at.least(ends?.getTime() ?? Infinity);
  }
  for (const { user_id, grace_ends_at: ends } of subscriptions) if (ends !== null) witness.graceEnds.set(user_id, ends);
  await checkEdges(world);
}

/** Each change of a subscription is written down once, and is one of those that there are. */
async function checkEdges(world: HistoryWorld): Promise<void> {
  const rows: AuditRow[] = await world.box.cp.deps
    .db('audit_log')
    .whereIn(
      'action',
      Object.keys(EDGES).map((state) => `subscription.${state}`),
    )
    .orderBy('id');
  const last = new Map<string, { state: string; plan: unknown }>();
  for (const { user_id, action, detail } of rows) {
    const state = action.slice('subscription.'.length);
    const before = last.get(String(user_id));
    expect(detail['from'], `${action} follows what was`).to.equal(before?.state ?? null);
    if (before !== undefined && before.state !== state)
      expect(EDGES[before.state as keyof typeof EDGES], `${before.state} → ${state}`).to.include(state);
    if (before?.state === state) expect(detail['plan'], 'told twice').not.to.equal(before.plan);
    last.set(String(user_id), { state, plan: detail['plan'] });
  }
}

/** Lets everything come to rest: vendors answer, workers work, and the comparison with Stripe finds what no webhook told. */
export async function settleDown(world: HistoryWorld): Promise<void> {
  const { engine } = world.box;
  engine.script.up = [engine.script.up.at(-1) ?? expect.fail('the script is empty')];
  for (let round = 0; round < 3; round += 1) {
    // Longer than what failed by itself is left alone.
    world.box.advance(660);
    await world.compare();
    await world.sweep();
    await world.work();
  }
}

/** What holds once everything has come to rest. */
export async function checkAtRest(world: HistoryWorld): Promise<void> {
  const { db, stripe, now, config } = world.box.cp.deps;
  const left = await db('pgboss.job')
    .whereIn('state', ['created', 'retry', 'active', 'failed'])
    .select('name', 'state', 'output');
  expect(left, 'every job is done').to.deep.equal([]);
  expect(await db('settlements').whereNull('done_at'), 'every promise is kept').to.deep.equal([]);
  expect(await verifyAudit(db)).to.include({ ok: true });
  const events = await db('stripe_events').count({ n: '*' }).countDistinct({ ids: 'id' }).first();
  expect(events?.['n'], 'each event once').to.equal(events?.['ids']);
  expect(
    await db('users').whereNotNull('deletion_asked_at').whereNull('deleted_at'),
    'who wants to leave has left',
  ).to.deep.equal([]);
  for (const { userId } of world.actors) {
    if (userId === undefined) continue;
    const row: SubscriptionRow | undefined = await db('subscriptions').where('user_id', userId).first();
    const box: UserVpsRow | undefined = await db('user_vps')
      .where('user_id', userId)
      .whereNot('status', 'terminated')
      .first();
    const bound = await db('checkouts').where({ user_id: userId, status: 'bound' }).select('stripe_subscription_id');
    const all = await Promise.all(
      bound.map(({ stripe_subscription_id: id }) => stripe.subscriptions.retrieve(String(id))),
    );
    const paid = all.filter(({ status }) => status === 'active' || status === 'trialing');
    expect(paid.length, 'nobody pays twice').to.be.at.most(1);
    expect(row?.status === 'active', 'we know who pays').to.equal(paid.length === 1);
    if (row !== undefined && row.status !== 'expired' && box === undefined) continue;
    if (row === undefined || row.status === 'expired') expect(box, 'nobody has a box for nothing').to.equal(undefined);
    else if (row.status === 'active') expectServed(row, box);
    else if (row.suspends_at !== null && row.suspends_at <= now() && box?.status === 'ready')
      expect(box.suspended_at, 'a box that nobody pays for is switched off').not.to.equal(null);
  }
  await checkMoney(world, config.UNCLAIMED_DAYS);
}

/** Who pays and has asked for a box has one that runs, of the size that is paid; or has been told why not, and pays nothing meanwhile. */
function expectServed(row: SubscriptionRow, box: UserVpsRow | undefined): void {
  expect(box?.status, 'who pays is served').to.be.oneOf(['ready', 'failed']);
  if (box?.status !== 'ready') return;
  expect({
    off: box.suspended_at,
    plan: box.plan,
    operation: box.operation_failure === null ? box.operation : null,
  }).to.deep.equal({
    off: null,
    plan: row.plan,
    operation: null,
  });
}

/** Money that was kept has a box, or may yet have one; all else has gone back. */
async function checkMoney(world: HistoryWorld, unclaimedDays: number): Promise<void> {
  const { db, now } = world.box.cp.deps;
  const state = world.box.stripe.vendor.inspect?.() as StripeState & {
    charges: Record<string, Stripe.Charge>;
    invoices: Record<string, Stripe.Invoice & { id: string }>;
  };
  for (const charge of Object.values(state.charges)) {
    if (!charge.paid || charge.refunded || charge.disputed) continue;
    const subscription = Object.values(state.subscriptions).find(
      ({ customer, id }) =>
        customer === charge.customer && Object.values(state.invoices).some((invoice) => isOf(invoice, id, charge)),
    );
    const checkout = await db('checkouts')
      .where('stripe_subscription_id', subscription?.id ?? '')
      .first();
    expect(checkout, `the payment ${charge.id} is known`).not.to.equal(undefined);
    if (checkout.status === 'paid') {
      const age = (now().getTime() - checkout.paid_at.getTime()) / 1000;
      expect(age, 'an unclaimed payment goes back').to.be.lessThan((unclaimedDays + 0.01) * DAY_SECONDS);
      continue;
    }
    expect(checkout.status, 'the payment is somebody’s').to.equal('bound');
    const boxes: UserVpsRow[] = await db('user_vps').where('user_id', checkout.user_id).whereNotNull('ready_at');
    const isLive =
      subscription?.status === 'active' || subscription?.status === 'trialing' || subscription?.status === 'past_due';
    expect(boxes.length > 0 || isLive, `the money of ${charge.id} has a box, or can have one`).to.equal(true);
  }
}

function isOf(invoice: Stripe.Invoice, subscription: string, charge: Stripe.Charge): boolean {
  const of = invoice.parent?.subscription_details?.subscription;
  return of === subscription && invoice.amount_paid === charge.amount;
}
