import { expect } from 'chai';
import { askAll, send } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { sayAnthropic, startModelServer } from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { startConductor } from './testing/start-conductor.ts';
import type { TestConductor } from './testing/start-conductor.ts';

/** One transparent pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const SCHEMA = {
  type: 'object',
  properties: { count: { type: 'integer', minimum: 3 } },
  required: ['count'],
  additionalProperties: false,
};

describe('POST /api/ask with images and schemas', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: TestConductor;

  before(async () => {
    plane = await startControlPlane();
    model = await startModelServer();
    conductor = await startConductor({ plane, model: { baseUrl: model.url } });
  });
  after(async () => {
    await conductor.close();
    await Promise.all([plane.close(), model.close()]);
  });
  beforeEach(() => {
    model.calls.length = 0;
    model.speak = (res) => sayAnthropic(res, ['Hello']);
  });

  const image = { path: 'screen.png', media_type: 'image/png', data: PNG };
  const refuse = async (body: object): Promise<{ status: number; fields: string[] }> => {
    const { status, json } = await send(conductor.local, { method: 'POST', path: '/api/ask', body });
    const { errors = [] } = json as { errors?: { field: string }[] };
    return { status, fields: errors.map(({ field }) => field) };
  };

  it('shows the model an image after its name, also when the conversation goes on', async () => {
    const [start] = await askAll(conductor.local, { question: 'What is it?', images: [image] });
    const { conversation } = start as { conversation: string };
    await askAll(conductor.local, { question: 'And now?', conversation });
    for (const { body } of model.calls) {
      const [first] = body['messages'] as { content: object[] }[];
      expect(first?.content).to.deep.equal([
        { type: 'text', text: 'The image "screen.png":' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'text', text: 'What is it?' },
      ]);
    }
    expect(model.calls.length).to.equal(2);
  });

  it('refuses what is no image, by name', async () => {
    expect(await refuse({ question: '?', images: [{ ...image, data: 'no base64!' }] })).to.deep.equal({
      status: 400,
      fields: ['images.0.data'],
    });
    expect(await refuse({ question: '?', images: [{ ...image, media_type: 'image/svg+xml' }] })).to.deep.equal({
      status: 400,
      fields: ['images.0.media_type'],
    });
    expect(await refuse({ question: '?', images: Array.from({ length: 5 }, () => image) })).to.deep.equal({
      status: 400,
      fields: ['images'],
    });
    expect(model.calls).to.deep.equal([]);
  });

  it('asks for JSON of the schema, and ends with done when it fits', async () => {
    model.speak = (res) => sayAnthropic(res, ['{"count"', ':3}']);
    const events = await askAll(conductor.local, { question: 'How many?', schema: SCHEMA });
    expect(events.at(-1)).to.have.property('type', 'done');
    expect(JSON.stringify(model.calls[0]?.body)).to.contain('"count"');
  });

  for (const [what, words, detail] of [
    ['is out of bounds', ['{"count":2}'], /^count: .*3$/],
    ['is no JSON', ['Three.'], /^It is not JSON, or was cut\.$/],
    ['has too much', ['{"count":3,"more":1}'], /more/],
  ] as const) {
    it(`says so when the answer ${what}`, async () => {
      model.speak = (res) => sayAnthropic(res, [...words]);
      const last = (await askAll(conductor.local, { question: 'How many?', schema: SCHEMA })).at(-1);
      expect(last).to.deep.include({ type: 'error', code: 'answer_invalid' });
      expect((last as { detail: string }).detail).to.match(detail);
    });
  }

  for (const [what, schema] of [
    ['a list', { type: 'array' }],
    ['something that there is not', { type: 'object', properties: { a: { type: 'colour' } } }],
    ['too much', { type: 'object', description: 'x'.repeat(65 * 1024) }],
  ] as const) {
    it(`refuses a schema of ${what}, before anybody is asked`, async () => {
      expect(await refuse({ question: '?', schema })).to.deep.equal({ status: 400, fields: ['schema'] });
      expect(model.calls).to.deep.equal([]);
    });
  }
});
