import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Channel } from './channel.ts';

/** Carries both ways until both have ended, with backpressure. Rejects when either breaks. */
export async function joinSocket(socket: Socket, channel: Channel): Promise<void> {
  const broken = Promise.withResolvers<never>();
  socket.on('error', broken.reject);
  const abort = (): void => void socket.destroy();
  channel.over.addEventListener('abort', abort, { once: true });
  const outward = async (): Promise<void> => {
    for await (const { data } of channel.data)
      if (!socket.write(data)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    socket.end();
  };
  const inward = async (): Promise<void> => {
    for await (const chunk of socket) await channel.send(chunk as Buffer);
    channel.end();
  };
  try {
    await Promise.race([Promise.all([outward(), inward()]), broken.promise]);
  } finally {
    channel.over.removeEventListener('abort', abort);
    broken.promise.catch(() => undefined);
  }
}
