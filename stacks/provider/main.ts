import { main } from '@pulumi/pulumi/provider/index.js';
import { loadVendors } from './config.ts';
import { createProvider } from './provider.ts';
import { createReport } from './report.ts';

// The engine holds this pipe open as long as it lives. A plugin whose engine was killed must not go on buying machines.
process.stdin
  .on('end', () => process.exit(1))
  .on('error', () => process.exit(1))
  .resume();

const args = process.argv.slice(2);
const engineAddress = args.find((arg) => !arg.startsWith('-')) ?? '';
const provider = createProvider({ ...loadVendors(process.env), report: createReport(engineAddress), version: '0.1.0' });
await main(provider, args);
