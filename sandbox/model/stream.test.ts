import { expect } from 'chai';
import { createModelInput, createModelMessage } from './conversation.ts';
import { limitBlocks, splitBlocks } from './stream.ts';
import type { Block } from './stream.ts';
import { takeFault } from './state.ts';
import { countInput, createPromptCache, listPromptParts } from './usage.ts';

const text = (said: string): Block => ({ type: 'text', text: said });
const call = (json: string): Block => ({ type: 'call', id: 'c1', name: 'read', json });

describe('the pieces of an answer', () => {
  it('come block by block, join to the same, and never part a sign in two', () => {
    const json = JSON.stringify({ note: '🙂'.repeat(2000) });
    const chunks = splitBlocks([text('one two'), call(json)]);
    expect(chunks.map(({ block }) => block)).to.deep.equal(chunks.map(({ block }) => block).toSorted());
    const ofCall = chunks.filter(({ block }) => block === 1).map((chunk) => chunk.text);
    expect(ofCall.join('')).to.equal(json);
    expect(ofCall.every((piece) => piece.isWellFormed())).to.equal(true);
    expect(ofCall).to.have.length(60);
  });

  it('end for their calls, at a limit in the middle of one, or at a stop sequence before them', () => {
    const blocks = [text('abcd'), call('{"a":"bcdefg"}'), call('{}')];
    expect(limitBlocks(blocks, Infinity, [])).to.deep.equal({ blocks, ending: { reason: 'calls' } });
    expect(limitBlocks(blocks, 2, ['bcdefg'])).to.deep.equal({
      blocks: [text('abcd'), call('{"a"')],
      ending: { reason: 'length' },
    });
    expect(limitBlocks(blocks, 1, [])).to.deep.equal({ blocks: [text('abcd')], ending: { reason: 'length' } });
    expect(limitBlocks(blocks, 9, ['c'])).to.deep.equal({
      blocks: [text('ab')],
      ending: { reason: 'stop', sequence: 'c' },
    });
  });
});

describe('what a model is told', () => {
  const image = { media_type: 'image/png', width: 750, height: 100, bytes: 9 } as const;

  it('counts messages, calls, results, images and tools', () => {
    const messages = [createModelMessage('user', { text: 'x'.repeat(40) })];
    const counts = [countInput(createModelInput([])), countInput(createModelInput(messages))];
    messages.push(createModelMessage('assistant', { calls: [{ id: 'c', name: 'read', input: { a: 1 } }] }));
    counts.push(countInput(createModelInput(messages)));
    messages.push(createModelMessage('user', { results: [{ call_id: 'c', text: 'y'.repeat(40), is_error: false }] }));
    counts.push(countInput(createModelInput(messages)));
    messages.push(createModelMessage('user', { images: [image] }));
    counts.push(countInput(createModelInput(messages)));
    counts.push(countInput(createModelInput(messages, { tools: [{ name: 'read', schema: {} }] })));
    expect(counts).to.deep.equal([1, 10, 13, 23, 123, 131]);
  });

  it('is read from the cache for five minutes after its last use, by the same model only', () => {
    let now = 0;
    const cache = createPromptCache(() => new Date(now));
    const first = createModelMessage('user', { text: 'a'.repeat(8000) });
    const more = createModelMessage('user', { text: 'b'.repeat(400) });
    const short = listPromptParts(createModelInput([first]));
    const long = listPromptParts(createModelInput([first, more]));
    expect(cache.use('m', short, 3)).to.deep.equal({ read: 0, written: 2000 });
    expect(cache.use('m', long, 4)).to.deep.equal({ read: 2000, written: 100 });
    expect(cache.use('other', short, 3)).to.deep.equal({ read: 0, written: 2000 });
    expect(cache.use('m', listPromptParts(createModelInput([more])), 3)).to.deep.equal({ read: 0, written: 0 });
    now = 299_000;
    expect(cache.use('m', long, 4)).to.deep.equal({ read: 2100, written: 0 });
    now = 598_000;
    expect(cache.use('m', long, 4)).to.deep.equal({ read: 2100, written: 0 });
    now = 1_000_000;
    expect(cache.use('m', long, 4)).to.deep.equal({ read: 0, written: 2100 });
  });
});

describe('faults that are told in advance', () => {
  it('strike the models they are meant for, as often as told', () => {
    const faults = [{ times: 2, model: 'a' }, { times: 0, model: 'b' }, { times: 1 }];
    const taken = ['a', 'b', 'b', 'a', 'a', 'a', 'c'].map((model) => takeFault(faults, model)?.model ?? null);
    expect(taken).to.deep.equal(['a', 'b', 'b', 'a', null, null, null]);
    expect(faults).to.deep.equal([{ times: 0, model: 'b' }]);
  });
});
