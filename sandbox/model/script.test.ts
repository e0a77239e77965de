import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { createModelInput, createModelMessage } from './conversation.ts';
import type { ModelInput, ModelMessage } from './conversation.ts';
import { decideAnswer } from './decide.ts';
import { findScript, playStep, Script } from './script.ts';

const call = (name: string, input: object = {}): object => ({ name, input });
const makeScript = (...steps: object[]): Script => Script.parse({ match: 'task', steps });
const user = (text: string): ModelMessage => createModelMessage('user', { text });
const tools = [{ name: 'read', schema: {} }];
const input = (messages: ModelMessage[], fields: Partial<ModelInput> = {}): ModelInput =>
  createModelInput(messages, { tools, ...fields });
const calls = (...ids: string[]): ModelMessage[] =>
  ids.map((id) => createModelMessage('assistant', { calls: [{ id, name: 'read', input: {} }] }));
const results = (...texts: string[]): ModelMessage[] =>
  texts.map((text) => createModelMessage('user', { results: [{ call_id: 'c', text, is_error: false }] }));

describe('a script', () => {
  const task = user('Do the task.');
  const say = (script: Script, of: ModelInput): string => playStep(script, of).text;

  it('is found in the first words of the user, by exact case, the last given first', () => {
    const [one, two] = [makeScript({ text: '1' }), { ...makeScript({ text: '2' }), match: 'the' }];
    expect(findScript([one, two], [task])).to.equal(two);
    expect(findScript([two, one], [task])).to.equal(one);
    expect(findScript([one], [...results('x'), task])).to.equal(one);
    expect(findScript([one], [user('Hello'), createModelMessage('assistant', { text: 'Hi' }), task])).to.equal(
      undefined,
    );
    expect(findScript([one], [user('Task')])).to.equal(undefined);
  });

  it('counts one answer for all calls that were made at once', () => {
    const script = makeScript(
      { calls: [call('read'), call('read')] },
      { text: 'Got {{last_result}}' },
      { text: 'End' },
    );
    const messages = [task, ...calls('a', 'b'), ...results('1', '2')];
    expect(say(script, input(messages))).to.equal('Got 1\n2');
    const more = [...messages, createModelMessage('assistant', { text: 'Got' }), user('And?')];
    expect(say(script, input(more))).to.equal('End');
  });

  it('puts the last result in anywhere in an input, as it is', () => {
    const script = makeScript(
      { text: 'x' },
      { calls: [call('read', { a: ['{{last_result}}!', 1, null], b: { c: true } })] },
    );
    const messages = [task, ...calls('a'), ...results('$& "q"\n')];
    expect(playStep(script, input(messages)).calls).to.deep.equal([
      { name: 'read', input: { a: ['$& "q"\n!', 1, null], b: { c: true } } },
    ]);
  });

  const ended = [task, createModelMessage('assistant', { text: 'x' }), user('More.')];
  for (const [what, script, of, said] of [
    [
      'is over',
      makeScript({ text: 'x' }),
      input(ended),
      'All steps of the script for "task" have been played: there were 1.',
    ],
    [
      'expects a result and gets none',
      makeScript({ text: 'x' }, { expect: 'ok', text: 'y' }),
      input(ended),
      'I expected the last tool result to contain "ok", but there was none. This was step 2 of 2 for "task".',
    ],
    [
      'uses a result and gets none',
      makeScript({ calls: [call('read', { a: '{{last_result}}' })] }),
      input([task]),
      'the step needs the last tool result, and there is none.',
    ],
    [
      'calls what is not offered',
      makeScript({ calls: [call('write')] }),
      input([task]),
      'I was to call the tool "write", which was not offered. Offered: read.',
    ],
    [
      'is told to call nothing',
      makeScript({ calls: [call('read')] }),
      input([task], { choice: { type: 'none' } }),
      'I was to call a tool, and was told to call none.',
    ],
    [
      'is told to make one call at a time',
      makeScript({ calls: [call('read'), call('read')] }),
      input([task], { parallel: false }),
      'I was to make 2 calls at once, and was told to make one at a time.',
    ],
  ] as const) {
    it(`says so when it ${what}`, () => {
      const answer = playStep(script, of);
      expect(answer.calls).to.deep.equal([]);
      expect(answer.text).to.include(said);
    });
  }

  it('reads as the documentation writes it', () => {
    const page = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8');
    const [, json = ''] = /_sandbox\/scripts" [^\n]*-d '(\{.*?\})'\n/s.exec(page) ?? [];
    expect(Script.parse(JSON.parse(json)).steps).to.have.length(3);
  });

  it('shows only the beginning of a long result that it did not expect', () => {
    const script = makeScript({ text: 'x' }, { expect: 'ok', text: 'y' });
    const said = say(script, input([task, ...calls('a'), ...results('z'.repeat(999))]));
    expect(said).to.include(`"${'z'.repeat(300)}…"`);
  });
});

describe('a model without a script', () => {
  const vendor = { name: 'GPT', keyVariable: 'OPENAI_API_KEY' };
  const decide = (of: ModelInput) => decideAnswer(of, { scripts: [], vendor });
  const shell = (properties: object, required: string[] = []) => ({
    name: 'bash',
    schema: { type: 'object', properties, required },
  });

  it('fills in what else a shell-like tool requires, and knows lists of words', () => {
    const other = {
      command: { type: 'array', items: { type: 'string' } },
      cwd: { type: 'string' },
      why: { type: 'string' },
    };
    const asked = createModelInput([user('please run it')], { tools: [shell(other, ['command', 'cwd'])] });
    expect(decide(asked).calls).to.deep.equal([{ name: 'bash', input: { command: ['ls'], cwd: 'sandbox' } }]);
  });

  it('calls nothing when it is not asked to run anything, may not, or has no shell', () => {
    const bash = shell({ command: { type: 'string' } });
    for (const [text, fields] of [
      ['What is this?', { tools: [bash] }],
      ['Run it', { tools: [bash], choice: { type: 'none' as const } }],
      ['Run it', { tools: [shell({ script: { type: 'string' } })] }],
      ['Run it', { tools: [{ ...bash, name: 'read' }] }],
    ] as const) {
      const answer = decide(createModelInput([user(text)], { ...fields, tools: [...fields.tools] }));
      expect(answer.calls).to.deep.equal([]);
      expect(answer.text).to.include("Spoq's sandbox model");
    }
  });

  it('reports failures as failures', () => {
    const failed = createModelMessage('user', { results: [{ call_id: 'c', text: 'no\nway', is_error: true }] });
    expect(decide(createModelInput([user('run'), ...calls('c'), failed])).text).to.include(
      'It failed:\n\n    no\n    way',
    );
  });
});
