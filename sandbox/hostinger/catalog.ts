/** The plans of the sandbox's catalog. Memory and disk in MB, prices in cents: real ones move, these don't. */
export interface Plan {
  id: string;
  name: string;
  cpus: number;
  memory: number;
  disk: number;
  month: { price: number; first: number };
  year: { price: number; first: number };
  two_years: { price: number; first: number };
}

function createPlan(size: number, gb: number, cents: number): Plan {
  const price = (months: number, discount: number) => ({
    price: Math.round(cents * months * (1 - discount)),
    first: Math.round((cents * months * (1 - discount)) / 2),
  });
  return {
    id: `hostingercom-vps-kvm${size}`,
    name: `KVM ${size}`,
    cpus: size,
    memory: gb * 1024,
    disk: size * 50 * 1024,
    month: price(1, 0),
    year: price(12, 1 / 3),
    two_years: price(24, 2 / 5),
  };
}

export const PLANS: readonly Plan[] = [
  createPlan(1, 4, 1949),
  createPlan(2, 8, 2599),
  createPlan(4, 16, 4599),
  createPlan(8, 32, 7999),
];

/** A price item: what a purchase names. */
export interface PriceItem {
  id: string;
  plan: Plan;
  months: number;
  price: number;
  first: number;
  label: string;
  period: number;
  period_unit: 'month' | 'year';
}

export const PRICE_ITEMS: readonly PriceItem[] = PLANS.flatMap((plan): PriceItem[] => [
  { id: `${plan.id}-usd-1m`, plan, months: 1, ...plan.month, label: 'every month', period: 1, period_unit: 'month' },
  { id: `${plan.id}-usd-1y`, plan, months: 12, ...plan.year, label: 'every year', period: 1, period_unit: 'year' },
  {
    id: `${plan.id}-usd-2y`,
    plan,
    months: 24,
    ...plan.two_years,
    label: 'every 2 years',
    period: 2,
    period_unit: 'year',
  },
]);

/** Ids change over the years; clients have to look them up. */
export const DATA_CENTERS = [
  { id: 9, name: 'phx', location: 'us', city: 'Phoenix', continent: 'North America' },
  { id: 11, name: 'vno', location: 'lt', city: 'Vilnius', continent: 'Europe' },
  { id: 19, name: 'fra', location: 'de', city: 'Frankfurt', continent: 'Europe' },
  { id: 24, name: 'bos2', location: 'us', city: 'Boston', continent: 'North America' },
  { id: 20, name: 'sin', location: 'sg', city: 'Singapore', continent: 'Asia' },
  { id: 21, name: 'gru', location: 'br', city: 'São Paulo', continent: 'South America' },
] as const;

const UBUNTU = 'https://docs.ubuntu.com';
export const TEMPLATES = [
  { id: 1002, name: 'Debian 11', description: 'Debian 11 (bullseye)', documentation: null },
  { id: 1007, name: 'Ubuntu 22.04 LTS', description: 'Ubuntu 22.04 LTS (jammy)', documentation: UBUNTU },
  { id: 1077, name: 'Ubuntu 24.04 LTS', description: 'Ubuntu 24.04 LTS (noble)', documentation: UBUNTU },
  { id: 1121, name: 'Ubuntu 24.04 with Docker', description: 'Ubuntu 24.04 LTS with Docker', documentation: UBUNTU },
] as const;
