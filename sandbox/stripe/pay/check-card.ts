import { CARD_THAT_FAILS_LATER } from '../commands/bill-period.ts';

export interface CardInput {
  card_number: string;
  card_expiry: string;
  card_cvc: string;
}

export interface CardRefusal {
  code: string;
  decline_code?: string;
  /** What the customer reads. */
  message: string;
}

/** Stripe's test cards that pay. */
const GOOD_CARDS = [
  '4242424242424242',
  '4000056655665556',
  '5555555555554444',
  '2223003122003222',
  '378282246310005',
  CARD_THAT_FAILS_LATER,
];

/** Stripe's test cards that don't, with the reason of each. */
const DECLINES: Record<string, CardRefusal> = {
  '4000000000000002': {
    code: 'card_declined',
    decline_code: 'generic_decline',
    message: 'Your card was declined. Nothing was charged; try another card.',
  },
  '4000000000009995': {
    code: 'card_declined',
    decline_code: 'insufficient_funds',
    message: 'Your card has insufficient funds. Nothing was charged; try another card.',
  },
  '4000000000000069': {
    code: 'expired_card',
    message: 'Your card has expired. Nothing was charged; try another card.',
  },
  '4000000000000127': {
    code: 'incorrect_cvc',
    message: "Your card's security code is incorrect. Nothing was charged.",
  },
  '4000000000000119': {
    code: 'processing_error',
    message: 'An error occurred while processing your card. Nothing was charged; try again in a little bit.',
  },
};

/** What is wrong with a card, or undefined when it pays. Numbers other than test cards are refused, real ones above all. */
export function checkCard(card: CardInput, now: Date): CardRefusal | undefined {
  const number = card.card_number.replace(/[\s-]/g, '');
  if (!/^\d{12,19}$/.test(number) || !hasLuhnSum(number)) {
    return { code: 'incorrect_number', message: 'Your card number is invalid.' };
  }
  const expiry = /^\s*(0?[1-9]|1[0-2])\s*\/\s*(?:20)?(\d{2})\s*$/.exec(card.card_expiry);
  if (expiry === null) return { code: 'invalid_expiry_month', message: "Your card's expiration date is incomplete." };
  // A card is good until the end of its month.
  if (Date.UTC(2000 + Number(expiry[2]), Number(expiry[1])) <= now.getTime()) {
    return { code: 'invalid_expiry_year', message: "Your card's expiration year is in the past." };
  }
  if (!/^\d{3,4}$/.test(card.card_cvc.trim())) {
    return { code: 'invalid_cvc', message: "Your card's security code is invalid." };
  }
  if (DECLINES[number] !== undefined) return DECLINES[number];
  if (GOOD_CARDS.includes(number)) return undefined;
  return {
    code: 'card_declined',
    decline_code: 'test_mode_live_card',
    message: 'Your card was declined. The sandbox takes test cards only: use 4242 4242 4242 4242.',
  };
}

/** ISO/IEC 7812-1 annex B. */
function hasLuhnSum(number: string): boolean {
  const sum = [...number].toReversed().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
