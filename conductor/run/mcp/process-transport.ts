import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import type { WorkProcess } from '../../workplace/workplace.ts';

/** What a server says about its start and its troubles, kept for the person. */
const STDERR_KEPT = 500;

/** MCP over the standard input and output of a program in the place of a run: a line is a message. */
export async function createProcessTransport(child: WorkProcess): Promise<Transport> {
  const { ReadBuffer, serializeMessage } = await import('@modelcontextprotocol/client');
  const buffer = new ReadBuffer();
  let stderr = '';
  const read = async (): Promise<void> => {
    for await (const { stream, data } of child.output) {
      if (stream === 'stderr') {
        stderr = (stderr + Buffer.from(data).toString('utf8')).slice(-STDERR_KEPT);
        continue;
      }
      buffer.append(Buffer.from(data));
      for (;;) {
        let message: JSONRPCMessage | null;
        try {
          message = buffer.readMessage();
        } catch (error) {
          transport.onerror?.(error instanceof Error ? error : new Error(String(error)));
          continue;
        }
        if (message === null) break;
        transport.onmessage?.(message);
      }
    }
  };
  const transport: Transport = {
    async start() {
      read()
        .catch((error: unknown) => transport.onerror?.(error instanceof Error ? error : new Error(String(error))))
        .finally(() => {
          if (stderr.trim() !== '') transport.onerror?.(new Error(stderr.trim()));
          transport.onclose?.();
        });
    },
    async send(message) {
      await child.write(Buffer.from(serializeMessage(message)));
    },
    async close() {
      child.end();
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
      await child.exit.catch(() => undefined);
      clearTimeout(timer);
    },
  };
  return transport;
}
