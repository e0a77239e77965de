import { expect } from 'chai';
import type { Sandbox } from '../index.ts';
import { type Answer, type Call, makeFolder, signInCloudflare, startSandbox } from '../testing/fixtures.ts';

interface Envelope {
  success: boolean;
  errors: { code: number; message: string }[];
  result: { id: string; name: string; content: string }[] & { id: string; name: string };
  result_info?: object;
}

describe('the Cloudflare vendor', () => {
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  let call: Call;
  let at: string;
  beforeEach(async () => {
    place = makeFolder();
    sandbox = await startSandbox(place.folder, { vendors: ['cloudflare'], zone: 'boxes.localhost' });
    call = signInCloudflare(sandbox);
    at = `/zones/${sandbox.credentials['CLOUDFLARE_ZONE_ID']}/dns_records`;
  });
  afterEach(async () => {
    await sandbox.close();
    place.remove();
  });

  const A = { type: 'A', name: 'alice.boxes.localhost', content: '198.51.100.10' };
  const codes = ({ status, body }: Answer): (number | boolean)[] => [
    status,
    (body as Envelope).success,
    ...(body as Envelope).errors.map(({ code }) => code),
  ];
  const create = async (fields: object): Promise<string> =>
    ((await call('POST', at, fields)).body as Envelope).result.id;
  const names = async (query: string): Promise<string[]> =>
    ((await call('GET', at + query)).body as Envelope).result.map(({ name, content }) => `${name} ${content}`);

  it('refuses tokens and zones that are not its own', async () => {
    const url = `${sandbox.credentials['CLOUDFLARE_API_URL']}/user/tokens/verify`;
    const refused = await fetch(url, { headers: { authorization: 'Bearer wrong' } });
    expect([refused.status, ((await refused.json()) as Envelope).errors[0]?.code]).to.deep.equal([403, 9109]);
    expect((await fetch(url)).status).to.equal(400);
    expect(codes(await call('GET', '/zones/0123456789abcdef0123456789abcdef/dns_records'))).to.deep.equal([
      404,
      false,
      7003,
    ]);
    expect(codes(await call('GET', '/nowhere'))).to.deep.equal([404, false, 7003]);
    expect(sandbox.credentials['CLOUDFLARE_ZONE_ID']).to.match(/^[0-9a-f]{32}$/);
  });

  it('completes names, fills in defaults and dates what changed', async () => {
    const { result } = (await call('POST', at, { type: 'A', name: 'Alice', content: '198.51.100.10', comment: 'mine' }))
      .body as Envelope;
    const now = (result as unknown as { created_on: string }).created_on;
    expect(result).to.deep.equal({
      id: result.id,
      ...A,
      proxiable: true,
      proxied: false,
      ttl: 1,
      settings: {},
      meta: {},
      comment: 'mine',
      tags: [],
      created_on: now,
      modified_on: now,
      comment_modified_on: now,
    });
    const patched = (await call('PATCH', `${at}/${result.id}`, { comment: null, ttl: 300 })).body as Envelope;
    expect(patched.result)
      .to.include({ comment: null, ttl: 300, content: '198.51.100.10' })
      .and.not.to.have.property('comment_modified_on');
  });

  it('refuses what can not stand beside what is there', async () => {
    const id = await create(A);
    expect(codes(await call('POST', at, A))).to.deep.equal([400, false, 81058]);
    expect(codes(await call('POST', at, { ...A, type: 'CNAME', content: 'x.example' }))).to.deep.equal([
      400,
      false,
      81053,
    ]);
    await create({ type: 'CNAME', name: 'www', content: 'x.example' });
    expect(codes(await call('POST', at, { ...A, name: 'www' }))).to.deep.equal([400, false, 81054]);
    expect(codes(await call('PUT', `${at}/${id}`, A))).to.deep.equal([200, true]);
  });

  it('names all faults of a record', async () => {
    const wrong = { type: 'A', name: 'a..b', content: '300.1.1.1', ttl: 5, proxied: 'yes', tags: [1] };
    expect(codes(await call('POST', at, wrong))).to.deep.equal([400, false, 9000, 9005, 9021, 9207, 9207]);
    expect(codes(await call('POST', at, { type: 'SRV', name: 'a', content: 'x' }))).to.deep.equal([400, false, 9000]);
  });

  it('filters, orders and pages', async () => {
    await create(A);
    await create({ ...A, name: 'bob', content: '198.51.100.11', comment: 'of bob' });
    await create({ type: 'TXT', name: 'bob', content: '"hello"' });
    expect(await names('?type=A&order=name&direction=desc')).to.deep.equal([
      'bob.boxes.localhost 198.51.100.11',
      'alice.boxes.localhost 198.51.100.10',
    ]);
    expect(await names('?name=alice.boxes.localhost&content.exact=198.51.100.10')).to.have.length(1);
    expect(await names('?name.startswith=alice&comment.contains=bob&match=any')).to.have.length(2);
    expect(await names('?comment.present=true')).to.have.length(1);
    expect(await names('?type=AAAA')).to.deep.equal([]);
    const { result_info: info } = (await call('GET', `${at}?per_page=2&page=2`)).body as Envelope;
    expect(info).to.deep.equal({ page: 2, per_page: 2, count: 1, total_count: 3, total_pages: 2 });
  });

  it('forgets a deleted record', async () => {
    const id = await create(A);
    expect((await call('DELETE', `${at}/${id}`)).body).to.deep.include({ result: { id }, success: true });
    expect(codes(await call('DELETE', `${at}/${id}`))).to.deep.equal([404, false, 81044]);
    expect(codes(await call('GET', `${at}/${id}`))).to.deep.equal([404, false, 81044]);
  });
});
