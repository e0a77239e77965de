import { PLANS, type PlanName } from '../../contract/billing.ts';
import { formatDay, formatMoney } from '../presenters/money.ts';
import type { Message } from './message.ts';

/** Where people see to their subscription. */
const billing = (baseUrl: string, label: string) => ({ label, url: `${baseUrl}/account/billing` });

interface Grace {
  baseUrl: string;
  suspendsAt: Date;
  graceEndsAt: Date;
}

const KEPT_UNTIL = ({ suspendsAt, graceEndsAt }: Grace) =>
  `Until ${formatDay(suspendsAt)} your box runs on as ever. Then it is switched off, with everything on its disk kept. On ${formatDay(graceEndsAt)} the machine is given up and its data deleted for good.`;

export function paymentFailed(grace: Grace): Message {
  return {
    subject: 'Your payment for Spoq did not go through',
    paragraphs: [
      'We could not collect the payment for your box. Often a card has expired, or the bank wants to be asked.',
      'Nothing has happened to your box yet. Stripe tries again by itself; if you give it another card, that is done at once.',
      KEPT_UNTIL(grace),
    ],
    action: billing(grace.baseUrl, 'Pay or change the card'),
  };
}

export function subscriptionEnded(grace: Grace): Message {
  return {
    subject: 'Your subscription to Spoq has ended',
    paragraphs: [
      'Nothing more will be charged. Your box and everything on it are kept for some days, in case you want to stay or to copy something away.',
      KEPT_UNTIL(grace),
      'If you subscribe again before that, the same box goes on, with all that is on it.',
    ],
    action: billing(grace.baseUrl, 'Keep your box'),
  };
}

export function endScheduled({ baseUrl, cancelAt }: { baseUrl: string; cancelAt: Date }): Message {
  return {
    subject: 'Your subscription to Spoq will end',
    paragraphs: [
      `As you asked, your subscription ends on ${formatDay(cancelAt)}, the end of what you have paid for. Until then nothing changes, and nothing more will be charged.`,
      'After that your box is kept for 7 days and then deleted with everything on it. You can take the cancellation back until it ends.',
    ],
    action: billing(baseUrl, 'Take it back'),
  };
}

export function endTakenBack({ baseUrl, renewsAt }: { baseUrl: string; renewsAt: Date | null }): Message {
  return {
    subject: 'Your subscription to Spoq goes on',
    paragraphs: [
      `The cancellation is taken back. ${renewsAt === null ? 'Your subscription' : `It renews on ${formatDay(renewsAt)}, and`} goes on as before.`,
    ],
    action: billing(baseUrl, 'Your subscription'),
  };
}

export function paidAgain({ baseUrl, wasStopped }: { baseUrl: string; wasStopped: boolean }): Message {
  return {
    subject: 'Your payment for Spoq has arrived',
    paragraphs: [
      wasStopped
        ? 'Thank you. Your box is being switched on again, with everything that was on it; that takes about a minute.'
        : 'Thank you. Your box goes on as before; nothing on it has changed.',
    ],
    action: billing(baseUrl, 'Your subscription'),
  };
}

export function boxStopped({ baseUrl, graceEndsAt }: { baseUrl: string; graceEndsAt: Date }): Message {
  return {
    subject: 'Your box is switched off',
    paragraphs: [
      'Since nothing is paid for it, your box has been switched off. Everything on its disk is kept.',
      `When you pay, it is switched on again within a minute. On ${formatDay(graceEndsAt)} the machine is given up and its data deleted for good.`,
    ],
    action: billing(baseUrl, 'Pay and switch it on'),
  };
}

export function deletionAhead({
  baseUrl,
  graceEndsAt,
  days,
}: {
  baseUrl: string;
  graceEndsAt: Date;
  days: number;
}): Message {
  const when = days === 1 ? 'tomorrow' : `in ${days} days`;
  return {
    subject: `Your box and its data will be deleted ${when}`,
    paragraphs: [
      `Nothing is paid for your box. On ${formatDay(graceEndsAt)}, ${when}, the machine is given up and everything on it is deleted. Nobody can bring it back then.`,
      'If you pay before that, the box goes on with all that is on it. If you only want to copy something away, paying for a month is the way too.',
    ],
    action: billing(baseUrl, 'Keep your box'),
  };
}

export function boxDeleted({ baseUrl, hostname }: { baseUrl: string; hostname: string }): Message {
  return {
    subject: `${hostname} and its data are deleted`,
    paragraphs: [
      `The grace period is over. The disk of ${hostname} has been wiped, its name leads nowhere any more, and the machine is given up. We keep no copy.`,
      'You are welcome back at any time: you would get a new box, with the same name as long as nobody else has it.',
    ],
    action: { label: 'Spoq', url: baseUrl },
  };
}

export function claimPayment({
  baseUrl,
  token,
  plan,
  returnedOn,
}: {
  baseUrl: string;
  token: string;
  plan: PlanName;
  returnedOn: Date;
}): Message {
  return {
    subject: 'Your payment for Spoq waits for you',
    paragraphs: [
      `Somebody, we think you, has paid for Spoq ${PLANS[plan].name} (${formatMoney(PLANS[plan].unit_amount, PLANS[plan].currency)} a month) and not signed in yet. Sign in with GitHub, and your box is made.`,
      `If you do nothing, the subscription is ended on ${formatDay(returnedOn)} and the whole payment goes back to the card.`,
      'The link is good for one payment and for nothing else. Do not pass it on: whoever opens it can use what you have paid for.',
    ],
    action: { label: 'Use my payment', url: `${baseUrl}/claim/${token}` },
  };
}

const GIVEN_BACK = {
  unclaimed: 'Nobody has signed in for this payment, so we have ended the subscription and given the money back.',
  paid_twice:
    'You had a subscription already when this one was paid, so we have ended the second one and given its money back. Your box goes on with the first.',
  no_box: 'Your subscription has ended without your ever having had a box from it, so we have given the money back.',
} as const;

export function moneyReturned({
  baseUrl,
  reason,
  amount,
  currency,
}: {
  baseUrl: string;
  reason: keyof typeof GIVEN_BACK;
  amount: number;
  currency: string;
}): Message {
  return {
    subject: `Spoq gives back ${formatMoney(amount, currency)}`,
    paragraphs: [
      GIVEN_BACK[reason],
      `${formatMoney(amount, currency)} go back to the card they came from. Banks take five to ten days to show it.`,
    ],
    action: billing(baseUrl, 'Your subscription'),
  };
}

export function refundMade({
  baseUrl,
  amount,
  currency,
}: {
  baseUrl: string;
  amount: number;
  currency: string;
}): Message {
  return {
    subject: `Spoq gives back ${formatMoney(amount, currency)}`,
    paragraphs: [
      `We have given back ${formatMoney(amount, currency)} to the card they came from. Banks take five to ten days to show it. Your subscription and your box stay as they are.`,
    ],
    action: billing(baseUrl, 'Your subscription'),
  };
}

export function paymentDisputed(grace: Grace): Message {
  return {
    subject: 'Your bank has taken a payment for Spoq back',
    paragraphs: [
      'Your bank has reversed a payment for your box, because it was disputed. So we have ended the subscription and switched the box off; everything on its disk is kept.',
      `On ${formatDay(grace.graceEndsAt)} the machine is given up and its data deleted for good. If this was a mistake, subscribe again, and the box goes on with all that is on it.`,
    ],
    action: billing(grace.baseUrl, 'Keep your box'),
  };
}

export function cardExpires({ baseUrl, last4, renewsAt }: { baseUrl: string; last4: string; renewsAt: Date }): Message {
  return {
    subject: 'Your card will have expired at the next payment',
    paragraphs: [
      `The card ending in ${last4} expires before your subscription renews on ${formatDay(renewsAt)}. Give us another one, and nothing is interrupted.`,
    ],
    action: billing(baseUrl, 'Change the card'),
  };
}

export function planChanged({ baseUrl, plan }: { baseUrl: string; plan: PlanName }): Message {
  const { name, cpus, memory_gb: memory, disk_gb: disk } = PLANS[plan];
  return {
    subject: `Your box is now ${name}`,
    paragraphs: [
      `Your box runs on a machine of ${name}: ${cpus} virtual processors, ${memory} GB of memory, ${disk} GB of disk.`,
    ],
    action: billing(baseUrl, 'Your subscription'),
  };
}

export function planTakenBack({
  baseUrl,
  wanted,
  plan,
  reason,
}: {
  baseUrl: string;
  wanted: PlanName;
  plan: PlanName;
  reason: string;
}): Message {
  return {
    subject: `Your box could not be changed to ${PLANS[wanted].name}`,
    paragraphs: [
      `${reason} Your box stays as it was, and so does what you pay: your plan is ${PLANS[plan].name} again, and the difference is credited to your next payment.`,
    ],
    action: billing(baseUrl, 'Your subscription'),
  };
}

export function deletionAsked({ baseUrl, username }: { baseUrl: string; username: string }): Message {
  return {
    subject: 'Your Spoq account is being deleted',
    paragraphs: [
      `The account of ${username} is being deleted, as was asked for on its page. Everything is signed out already; the subscription, the box with all that is on it, and what we know of you follow within minutes. That can't be stopped.`,
      'If it was not you who asked, somebody else can sign in with your GitHub account: see to that first.',
    ],
    action: { label: 'How far it is', url: `${baseUrl}/account/delete` },
  };
}

export function accountDeleted({ baseUrl, username }: { baseUrl: string; username: string }): Message {
  return {
    subject: 'Your Spoq account is deleted',
    paragraphs: [
      `The account of ${username} is gone. The subscription has ended, and nothing more is charged. If there was a box, its disk has been wiped, its name leads nowhere any more and the machine is given up. We keep no copy.`,
      'What remains are records that we have to keep: payments and invoices at Stripe, and a log of what was done that nobody can change.',
      'You are welcome back at any time, as somebody new. This is our last mail.',
    ],
    action: { label: 'Spoq', url: baseUrl },
  };
}

export function newBrowser({ baseUrl, browser, at }: { baseUrl: string; browser: string; at: Date }): Message {
  return {
    subject: 'A new browser is signed in to your Spoq account',
    paragraphs: [
      `${browser} was signed in with your GitHub account on ${formatDay(at)} at ${at.toISOString().slice(11, 16)} UTC. It can change your box and what you pay.`,
      'If that was you, there is nothing to do. If not, sign it out, and look at your account at GitHub: whoever can sign in there can sign in here.',
    ],
    action: { label: 'Where you are signed in', url: `${baseUrl}/account/devices` },
  };
}

export function newDevice({ baseUrl, device, at }: { baseUrl: string; device: string; at: Date }): Message {
  return {
    subject: 'A new device is signed in to your Spoq account',
    paragraphs: [
      `${device} was signed in on ${formatDay(at)} at ${at.toISOString().slice(11, 16)} UTC. It can use your box.`,
      'If that was you, there is nothing to do. If not, sign it out on your account page and look at what it did.',
    ],
    action: { label: 'Your devices', url: `${baseUrl}/account/devices` },
  };
}
