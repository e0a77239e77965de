import * as grpc from '@grpc/grpc-js';
import * as engineRpc from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import engineMessages from '@pulumi/pulumi/proto/engine_pb.js';
import { main, type Provider } from '@pulumi/pulumi/provider/index.js';

/** Says one line about a resource to whoever watches the engine. */
export type Say = (urn: string, line: string) => void;

/** Serves a plugin to the engine that started this process, and ends with it, however that ended. */
export async function servePlugin(
  args: string[],
  createPlugin: (say: Say) => Provider,
  onEnd: () => void = () => {},
): Promise<void> {
  const end = (): void => {
    onEnd();
    process.exit(1);
  };
  process.stdin.on('end', end).on('error', end).resume();
  const address = args.find((arg) => !arg.startsWith('-')) ?? '';
  await main(createPlugin(process.env['SPOQ_PLUGIN_REPORTS'] === 'stdout' ? sayOnStdout : createSay(address)), args);
}

/** To whoever keeps this plugin running for more than one engine. */
const sayOnStdout: Say = (urn, message) => void process.stdout.write(`${JSON.stringify({ urn, message })}\n`);

function createSay(address: string): Say {
  const client = new engineRpc.EngineClient(address, grpc.credentials.createInsecure());
  return (urn, line) => {
    const request = new engineMessages.LogRequest();
    request.setSeverity(engineMessages.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(line);
    client.log(request, () => {});
  };
}
