import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A model that thinks nothing: it says as many words as the question names (`words=2000`), with so many milliseconds between two
 * (`pause=20`), flat out when that is 0. A process of its own, so that it takes no time from who measures. Prints its port.
 */
const server = createServer((req, res) => {
  void json(req).then((body) => {
    const text = JSON.stringify(body);
    const find = (name: string): number => Number(new RegExp(String.raw`${name}=(\d+)`).exec(text)?.[1] ?? 0);
    return speak(res, find('words'), find('pause'));
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));

async function speak(res: ServerResponse, words: number, pauseMs: number): Promise<void> {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const say = (event: { type: string } & Record<string, unknown>): boolean =>
    res.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const usage = { input_tokens: 12, output_tokens: 1 };
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'bench', content: [], usage };
  say({ type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null } });
  say({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
  for (let word = 0; word < words && !res.destroyed; word += 1) {
    const more = say({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: `word${word} @${performance.timeOrigin + performance.now()} ` },
    });
    if (pauseMs > 0) await sleep(pauseMs);
    else if (!more) await Promise.race([once(res, 'drain'), once(res, 'close')]);
  }
  say({ type: 'content_block_stop', index: 0 });
  say({
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: words },
  });
  say({ type: 'message_stop' });
  res.end();
}
