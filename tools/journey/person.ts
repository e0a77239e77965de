import { parseForms } from './html.ts';
import type { HtmlForm } from './html.ts';

/** What came back, at the address where redirects ended. */
export interface Page {
  url: string;
  status: number;
  headers: Headers;
  html: string;
  /** The addresses that were redirected from, in order. */
  redirects: string[];
}

/** Somebody at a browser, over plain HTTP: keeps cookies by origin, follows redirects, fills in forms. */
export interface Person {
  get(url: string, headers?: Record<string, string>): Promise<Page>;
  /** Sends a form of `page`: its own values, then `fields`. */
  submit(page: Page, form: HtmlForm, fields?: Record<string, string>): Promise<Page>;
  /** A write from a script of ours, as JSON, redirects not followed. */
  sendJson(url: string, body: unknown): Promise<Response>;
  /** The raw answer, for streams. */
  open(url: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response>;
}

const MOST_REDIRECTS = 10;
const AGENT = 'Mozilla/5.0 (spoq journey)';

/** Makes a person without any cookie. */
export function createPerson(): Person {
  const jars = new Map<string, Map<string, string>>();

  async function send(url: URL, init: RequestInit): Promise<Response> {
    const jar = jars.get(url.origin) ?? new Map<string, string>();
    jars.set(url.origin, jar);
    const headers = new Headers(init.headers);
    headers.set('user-agent', AGENT);
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const name = pair.slice(0, pair.indexOf('=')).trim();
      const value = pair.slice(pair.indexOf('=') + 1).trim();
      if (value === '' || attributes.some((text) => /^\s*max-age=0$/i.test(text))) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  /** Follows redirects the way browsers do: after 303, and in practice after 301 and 302, with a GET. */
  async function visit(first: URL, init: RequestInit): Promise<Page> {
    const redirects: string[] = [];
    let url = first;
    let response = await send(url, init);
    for (let left = MOST_REDIRECTS; response.status >= 300 && response.status < 400; left--) {
      const location = response.headers.get('location');
      if (location === null || left === 0) throw new Error(`${url.href} redirects to nowhere, or in circles`);
      await response.arrayBuffer();
      redirects.push(url.href);
      url = new URL(location, url);
      response = await send(url, { headers: { accept: 'text/html' } });
    }
    return {
      url: url.href,
      status: response.status,
      headers: response.headers,
      html: await response.text(),
      redirects,
    };
  }

  return {
    get: (url, headers) => visit(new URL(url), { headers: { accept: 'text/html', ...headers } }),
    submit(page, form, fields = {}) {
      const target = new URL(form.action, page.url);
      const values = new URLSearchParams({ ...form.fields, ...fields });
      if (form.method === 'GET') {
        target.search = values.toString();
        return visit(target, { headers: { accept: 'text/html' } });
      }
      const from = new URL(page.url).origin;
      const site = from === target.origin ? 'same-origin' : 'cross-site';
      const headers = { accept: 'text/html', origin: from, 'sec-fetch-site': site };
      return visit(target, { method: 'POST', body: values, headers });
    },
    sendJson(url, body) {
      const target = new URL(url);
      const headers = {
        'content-type': 'application/json',
        accept: 'application/json',
        origin: target.origin,
        'sec-fetch-site': 'same-origin',
      };
      return send(target, { method: 'POST', body: JSON.stringify(body), headers });
    },
    open: (url, headers, signal) => send(new URL(url), { headers, signal }),
  };
}

/** The form of a page that goes to `action`, or whose action ends so. Throws what the page says instead. */
export function findForm(page: Page, action: string | RegExp): HtmlForm {
  const fits = (form: HtmlForm): boolean =>
    typeof action === 'string' ? new URL(form.action, page.url).pathname === action : action.test(form.action);
  const form = parseForms(page.html).find(fits);
  if (form === undefined) throw new Error(`${page.url} (${page.status}) has no form for ${String(action)}`);
  return form;
}
