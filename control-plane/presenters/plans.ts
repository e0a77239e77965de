import { PLANS, PLAN_NAMES } from '../../contract/billing.ts';
import { formatMoney } from './money.ts';

/** The plans as the home page shows them: `$12`. */
export function presentPlans() {
  return PLAN_NAMES.map((id) => {
    const { name, unit_amount, currency, cpus, memory_gb, disk_gb } = PLANS[id];
    return { id, name, price: formatMoney(unit_amount, currency), cpus, memory_gb, disk_gb };
  });
}
