import * as grpc from '@grpc/grpc-js';
import * as engineRpc from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import engineMessages from '@pulumi/pulumi/proto/engine_pb.js';

/** Tells the engine how a resource is getting on. Such a line is shown and passed on as an event, and kept nowhere. */
export type Report = (urn: string, message: string) => void;

/** Reports as JSON lines on stdout: to whoever keeps this plugin running for more than one engine. */
export function createLineReport(): Report {
  return (urn, message) => void process.stdout.write(`${JSON.stringify({ urn, message })}\n`);
}

/** Reports to the engine that started this plugin, at `address` (its first argument). A report that is lost is no failure. */
export function createReport(address: string): Report {
  const client = new engineRpc.EngineClient(address, grpc.credentials.createInsecure());
  return (urn, message) => {
    const request = new engineMessages.LogRequest();
    request.setSeverity(engineMessages.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(true);
    client.log(request, () => {});
  };
}
