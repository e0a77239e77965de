import { PLANS } from '../../contract/billing.ts';
import { toText } from './html.ts';
import { findForm } from './person.ts';
import type { Page } from './person.ts';
import { watchProgress } from './progress.ts';
import { check } from './story.ts';
import type { Step } from './story.ts';
import { getFromBox, readBox } from './world.ts';
import type { World } from './world.ts';

export const PASSWORD = 'a tide table for 2031!';

/** The page the person is on; a step that needs one comes after a step that opened one. */
function currentPage({ page }: World): Page {
  if (page === undefined) throw new Error('no page is open');
  return page;
}

function pathOf(page: Page): string {
  return new URL(page.url).pathname;
}

function checkPage(page: Page, pathname: string, words: RegExp): void {
  const text = toText(page.html);
  check(
    page.status === 200 && pathOf(page) === pathname,
    `expected ${pathname}, got ${page.status} at ${page.url}: ${text.slice(0, 300)}`,
  );
  check(words.test(text), `${page.url} does not say ${words}: ${text.slice(0, 300)}`);
}

/** From the first page to a box that is ready, in a browser without a window. */
export const SIGN_UP: readonly Step<World>[] = [
  {
    name: 'home',
    title: 'Home page with plans',
    async run(world) {
      const page = await world.person.get(`${world.run.baseUrl}/`);
      checkPage(page, '/', /Plans/);
      const forms = [...page.html.matchAll(/action="\/api\/subscription\/create"/g)].length;
      check(forms === Object.keys(PLANS).length, `expected a button for each plan, found ${forms}`);
      const policy = page.headers.get('content-security-policy') ?? '';
      check(policy.includes("default-src 'self'") || policy.includes("default-src 'none'"), `weak policy: ${policy}`);
      world.page = page;
      return `${forms} plans`;
    },
  },
  {
    name: 'checkout',
    title: 'Pay at Stripe',
    async run(world) {
      const home = currentPage(world);
      const pay = await world.person.submit(home, findForm(home, '/api/subscription/create'), { plan: 'basic' });
      check(pay.url.startsWith(world.run.urls['stripe'] ?? '?'), `expected Stripe's page, got ${pay.url}`);
      const form = findForm(pay, /^$|pay/);
      const refused = await world.person.submit(pay, form, { card_number: '4000 0000 0000 0002' });
      check(/declined/.test(toText(refused.html)), 'a card that is declined was not refused');
      const welcome = await world.person.submit(pay, form);
      checkPage(welcome, '/welcome', /Payment received/);
      world.page = welcome;
      return 'one card declined, one paid';
    },
  },
  {
    name: 'sign_in',
    title: 'Sign in with GitHub',
    async run(world) {
      const link = /href="(\/auth\/github[^"]*)"/.exec(currentPage(world).html)?.[1]?.replaceAll('&amp;', '&');
      check(link !== undefined, 'the page has no link to sign in');
      const authorize = await world.person.get(new URL(link, world.run.baseUrl).href);
      check(authorize.url.startsWith(world.run.urls['github'] ?? '?'), `expected GitHub's page, got ${authorize.url}`);
      const query = new URL(authorize.url).searchParams;
      check(query.get('code_challenge_method') === 'S256' && query.has('state'), 'the request has no PKCE or no state');
      const form = findForm(authorize, /^$|authorize/);
      const login = form.buttons[0]?.value ?? '';
      const back = await world.person.submit(authorize, form, { login });
      checkPage(back, '/setup/password', /password/i);
      world.login = login;
      world.page = back;
      return `as ${login}`;
    },
  },
  {
    name: 'password',
    title: 'Choose an SSH password',
    async run(world) {
      const page = currentPage(world);
      const form = findForm(page, '/setup/password');
      const weak = await world.person.submit(page, form, { password: 'too-short' });
      check(weak.status === 422, `a weak password was answered with ${weak.status}`);
      const next = await world.person.submit(page, form, { password: PASSWORD, time_zone: 'Europe/Paris' });
      checkPage(next, '/setup/region', /Where shall your box be/);
      world.page = next;
      return 'a weak one refused, a strong one kept';
    },
  },
  {
    name: 'provision',
    title: 'Ask for a box',
    async run(world) {
      const region = findForm(currentPage(world), '/api/vps/provision').fields['region'];
      const url = `${world.run.baseUrl}/api/vps/provision`;
      const answers = await Promise.all([0, 1].map(() => world.person.sendJson(url, { region })));
      const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as { id: string; provider: string }[];
      for (const answer of answers) {
        check(answer.status === 202, `expected 202, got ${answer.status}: ${JSON.stringify(bodies)}`);
        check(answer.headers.get('location') === '/api/vps/status', `Location is ${answer.headers.get('location')}`);
      }
      check(bodies[0]?.id === bodies[1]?.id, 'two requests made two boxes');
      check(bodies[0]?.provider === world.provider, `the provider is ${bodies[0]?.provider}`);
      return `202 from two tabs, one box, in ${region}`;
    },
  },
  {
    name: 'progress',
    title: 'Watch it being made, live',
    async run(world) {
      const { events, status, resumedAt } = await watchProgress(world.person, `${world.run.baseUrl}/api/vps/status`);
      check(status === 'ready', `the box ended ${status}: ${events.at(-1)?.message}`);
      const numbers = events.map(({ seq }) => seq);
      check(
        numbers.every((seq, index) => seq === index + 1),
        `events came as ${numbers.join(' ')}`,
      );
      const done = events.filter(({ state }) => state === 'done').map(({ step }) => step);
      return `${events.length} events, resumed after ${resumedAt}: ${[...new Set(done)].join(', ')}`;
    },
  },
  {
    name: 'ready',
    title: 'The box answers',
    async run(world) {
      const box = await readBox(world);
      check(box.status === 'ready', `the status is ${box.status}`);
      check(box.ssh_host_key_fingerprint.startsWith('SHA256:'), `the fingerprint is ${box.ssh_host_key_fingerprint}`);
      const roots = world.run.environment['NODE_EXTRA_CA_CERTS'];
      const health = await getFromBox(`${box.url}/health`, roots);
      check(health.status === 200, `${box.url}/health answered ${health.status}: ${health.text}`);
      const closed = await getFromBox(`${box.url}/api/status`, roots);
      check(closed.status === 403, `without a token ${box.url}/api/status answered ${closed.status}`);
      world.hostname = box.hostname;
      return `${box.hostname} at ${box.ip_address}; nobody gets in without a token`;
    },
  },
  {
    name: 'credentials',
    title: 'Credentials page',
    async run(world) {
      const page = await world.person.get(`${world.run.baseUrl}/setup`);
      checkPage(page, '/setup/ready', /Your environment is ready/);
      const text = toText(page.html);
      const install = `curl -sSL ${world.run.baseUrl}/install.sh | bash`;
      for (const part of [install, world.hostname, 'what you just created', 'SHA256:'])
        check(text.includes(part), `the page does not show ${part}`);
      check(!page.html.includes(PASSWORD), 'the page shows the password');
      return install;
    },
  },
];
