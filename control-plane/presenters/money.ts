/** `$12`, `$12.50`, `-$3.07`: an amount in the currency's smallest unit. */
export function formatMoney(amount: number, currency: string): string {
  return new Intl.NumberFormat('en-US', {
    style: 'currency',
    currency: currency.toUpperCase(),
    trailingZeroDisplay: 'stripIfInteger',
  }).format(amount / 100);
}

/** `Thursday, 3 December 2026`: in UTC, as everything that falls due here does. */
export function formatDay(date: Date): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeZone: 'UTC' }).format(date);
}
