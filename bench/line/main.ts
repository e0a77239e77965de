import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

/**
 * A line to a port of this computer, as a process of its own: `main.ts <port> <to> <megabits a second> <milliseconds there and back>`.
 * Each direction has that rate, for all connections together; what doesn't fit waits at the sender's, as in a router with little memory.
 */
const [port = 0, to = 0, megabits = 0, roundTripMs = 0] = process.argv.slice(2).map(Number);
const BYTES_PER_MS = (megabits * 1e6) / 8 / 1000;
/** What a router holds for a connection: the line is full with it, and no more. */
const QUEUED_BYTES = BYTES_PER_MS * roundTripMs + 128 * 1024;

/** Passes on what comes, later and in its order. */
function createDirection(): (from: Socket, into: Socket) => void {
  let freeAt = 0;
  return (from, into) => {
    const waiting: { at: number; deliver(): void }[] = [];
    let queued = 0;
    const deliver = (): void => {
      for (let [next] = waiting; next !== undefined && next.at <= performance.now(); [next] = waiting) {
        waiting.shift();
        next.deliver();
      }
      const [next] = waiting;
      if (next !== undefined) setTimeout(deliver, Math.max(1, next.at - performance.now()));
    };
    const add = (at: number, work: () => void): void => {
      waiting.push({ at, deliver: work });
      if (waiting.length === 1) setTimeout(deliver, Math.max(1, at - performance.now()));
    };
    from.on('data', (chunk: Buffer) => {
      freeAt = Math.max(freeAt, performance.now()) + chunk.length / BYTES_PER_MS;
      queued += chunk.length;
      if (queued > QUEUED_BYTES) from.pause();
      add(freeAt + roundTripMs / 2, () => {
        queued -= chunk.length;
        if (queued <= QUEUED_BYTES) from.resume();
        into.write(chunk);
      });
    });
    from.on('end', () => add(Math.max(freeAt, performance.now()) + roundTripMs / 2, () => into.end()));
  };
}

const [up, down] = [createDirection(), createDirection()];
createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
  up(near, far);
  down(far, near);
}).listen(port, '127.0.0.1', () => process.stdout.write('listening\n'));
