import type { Call, Caller } from './caller.ts';

/** The pages of the vendors, as a browser is sent to them. */
export interface VendorPages {
  /** Pays at the address that Stripe gave. */
  pay(url: URL, login: string): Promise<void>;
  /** Lets Spoq know who it is; answers the address that GitHub sends the browser back to. */
  authorize(url: URL, login: string): Promise<URL>;
}

/** Somebody who has paid and is signed in. */
export interface Customer {
  login: string;
  cookie: string;
  /** From where: no two come from the same address. */
  address: string;
}

/** A control plane as browsers know it. */
export interface Plane {
  baseUrl: string;
  caller: Caller;
}

/** The nth address of the private network 10.0.0.0/8. */
export function addressOf(n: number): string {
  return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
}

/** What a browser says of itself on a form of ours, behind a proxy that tells whom it was called by. */
export function browserHeaders(baseUrl: string, { address, cookie }: Pick<Customer, 'address' | 'cookie'>) {
  return {
    host: new URL(baseUrl).host,
    accept: 'text/html',
    origin: new URL(baseUrl).origin,
    'sec-fetch-site': 'same-origin',
    'content-type': 'application/x-www-form-urlencoded',
    'x-forwarded-for': address,
    ...(cookie === '' ? {} : { cookie }),
  };
}

/** From the first page to the one that asks for a password: paid, signed in, and the payment theirs. */
export async function signUp(
  plane: Plane,
  vendors: VendorPages,
  person: { login: string; address: string },
  times: number[],
): Promise<Customer> {
  const customer: Customer = { ...person, cookie: '' };
  const visit = async (call: Call): Promise<URL> => {
    const headers = browserHeaders(plane.baseUrl, customer);
    const answer = await plane.caller.call({ ...call, headers }, times);
    customer.cookie = answer.cookies.find((cookie) => cookie.includes('_session=')) ?? customer.cookie;
    return new URL(answer.header('location'), plane.baseUrl);
  };
  await visit({ path: '/', expects: 200 });
  const pay = await visit({ method: 'POST', path: '/api/subscription/create', body: 'plan=basic', expects: 303 });
  await vendors.pay(pay, person.login);
  const id = /cs_\w+/.exec(pay.pathname)?.[0] ?? '';
  await visit({ path: `/welcome?session_id=${id}`, expects: 200 });
  const authorize = await visit({ path: '/auth/github', expects: 302 });
  const back = await vendors.authorize(authorize, person.login);
  await visit({ path: `${back.pathname}${back.search}`, expects: 302 });
  const next = await visit({ path: '/setup', expects: 302 });
  if (next.pathname !== '/setup/password') throw new Error(`After signing up ${next.pathname} comes next`);
  await visit({ path: next.pathname, expects: 200 });
  return customer;
}

/** For vendors that take everything for paid and anybody for who they say they are: no page is opened. */
export const NO_PAGES: VendorPages = {
  pay: async () => {},
  async authorize(url, login) {
    const { searchParams: query } = url;
    const back = new URL(query.get('redirect_uri') ?? '');
    back.search = new URLSearchParams({ code: login, state: query.get('state') ?? '' }).toString();
    return back;
  },
};

/** The sandbox's pages, with a card that works. */
export function createSandboxPages(stripe: Caller, github: Caller): VendorPages {
  const submit = async (caller: Caller, url: URL, fields: Record<string, string>, expects: number): Promise<URL> => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' };
    const body = new URLSearchParams(fields).toString();
    const answer = await caller.call({ method: 'POST', path: `${url.pathname}${url.search}`, headers, body, expects });
    return new URL(answer.header('location'), url);
  };
  const card = { card_number: '4242 4242 4242 4242', card_expiry: '12 / 40', card_cvc: '123', name: 'A Person' };
  return {
    async pay(url, login) {
      await submit(stripe, url, { ...card, email: `${login}@example.com` }, 303);
    },
    authorize: (url, login) => submit(github, url, { login }, 302),
  };
}
