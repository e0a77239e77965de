import type { CardFields } from '../objects/payment-method.ts';
import { DECLINES, GOOD_CARDS, type Decline } from '../objects/test-cards.ts';

export interface CardInput {
  card_number: string;
  card_expiry: string;
  card_cvc: string;
}

/** What is wrong with a card, or undefined when it pays. Numbers other than test cards are refused, real ones above all. */
export function checkCard(card: CardInput, now: Date): Decline | undefined {
  const number = readNumber(card);
  if (!/^\d{12,19}$/.test(number) || !hasLuhnSum(number)) {
    return { code: 'incorrect_number', message: 'Your card number is invalid.' };
  }
  const expiry = readExpiry(card);
  if (expiry === undefined)
    return { code: 'invalid_expiry_month', message: "Your card's expiration date is incomplete." };
  // A card is good until the end of its month.
  if (Date.UTC(expiry.exp_year, expiry.exp_month) <= now.getTime()) {
    return { code: 'invalid_expiry_year', message: "Your card's expiration year is in the past." };
  }
  if (!/^\d{3,4}$/.test(card.card_cvc.trim())) {
    return { code: 'invalid_cvc', message: "Your card's security code is invalid." };
  }
  const decline = DECLINES[number];
  if (decline !== undefined)
    return { ...decline, message: `${decline.message} Nothing was charged; try another card.` };
  if (GOOD_CARDS.includes(number)) return undefined;
  return {
    code: 'card_declined',
    decline_code: 'test_mode_live_card',
    message: 'Your card was declined. The sandbox takes test cards only: use 4242 4242 4242 4242.',
  };
}

/** The card that was typed, once checkCard has found nothing wrong with it. */
export function readCard(card: CardInput): CardFields {
  return { number: readNumber(card), ...(readExpiry(card) ?? { exp_month: 12, exp_year: 2034 }) };
}

function readNumber(card: CardInput): string {
  return card.card_number.replace(/[\s-]/g, '');
}

function readExpiry(card: CardInput): { exp_month: number; exp_year: number } | undefined {
  const match = /^\s*(0?[1-9]|1[0-2])\s*\/\s*(?:20)?(\d{2})\s*$/.exec(card.card_expiry);
  return match === null ? undefined : { exp_month: Number(match[1]), exp_year: 2000 + Number(match[2]) };
}

/** ISO/IEC 7812-1 annex B. */
function hasLuhnSum(number: string): boolean {
  const sum = [...number].toReversed().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
