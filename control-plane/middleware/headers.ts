import helmet from 'koa-helmet';
import type { Middleware } from 'koa';

/** Security headers with a strict CSP: everything from ourselves, avatars from GitHub, forms only to us and Stripe Checkout. */
export function createHeadersMiddleware(options: {
  https: boolean;
  formTargets: string[];
  imageSources: string[];
}): Middleware {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'", ...options.formTargets],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:', ...options.imageSources],
        objectSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
      },
    },
    strictTransportSecurity: options.https ? { maxAge: 63_072_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
  });
}
