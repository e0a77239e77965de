import { PLANS, PLAN_NAMES } from '../../contract/billing.ts';

/** The plans as the home page shows them: `$12`. */
export function presentPlans() {
  return PLAN_NAMES.map((id) => {
    const { name, unit_amount, currency, cpus, memory_gb, disk_gb } = PLANS[id];
    const format = new Intl.NumberFormat('en-US', {
      style: 'currency',
      currency,
      trailingZeroDisplay: 'stripIfInteger',
    });
    return { id, name, price: format.format(unit_amount / 100), cpus, memory_gb, disk_gb };
  });
}
