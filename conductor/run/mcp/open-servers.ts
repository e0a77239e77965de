import type { Client } from '@modelcontextprotocol/client';
import { z } from 'zod';
import { WorkError } from '../../workplace/workplace.ts';
import type { Workplace, WorkProcess } from '../../workplace/workplace.ts';
import type { Servers } from '../run-turn.ts';
import { boundText } from '../tools/tool.ts';
import type { RunTool, ToolOutcome } from '../tools/tool.ts';
import { createProcessTransport } from './process-transport.ts';

/** `[mcp.<name>]` of config.toml: a program that is started in the place of a run. */
export interface McpServer {
  name: string;
  command: string;
  args: string[];
  env: Record<string, string>;
}

type UsePlace = <T>(work: (place: Workplace) => Promise<T>) => Promise<T>;

const START_MS = 30_000;
const CALL_MS = 10 * 60_000;
/** What a server may offer: each tool is told to the model in every step. */
const MAX_TOOLS = 100;
const MAX_NAME = 64;
const MAX_DESCRIPTION = 2000;

interface Connection {
  client: Client;
  child: WorkProcess;
}

/**
 * Starts the servers and makes tools of what they offer, named `mcp__<server>__<tool>`. One that doesn't start is told of, and left out. They
 * hold the place open until `close`; one that ended is started again by the next call.
 */
export async function openServers(
  servers: McpServer[],
  usePlace: UsePlace,
  notify: (message: string) => Promise<void>,
): Promise<Servers> {
  const opened = await Promise.all(
    servers.map(async (server) => {
      try {
        return await openServer(server, usePlace);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        await notify(
          `The MCP server ${server.name} did not start: ${reason.slice(0, 300)} The run goes on without it.`,
        );
        return undefined;
      }
    }),
  );
  const there = opened.filter((one) => one !== undefined);
  return {
    tools: there.flatMap(({ tools }) => tools),
    async close() {
      await Promise.all(there.map(({ close }) => close()));
    },
  };
}

async function openServer(server: McpServer, usePlace: UsePlace): Promise<Servers> {
  let connection: Promise<Connection> | undefined;
  const connect = (place: Workplace): Promise<Connection> => {
    connection ??= start(server, place);
    const started = connection;
    const forget = (): void => void (connection === started && (connection = undefined));
    // One that has ended, or never came to be, isn't asked again.
    started.then(({ child }) => child.exit.then(forget, forget), forget);
    return started;
  };
  const { tools } = await usePlace(async (place) => (await connect(place)).client.listTools());
  return {
    tools: tools.slice(0, MAX_TOOLS).map((tool) => ({
      name: `mcp__${server.name}__${tool.name}`.replaceAll(/[^\w-]/g, '_').slice(0, MAX_NAME),
      description: (tool.description ?? tool.name).slice(0, MAX_DESCRIPTION),
      input: z.record(z.string(), z.unknown()),
      jsonSchema: tool.inputSchema,
      action: () => ({ tool: 'mcp', server: server.name, name: tool.name }),
      title: () => `${server.name}: ${tool.name}`,
      async run(input, { place, signal }) {
        const { client } = await connect(place);
        try {
          const args = input as Record<string, unknown>;
          const answer = await client.callTool({ name: tool.name, arguments: args }, { timeout: CALL_MS, signal });
          return describeAnswer(answer);
        } catch (error) {
          if (signal.aborted || error instanceof WorkError) throw error;
          const text = error instanceof Error ? error.message : String(error);
          return { outcome: 'failed', text, summary: text.slice(0, 200) };
        }
      },
    })),
    async close() {
      const open = await connection?.catch(() => undefined);
      await open?.client.close();
    },
  } satisfies { tools: RunTool[]; close(): Promise<void> };
}

async function start({ command, args, env }: McpServer, place: Workplace): Promise<Connection> {
  const { Client: McpClient } = await import('@modelcontextprotocol/client');
  const child = place.exec({ argv: [command, ...args], env });
  const client = new McpClient({ name: 'spoq', version: '1.0.0' });
  try {
    await client.connect(await createProcessTransport(child), { timeout: START_MS });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return { client, child };
}

function describeAnswer(answer: Awaited<ReturnType<Client['callTool']>>): ToolOutcome {
  const parts = (answer.content ?? []).map((part) => (part.type === 'text' ? part.text : `[${part.type}]`));
  if (parts.length === 0 && answer.structuredContent !== undefined)
    parts.push(JSON.stringify(answer.structuredContent));
  const text = boundText(parts.join('\n') || '[Nothing.]', 'They can not be shown.');
  const failed = answer.isError === true;
  return { outcome: failed ? 'failed' : 'ok', text, summary: failed ? text.slice(0, 200) : 'done' };
}
