import { expect } from 'chai';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';
import { parseForms, toText } from './html.ts';
import { createPerson, findForm } from './person.ts';
import { check, runStory } from './story.ts';
import type { StepReport } from './story.ts';

const PAGE = `<!doctype html><title>Shop &amp; more</title><script>var hidden = 1;</script>
<form method="post" action="/buy"><input type="hidden" name="plan" value="b&quot;asic">
<input type="radio" name="region" value="EU"><input type="radio" name="region" value="US" checked>
<select name="size"><option value="1">one</option><option value="2" selected>two</option></select>
<button name="decision" value="yes">Buy <b>now</b></button></form>
<form action=/search><input name=q></form>`;

describe('the journey', () => {
  it('reads forms as a browser would send them', () => {
    expect(parseForms(PAGE)).to.deep.equal([
      {
        action: '/buy',
        method: 'POST',
        fields: { plan: 'b"asic', region: 'US', size: '2' },
        buttons: [{ name: 'decision', value: 'yes', text: 'Buy now' }],
      },
      { action: '/search', method: 'GET', fields: { q: '' }, buttons: [] },
    ]);
    expect(toText('<p>Caf&eacute; &#233;&#xe9; <b>a</b>\n b</p><script>x</script>')).to.equal('Caf&eacute; éé a b');
  });

  describe('a person', () => {
    let server: Server;
    let base: string;
    const seen: Record<string, string | undefined>[] = [];

    before(async () => {
      server = createServer((request, response) => {
        void text(request).then((body) => {
          const { cookie, origin, 'sec-fetch-site': site } = request.headers;
          seen.push({
            method: request.method,
            url: request.url,
            cookie,
            origin,
            site: site as string | undefined,
            body,
          });
          if (request.url === '/') response.setHeader('set-cookie', ['id=1; Path=/', 'gone=x; Path=/']).end(PAGE);
          else if (request.url === '/buy')
            response.writeHead(303, { location: '/thanks', 'set-cookie': 'gone=; Max-Age=0' }).end();
          else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
          else response.end('thanks');
        });
      });
      ({ url: base } = await listenOnFreePort(server));
    });
    after(() => closeServer(server));

    it('keeps cookies, posts from the page it is on and follows the redirect with a GET', async () => {
      const person = createPerson();
      const page = await person.get(`${base}/`);
      const thanks = await person.submit(page, findForm(page, '/buy'), { plan: 'plus' });
      expect({ url: thanks.url, html: thanks.html, redirects: thanks.redirects }).to.deep.equal({
        url: `${base}/thanks`,
        html: 'thanks',
        redirects: [`${base}/buy`],
      });
      expect(seen).to.deep.equal([
        { method: 'GET', url: '/', cookie: undefined, origin: undefined, site: undefined, body: '' },
        {
          method: 'POST',
          url: '/buy',
          cookie: 'id=1; gone=x',
          origin: base,
          site: 'same-origin',
          body: 'plan=plus&region=US&size=2',
        },
        { method: 'GET', url: '/thanks', cookie: 'id=1', origin: undefined, site: undefined, body: '' },
      ]);
      expect(() => findForm(thanks, '/buy')).to.throw(`${base}/thanks (200) has no form for /buy`);
    });

    it('gives up on redirects in circles', async () => {
      const error = await createPerson()
        .get(`${base}/loop`)
        .catch((reason: unknown) => reason);
      expect(error).to.be.an('error').with.property('message', `${base}/loop redirects to nowhere, or in circles`);
    });
  });

  it('stops at the first step that does not do what it should', async () => {
    const told: Omit<StepReport, 'ms'>[] = [];
    const step = (name: string, run: () => Promise<string>) => ({ name, title: name.toUpperCase(), run });
    const wrong = async (): Promise<string> => {
      check(1 + 1 === 3, 'one and one is not three');
      return 'never';
    };
    const steps = [step('a', async () => 'fine'), step('b', wrong), step('c', async () => 'never')];
    const ok = await runStory(steps, {}, ({ ms: _ms, ...report }) => told.push(report), new AbortController().signal);
    expect({ ok, told }).to.deep.equal({
      ok: false,
      told: [
        { step: 'a', title: 'A', ok: true, detail: 'fine' },
        { step: 'b', title: 'B', ok: false, detail: 'one and one is not three' },
      ],
    });
  });
});
