import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { ListenOptions } from '../deps.ts';
import { createKeyboard } from './keyboard.ts';

/** A terminal that says how it was set, and who was told what. */
function createScene(): {
  stdin: PassThrough;
  log: string[];
  listen(name: string, options: ListenOptions): () => void;
  interrupt(): boolean;
} {
  const log: string[] = [];
  const setRawMode = (on: boolean): void => void log.push(on ? 'raw' : 'not raw');
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
  const output = Object.assign(new PassThrough(), { isTTY: true });
  output.on('data', (text: Buffer) => log.push(JSON.stringify(String(text))));
  const keyboard = createKeyboard(stdin as never, output as never);
  return {
    stdin,
    log,
    interrupt: () => keyboard.interrupt(),
    listen: (name, options) =>
      keyboard.listen((key) => log.push(`${name}: ${key.ctrl ? 'ctrl+' : ''}${key.name ?? ''} ${key.text}`), options),
  };
}

describe('the keyboard', () => {
  it('tells who listens last alone, then who listened before', async () => {
    const { stdin, log, listen } = createScene();
    const stopFirst = listen('first', { lines: false, pastes: true });
    stdin.write('a');
    await turn();
    const stopSecond = listen('second', { lines: false });
    stdin.write('b');
    await turn();
    stopSecond();
    stopSecond();
    stdin.write('c');
    await turn();
    stopFirst();
    await turn();
    const marks = ['"\\u001b[?2004h"', '"\\u001b[?2004l"'];
    expect(log.filter((line) => !marks.includes(line))).to.deep.equal([
      'raw',
      'first: a a',
      'not raw',
      'raw',
      'second: b b',
      'not raw',
      'raw',
      'first: c c',
      'not raw',
    ]);
    expect(log.filter((line) => marks.includes(line))).to.deep.equal([...marks, ...marks]);
  });

  it('tells lines, Ctrl-C and the end where the terminal reads lines itself', async () => {
    const { stdin, log, listen, interrupt } = createScene();
    expect(interrupt()).to.equal(false);
    const stop = listen('one', { lines: true, pastes: true });
    stdin.write('日本\ntwo\u001b[31m\n');
    await turn();
    expect(interrupt()).to.equal(true);
    stdin.end();
    await turn();
    await turn();
    stop();
    expect(interrupt()).to.equal(false);
    expect(log).to.deep.equal([
      'one:  日本',
      'one: return ',
      'one:  two',
      'one: return ',
      'one: ctrl+c ',
      'one: closed ',
    ]);
  });
});
