import type { ControlDeps } from '../control.ts';
import type { Fault } from '../faults.ts';
import type { RequestEntry } from '../request-log.ts';
import { HTTP_VENDOR_NAMES } from '../vendor.ts';

/** How many requests and console lines the page shows. */
const RECENT = 40;
const CONSOLE_LINES = 40;
const MAILS = 20;

const TITLES: Record<string, string> = {
  stripe: 'Stripe',
  github: 'GitHub',
  contabo: 'Contabo',
  hostinger: 'Hostinger',
  cloudflare: 'Cloudflare',
  anthropic: 'Anthropic',
  openai: 'OpenAI',
  mail: 'Mail',
};

/** What the home page's template shows. */
export function viewHome(deps: ControlDeps): object {
  const { vendors, urls, machines, requests, faults, clock, delays } = deps;
  const all = requests.list();
  const count = (name: string): number => all.filter((entry) => entry.vendor === name).length;
  return {
    title: 'Sandbox',
    now: clock.now().toISOString(),
    faultable: HTTP_VENDOR_NAMES.filter((name) => vendors.has(name)),
    vendors: [...vendors].map(([name, vendor]) => ({
      name,
      title: TITLES[name],
      url: urls[name],
      counts: [...Object.entries(vendor.summarize?.() ?? {}), ...(vendor.routes ? [['requests', count(name)]] : [])],
    })),
    edge: urls['edge'],
    machines: machines.list().map((machine) => ({
      ...machine,
      console: machine.console.slice(-CONSOLE_LINES),
      marker: quoteForShell(`${machine.root}/etc/spoq/vps.marker`),
      names: vendors.get('cloudflare')?.namesOf?.(machine.ipv4) ?? [],
    })),
    leavesOut: machines.list()[0]?.leaves_out ?? [],
    mails: vendors.has('mail') ? (vendors.get('mail')?.mails?.() ?? []).slice(0, MAILS) : undefined,
    requests: all
      .slice(-RECENT)
      .toReversed()
      .map((entry) => ({ ...entry, tone: toneOf(entry) })),
    faults: faults.list().map((fault) => ({ ...fault, sentence: describeFault(fault) })),
    delays: Object.entries(delays),
  };
}

/** What the page of one request shows. */
export function viewRequest(entry: RequestEntry): object {
  return {
    title: `${entry.method} ${entry.path}`,
    entry: { ...entry, tone: toneOf(entry) },
    query: Object.entries(entry.query),
    headers: Object.entries(entry.request_headers),
    requestBody: prettify(entry.request_body),
    responseBody: prettify(entry.response_body),
  };
}

/** A word of a shell command, in quotes only where it needs them. */
function quoteForShell(word: string): string {
  return /^[\w/.:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function toneOf({ status }: RequestEntry): 'good' | 'bad' | 'plain' {
  if (status === 0 || status >= 400) return 'bad';
  return status < 300 ? 'good' : 'plain';
}

/** A fault in words: what it waits for, and what it does. */
function describeFault(fault: Fault): string {
  const { method, path, after, times, hits } = fault;
  const what = [method ?? 'any call', path === undefined ? '' : `to ${path}`].filter(Boolean).join(' ');
  const effects = [
    fault.delay_ms === undefined ? '' : `waits ${fault.delay_ms} ms`,
    fault.status === undefined ? '' : `answers ${fault.status}`,
    fault.hold_ms === undefined ? '' : `acts, and keeps the answer back for ${fault.hold_ms} ms`,
    fault.cut === undefined ? '' : `cuts the connection (${fault.cut})`,
    fault.becomes === undefined ? '' : `makes it become ${fault.becomes}`,
  ].filter(Boolean);
  const skipped = after === 0 ? '' : `, after ${after} that pass`;
  const left = times === 0 ? 'until removed' : `${Math.max(0, times - hits)} of ${times} left`;
  return `${what}${skipped}: ${effects.join(', ') || 'nothing'} (${left})`;
}

function prettify(text: string): string {
  if (!text.startsWith('{') && !text.startsWith('[')) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // a stream of JSON lines, or cut off
  }
}
