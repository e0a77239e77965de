/** Stripe's test card that can be saved and then declines every later charge. */
export const CARD_THAT_FAILS_LATER = '4000000000000341';

export interface Decline {
  code: string;
  decline_code?: string;
  /** In Stripe's words. */
  message: string;
}

/** Stripe's test cards that pay. */
export const GOOD_CARDS = [
  '4242424242424242',
  '4000056655665556',
  '5555555555554444',
  '2223003122003222',
  '378282246310005',
  CARD_THAT_FAILS_LATER,
];

/** Stripe's test cards that can't be saved, with the reason of each. */
export const DECLINES: Record<string, Decline> = {
  '4000000000000002': {
    code: 'card_declined',
    decline_code: 'generic_decline',
    message: 'Your card was declined.',
  },
  '4000000000009995': {
    code: 'card_declined',
    decline_code: 'insufficient_funds',
    message: 'Your card has insufficient funds.',
  },
  '4000000000000069': { code: 'expired_card', message: 'Your card has expired.' },
  '4000000000000127': { code: 'incorrect_cvc', message: "Your card's security code is incorrect." },
  '4000000000000119': {
    code: 'processing_error',
    message: 'An error occurred while processing your card. Try again in a little bit.',
  },
};

/** Why a saved card can't be charged; undefined when it pays. */
export function findDecline(number: string | undefined): Decline | undefined {
  if (number === CARD_THAT_FAILS_LATER)
    return { code: 'card_declined', decline_code: 'generic_decline', message: 'Your card was declined.' };
  return DECLINES[number ?? ''];
}

/** A card's brand, by its first digits (ISO/IEC 7812). */
export function brandOf(number: string): 'visa' | 'mastercard' | 'amex' | 'unknown' {
  if (number.startsWith('4')) return 'visa';
  if (/^(5[1-5]|2[2-7])/.test(number)) return 'mastercard';
  return /^3[47]/.test(number) ? 'amex' : 'unknown';
}
