import type { Middleware } from 'koa';
import helmet from 'koa-helmet';

/** What a page of ours has no use for. Whoever finds a way to run a script in one shall not have it either. */
const UNUSED_FEATURES = [
  'accelerometer',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'hid',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'publickey-credentials-get',
  'screen-wake-lock',
  'serial',
  'usb',
  'xr-spatial-tracking',
];

/**
 * Security headers with a strict CSP: everything from ourselves, forms only to us and Stripe Checkout. Nothing is kept by any cache
 * unless its route says so: what is personal must never be forgotten here.
 */
export function createHeadersMiddleware(options: { https: boolean; formTargets: string[] }): Middleware {
  const secure = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'", ...options.formTargets],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
      },
    },
    // Not for subdomains: those are boxes, whose owners may serve plain http at ports of their own, and HSTS knows no ports.
    strictTransportSecurity: options.https ? { maxAge: 63_072_000, includeSubDomains: false } : false,
    // Not `no-referrer`: browsers would send our own forms with `Origin: null`.
    referrerPolicy: { policy: 'same-origin' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginEmbedderPolicy: { policy: 'require-corp' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'deny' },
  });
  const permissions = UNUSED_FEATURES.map((feature) => `${feature}=()`).join(', ');
  return async (ctx, next) => {
    ctx.set({ 'Permissions-Policy': permissions, 'Cache-Control': 'no-store' });
    await secure(ctx, next);
  };
}
