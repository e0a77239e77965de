import { Stripe } from 'stripe';
import type { Config } from '../config.ts';

/** The version of Stripe's API that this code was written against. An upgrade is a decision and never an accident. */
export const API_VERSION = '2026-10-28.endive';

/** Stripe at STRIPE_API_URL. Time-outs and repeats are bounded, since some calls run while a person waits. */
export function createStripe(config: Pick<Config, 'STRIPE_SECRET_KEY' | 'STRIPE_API_URL'>): Stripe {
  const { hostname, port, protocol } = new URL(config.STRIPE_API_URL);
  const scheme = protocol === 'http:' ? 'http' : 'https';
  return new Stripe(config.STRIPE_SECRET_KEY.reveal(), {
    apiVersion: API_VERSION,
    host: hostname,
    port: port === '' ? (scheme === 'http' ? 80 : 443) : Number(port),
    protocol: scheme,
    timeout: 10_000,
    maxNetworkRetries: 2,
    telemetry: false,
    appInfo: { name: 'spoq' },
  });
}
