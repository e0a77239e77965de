import * as grpc from '@grpc/grpc-js';
import * as engineRpc from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import * as engineMessages from '@pulumi/pulumi/proto/engine_pb.js';
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
  const client = new engineRpc.EngineClient(address, grpc.credentials.createInsecure());
  const say: Say = (urn, line) => {
    const request = new engineMessages.LogRequest();
    request.setSeverity(engineMessages.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(line);
    client.log(request, () => {});
  };
  await main(createPlugin(say), args);
}
