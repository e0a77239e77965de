import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from '@prometheus-io/client';

/** Prometheus metrics of one process. Label values are bounded: route patterns, never paths. */
export interface Metrics {
  registry: Registry;
  httpRequestSeconds: Histogram<'method' | 'route' | 'status'>;
  provisionSeconds: Histogram<'provider' | 'outcome'>;
  jobsTotal: Counter<'queue' | 'outcome'>;
  stripeDifferences: Counter<string>;
  stripeEventsTotal: Counter<'outcome'>;
  boxes: Gauge<'status'>;
  machines: Gauge<'provider' | 'status'>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    httpRequestSeconds: new Histogram({
      name: 'spoq_http_request_seconds',
      help: 'Time to answer, by method, route and status',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers: [registry],
    }),
    provisionSeconds: new Histogram({
      name: 'spoq_provision_seconds',
      help: 'Time from the request for a box to ready or failed, by provider and outcome',
      labelNames: ['provider', 'outcome'],
      buckets: [5, 15, 30, 60, 120, 300, 900],
      registers: [registry],
    }),
    jobsTotal: new Counter({
      name: 'spoq_jobs_total',
      help: 'Jobs that ended, by queue and outcome',
      labelNames: ['queue', 'outcome'],
      registers: [registry],
    }),
    stripeDifferences: new Counter({
      name: 'spoq_stripe_differences_total',
      help: 'What the comparison with Stripe found that no webhook had told',
      registers: [registry],
    }),
    stripeEventsTotal: new Counter({
      name: 'spoq_stripe_events_total',
      help: 'Events of Stripe by outcome; other_version: in the shapes of another version of its API than ours',
      labelNames: ['outcome'],
      registers: [registry],
    }),
    boxes: new Gauge({ name: 'spoq_boxes', help: 'Boxes by status', labelNames: ['status'], registers: [registry] }),
    machines: new Gauge({
      name: 'spoq_machines',
      help: 'Machines ever asked of a vendor, by provider and status',
      labelNames: ['provider', 'status'],
      registers: [registry],
    }),
  };
}
